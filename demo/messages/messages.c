/*
 * messages.c -- private messages that survive a reload: page, client bundle and
 * Socket.IO server on the same port; one room for each person, with all tabs of
 * that person in it.
 *
 *     browser                                messages.c
 *     auth {name} or {token, last}    -->    a middleware: who is it?
 *                                     <--    session id, name, token
 *                                     <--    messages list: after `last`
 *                                     <--    people list: who is here
 *     message to, text, nonce, ack    -->    kept; ack (error, message)
 *                                     <--    message: to the other, and to the
 *                                            sender's other tabs
 *     read from, upto                 -->    kept
 *                                     <--    read reader, from, upto: to both
 *     typing to (volatile)            -->
 *                                     <--    typing from
 *
 * What is sent twice, because an answer was lost, arrives once: see
 * post_write(). A page whose connection broke for a while is recovered by the
 * library, with what it has missed; one that was reloaded, or away for longer,
 * says what it has (`last`) and gets the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "demo/common/site.h"
#include "demo/messages/post.h"

#include <sio/sio.h>

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct office {
    sio_namespace *nsp;
    struct post post;
};

/* What hangs on a socket. */
struct tab {
    int64_t id; /* of the person */
    /* NULL until the tab is counted as one of the person's: from then on the
     * person is not forgotten. */
    struct person *person;
    int64_t last; /* message that the page has */
};

static struct person *person_of(sio_socket *socket)
{
    return ((struct tab *)sio_data(socket))->person;
}

static void emit_json(sio_target target, const char *event, cJSON *tree)
{
    if (tree)
        sio_emit(target, event, sio_json(tree));
    cJSON_Delete(tree);
}

static void tell_people(struct office *office)
{
    emit_json(sio_target_namespace(office->nsp), "people",
              post_people(&office->post));
}

/* ---------------------------------------------------- coming in and leaving */

/* Who comes back has a token, who is new a name. NULL: see *why. */
static struct person *identify(struct post *post, sio_socket *socket,
                               const char **why)
{
    char token[TOKEN_SIZE + 1], wish[NAME_SIZE], name[NAME_SIZE];
    int size = sio_auth_string(socket, "token", token, sizeof token);

    if (size >= 0) {
        *why = "Please choose a name again.";
        return size == TOKEN_SIZE - 1 ? post_by_token(post, token) : NULL;
    }
    size = sio_auth_string(socket, "name", wish, sizeof wish);
    *why = "Please choose a name of 1 to 24 letters.";
    if (size < 0 || size >= NAME_SIZE || !name_clean(wish, (size_t)size, name))
        return NULL;
    *why = "That name is taken.";
    return post_add(post, name);
}

static int64_t last_of(sio_socket *socket)
{
    char text[24];

    if (sio_auth_string(socket, "last", text, sizeof text) < 0)
        return 0;
    return strtoll(text, NULL, 10);
}

static void check_in(sio_socket *socket, sio_next *next, void *user)
{
    struct office *office = user;
    struct tab *tab = calloc(1, sizeof *tab);
    const char *why = "The server is out of memory.";
    const struct person *person =
        tab ? identify(&office->post, socket, &why) : NULL;

    sio_set_data(socket, tab, free);
    if (!person) {
        sio_next_error(next, why, NULL);
        return;
    }
    tab->id = person->id;
    tab->last = last_of(socket);
    sio_next_ok(next);
}

static void welcome(struct office *office, sio_socket *socket,
                    const struct tab *tab)
{
    const struct person *person = tab->person;

    sio_join(socket, person->key);
    sio_emit(socket, "session", sio_int(person->id), sio_string(person->name),
             sio_string(person->token));
    emit_json(sio_target_socket(socket), "messages",
              post_messages(&office->post, person, tab->last));
}

/* Of a page that was recovered the tab is the one that it had. */
static void on_connection(sio_socket *socket, void *user)
{
    struct office *office = user;
    struct tab *tab = sio_data(socket);
    struct person *person = post_by_id(&office->post, tab->id);

    if (!person) { /* forgotten since the middleware, or while it was away */
        sio_disconnect(socket, true);
        return;
    }
    tab->person = person;
    person_arrive(person);
    if (!sio_recovered(socket))
        welcome(office, socket, tab);
    tell_people(office);
}

static void on_disconnect(sio_socket *socket, const char *reason, void *user)
{
    struct office *office = user;
    struct tab *tab = sio_data(socket);

    (void)reason;
    if (!tab->person)
        return;
    person_depart(&office->post, tab->person);
    tab->person = NULL;
    tell_people(office);
}

/* ---------------------------------------------------------------- messages */

/* The person whose id is argument 0. */
static struct person *other_of(struct post *post, sio_event *event)
{
    int64_t id;

    return sio_arg_int(event, 0, &id) == SIO_OK ? post_by_id(post, id) : NULL;
}

static void deliver(sio_socket *socket, const struct person *to,
                    const struct message *message, sio_event *event, bool again)
{
    cJSON *tree = message_json(message);

    sio_ack(event, sio_null(), sio_json(tree));
    if (tree && !again)
        sio_emit(sio_and_to(sio_to(socket, to->key), person_of(socket)->key),
                 "message", sio_json(tree));
    cJSON_Delete(tree);
}

static void on_message(sio_socket *socket, sio_event *event, void *user)
{
    struct office *office = user;
    struct person *to = other_of(&office->post, event);
    const struct message *message;
    const char *text, *nonce;
    size_t size, length;
    bool again;

    if (!to) {
        sio_ack(event, sio_string("Nobody of that name is known any more."));
    } else if (sio_arg_string(event, 1, &text, &size) != SIO_OK || size == 0 ||
               size > TEXT_LIMIT || strlen(text) != size) {
        sio_ack(event, sio_string("A message has 1 to 1000 characters."));
    } else if (sio_arg_string(event, 2, &nonce, &length) != SIO_OK ||
               length == 0 || length >= NONCE_SIZE) {
        sio_ack(event, sio_string("A message needs a name of its own."));
    } else {
        message = post_write(&office->post, person_of(socket)->id, to->id, text,
                             size, nonce, &again);
        if (message)
            deliver(socket, to, message, event, again);
        else
            sio_ack(event, sio_string("The server is out of memory."));
    }
}

static void on_read(sio_socket *socket, sio_event *event, void *user)
{
    struct office *office = user;
    struct person *reader = person_of(socket);
    struct person *from = other_of(&office->post, event);
    int64_t upto;

    if (!from || sio_arg_int(event, 1, &upto) != SIO_OK ||
        post_read(&office->post, reader->id, from->id, upto) == 0)
        return;
    sio_emit(sio_and_to(sio_to(office->nsp, from->key), reader->key), "read",
             sio_int(reader->id), sio_int(from->id), sio_int(upto));
}

/* Volatile: who cannot be told at once need not know any more. */
static void on_typing(sio_socket *socket, sio_event *event, void *user)
{
    struct office *office = user;
    struct person *to = other_of(&office->post, event);

    if (to)
        sio_emit(sio_volatile(sio_to(socket, to->key)), "typing",
                 sio_int(person_of(socket)->id));
}

/* -------------------------------------------------------------------- main */

static sio_server *make_server(struct office *office, struct site *site)
{
    sio_options options;
    sio_server *server;

    sio_options_init(&options);
    site_options(site, &options);
    options.max_http_buffer_size = 64 * 1024; /* it is all text */
    options.connection_state_recovery = true;
    server = sio_server_new(&options);
    if (!server)
        return NULL;
    office->nsp = sio_of(server, "/");
    if (office->nsp && sio_use(office->nsp, check_in, office) == SIO_OK &&
        sio_on_connection(office->nsp, on_connection, office) == SIO_OK &&
        sio_on_disconnect(office->nsp, on_disconnect, office) == SIO_OK &&
        sio_on(office->nsp, "message", on_message, office) == SIO_OK &&
        sio_on(office->nsp, "read", on_read, office) == SIO_OK &&
        sio_on(office->nsp, "typing", on_typing, office) == SIO_OK)
        return server;
    sio_server_free(server);
    return NULL;
}

int main(int argc, char **argv)
{
    static struct office office;
    struct site site;
    sio_server *server;
    int status;

    if (!site_read(&site, "messages", "private messages", argc, argv, &status))
        return status;
    server = make_server(&office, &site);
    if (!server)
        fprintf(stderr, "messages: out of memory\n");
    else if (site_open(&site, server) && sio_run(server) == SIO_OK)
        status = EXIT_SUCCESS;
    sio_server_free(server);
    post_free(&office.post);
    return status;
}
