/*
 * chat.c -- a chat in one process: page, client bundle and Socket.IO server on
 * the same port.
 *
 *     browser                                chat.c
 *     auth {name, room}               -->    a middleware checks the name
 *                                     <--    welcome name, room
 *     message text, ack               -->    ack (error, id), then to the room
 *                                     <--    message id, name, text   (+ ack)
 *                                     <--    delivered id, readers
 *     image bytes, ack                -->    the same, as image
 *     typing on                       -->    typing name, on
 *     enter room, ack                 -->    ack (error, room)
 *                                     <--    rooms, people, joined, left
 *
 * Handlers belong to the namespace; what is known about one client hangs on its
 * socket (sio_set_data). Whatever a client sends is checked before it is passed
 * on: type, size, characters.
 *
 * SPDX-License-Identifier: MIT
 */
#include "demo/chat/house.h"
#include "demo/common/site.h"

#include <sio/sio.h>

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_LIMIT 3000                 /* bytes: 1000 characters, any script */
#define IMAGE_LIMIT (1024 * 1024)       /* bytes of an image */
#define REQUEST_LIMIT (2 * 1024 * 1024) /* bytes: such an image in base64 */
#define RECEIPT_MS 5000                 /* how long the readers may take */

struct chat {
    sio_namespace *nsp;
    struct house house;
    int64_t last_id; /* of a message or image */
};

/* A message on its way to the others in the room. */
struct receipt {
    sio_socket *sender;
    int64_t id;
};

/* ------------------------------------------------------- rooms and people */

static void emit_json(sio_target target, const char *event, cJSON *tree)
{
    if (tree)
        sio_emit(target, event, sio_json(tree));
    cJSON_Delete(tree);
}

static void tell_people(struct chat *chat, const struct room *room)
{
    emit_json(sio_to(chat->nsp, room->key), "people", room_people(room));
}

static void tell_rooms(struct chat *chat)
{
    emit_json(sio_target_namespace(chat->nsp), "rooms",
              house_rooms(&chat->house));
}

static void leave(struct chat *chat, sio_socket *socket)
{
    struct person *person = sio_data(socket);
    struct room *room = person->room;

    if (!room)
        return;
    sio_leave(socket, room->key);
    sio_emit(sio_to(socket, room->key), "left", sio_string(person->name));
    room = room_leave(&chat->house, person);
    if (room)
        tell_people(chat, room);
}

static void enter(struct chat *chat, sio_socket *socket, struct room *room)
{
    struct person *person = sio_data(socket);

    leave(chat, socket);
    sio_join(socket, room->key);
    room_enter(room, person);
    sio_emit(sio_to(socket, room->key), "joined", sio_string(person->name));
    tell_people(chat, room);
    tell_rooms(chat);
}

/* --------------------------------------------------- coming in and leaving */

static void check_name(sio_socket *socket, sio_next *next, void *user)
{
    struct person *person = calloc(1, sizeof *person);
    char wish[NAME_SIZE];
    int size = sio_auth_string(socket, "name", wish, sizeof wish);

    (void)user;
    if (!person) {
        sio_next_error(next, "The chat is full.", NULL);
        return;
    }
    sio_set_data(socket, person, free);
    if (size < 0 || size >= NAME_SIZE ||
        !name_clean(wish, (size_t)size, person->name))
        sio_next_error(next, "Please choose a name of 1 to 24 letters.", NULL);
    else
        sio_next_ok(next);
}

static void on_connection(sio_socket *socket, void *user)
{
    struct chat *chat = user;
    struct person *person = sio_data(socket);
    struct room *room = NULL;
    char wish[NAME_SIZE], name[NAME_SIZE];
    int size = sio_auth_string(socket, "room", wish, sizeof wish);

    person_name(&chat->house, person);
    /* After a reconnection the page asks for the room it was in. */
    if (size > 0 && size < NAME_SIZE && name_clean(wish, (size_t)size, name))
        room = room_open(&chat->house, name);
    if (!room)
        room = chat->house.rooms;
    sio_emit(socket, "welcome", sio_string(person->name),
             sio_string(room->name));
    enter(chat, socket, room);
}

static void on_disconnect(sio_socket *socket, const char *reason, void *user)
{
    struct chat *chat = user;

    (void)reason;
    leave(chat, socket);
    tell_rooms(chat);
}

static void on_enter(sio_socket *socket, sio_event *event, void *user)
{
    struct chat *chat = user;
    struct person *person = sio_data(socket);
    struct room *room;
    char name[NAME_SIZE];
    const char *wish;
    size_t size;

    if (sio_arg_string(event, 0, &wish, &size) != SIO_OK ||
        !name_clean(wish, size, name)) {
        sio_ack(event, sio_string("A room needs a name of 1 to 24 letters."));
        return;
    }
    room = room_open(&chat->house, name);
    if (!room) {
        sio_ack(event, sio_string("There are too many rooms already."));
        return;
    }
    sio_ack(event, sio_null(), sio_string(room->name));
    if (room != person->room)
        enter(chat, socket, room);
}

/* ---------------------------------------------------------------- messages */

/* Called once everybody in the room has answered, or RECEIPT_MS later with
 * the answers that came. */
static void on_delivered(int error, sio_event *answers, void *user)
{
    struct receipt *receipt = user;

    (void)error;
    sio_emit(receipt->sender, "delivered", sio_int(receipt->id),
             sio_int((int64_t)sio_arg_count(answers)));
    sio_release(receipt->sender);
    free(receipt);
}

/* Acknowledge, pass on what is in argument 0, and ask for receipts. */
static void pass_on(struct chat *chat, sio_socket *socket, sio_event *event)
{
    struct person *person = sio_data(socket);
    struct receipt *receipt = malloc(sizeof *receipt);

    if (!receipt) {
        sio_ack(event, sio_string("The chat is out of memory."));
        return;
    }
    receipt->id = ++chat->last_id;
    receipt->sender = sio_retain(socket);
    sio_ack(event, sio_null(), sio_int(receipt->id));
    if (sio_emit_ack(sio_timeout(sio_to(socket, person->room->key), RECEIPT_MS),
                     on_delivered, receipt, sio_event_name(event),
                     sio_int(receipt->id), sio_string(person->name),
                     sio_arg(event, 0)) != SIO_OK) {
        sio_release(socket);
        free(receipt);
    }
}

static void on_message(sio_socket *socket, sio_event *event, void *user)
{
    const char *text;
    size_t size;

    if (sio_arg_string(event, 0, &text, &size) != SIO_OK || size == 0 ||
        size > TEXT_LIMIT)
        sio_ack(event, sio_string("A message has 1 to 1000 characters."));
    else
        pass_on(user, socket, event);
}

/* By its first bytes, not by what the sender calls it: no browser is to be
 * handed markup (SVG) or anything else as an image. */
static bool is_image(const unsigned char *p, size_t n)
{
    return n >= 12 &&
           (memcmp(p, "\x89PNG\r\n\x1a\n", 8) == 0 ||
            memcmp(p, "\xff\xd8\xff", 3) == 0 || memcmp(p, "GIF8", 4) == 0 ||
            (memcmp(p, "RIFF", 4) == 0 && memcmp(p + 8, "WEBP", 4) == 0));
}

static void on_image(sio_socket *socket, sio_event *event, void *user)
{
    const void *data;
    size_t size;

    if (sio_arg_binary(event, 0, &data, &size) != SIO_OK ||
        !is_image(data, size))
        sio_ack(event, sio_string("That is no PNG, JPEG, GIF or WebP image."));
    else if (size > IMAGE_LIMIT)
        sio_ack(event, sio_string("An image may have 1 MiB at most."));
    else
        pass_on(user, socket, event);
}

/* Volatile: who cannot be told at once need not know any more. */
static void on_typing(sio_socket *socket, sio_event *event, void *user)
{
    struct person *person = sio_data(socket);
    bool on;

    (void)user;
    if (sio_arg_bool(event, 0, &on) == SIO_OK)
        sio_emit(sio_volatile(sio_to(socket, person->room->key)), "typing",
                 sio_string(person->name), sio_bool(on));
}

/* -------------------------------------------------------------------- main */

static sio_server *make_server(struct chat *chat, struct site *site)
{
    sio_options options;
    sio_server *server;

    sio_options_init(&options);
    site_options(site, &options);
    options.max_http_buffer_size = REQUEST_LIMIT;
    server = sio_server_new(&options);
    if (!server)
        return NULL;
    chat->nsp = sio_of(server, "/");
    if (chat->nsp && sio_use(chat->nsp, check_name, chat) == SIO_OK &&
        sio_on_connection(chat->nsp, on_connection, chat) == SIO_OK &&
        sio_on_disconnect(chat->nsp, on_disconnect, chat) == SIO_OK &&
        sio_on(chat->nsp, "enter", on_enter, chat) == SIO_OK &&
        sio_on(chat->nsp, "message", on_message, chat) == SIO_OK &&
        sio_on(chat->nsp, "image", on_image, chat) == SIO_OK &&
        sio_on(chat->nsp, "typing", on_typing, chat) == SIO_OK)
        return server;
    sio_server_free(server);
    return NULL;
}

static bool open_rooms(struct house *house)
{
    static const char *const names[] = { "lobby", "music", "travel" };
    struct room *room;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        room = room_open(house, names[i]);
        if (!room)
            return false;
        room->permanent = true;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct chat chat = { 0 };
    struct site site;
    sio_server *server = NULL;
    int status;

    if (!site_read(&site, "chat", "a chat", argc, argv, &status))
        return status;
    if (!open_rooms(&chat.house) || !(server = make_server(&chat, &site)))
        fprintf(stderr, "chat: out of memory\n");
    else if (site_open(&site, server) && sio_run(server) == SIO_OK)
        status = EXIT_SUCCESS;
    sio_server_free(server);
    house_free(&chat.house);
    return status;
}
