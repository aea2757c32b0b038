/*
 * contract_rooms.c -- the role contract: events of "/" that concern rooms, and
 * those that reach more than one socket.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/contract.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_MAX_MS 3600000
#define ANSWERS_MAX 1024

/* ----------------------------------------------------------- sorted lists --
 */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
    char **list;
    size_t count, size;
};

static void add_name(void *user, sio_str name)
{
    struct names *names = user;

    if (names->count == names->size) {
        size_t size = names->size ? 2 * names->size : 16;
        char **list = realloc(names->list, size * sizeof *list);

        if (!list)
            return;
        names->list = list;
        names->size = size;
    }
    names->list[names->count] = strndup(name.p, name.n);
    if (names->list[names->count])
        names->count++;
}

/* The sorted names, which are freed. */
static cJSON *names_tree(struct names *names)
{
    cJSON *tree = cJSON_CreateArray();

    if (names->count > 1)
        qsort(names->list, names->count, sizeof *names->list, by_text);
    for (size_t i = 0; i < names->count; i++) {
        cJSON_AddItemToArray(tree, cJSON_CreateString(names->list[i]));
        free(names->list[i]);
    }
    free(names->list);
    return tree;
}

/* The one answer to what was asked a while ago. */
static void answer_names(sio_pending_ack *ack, struct names *names)
{
    cJSON *tree = names_tree(names);
    char *text = cJSON_PrintUnformatted(tree);

    if (!text || sio_answer(ack, sio_raw_json(text, strlen(text))) < 0)
        sio_answer_drop(ack);
    cJSON_free(text);
    cJSON_Delete(tree);
}

/* ---------------------------------------------------------- being in rooms */

static void on_rooms(sio_socket *socket, sio_event *event, void *user)
{
    struct names names = { NULL, 0, 0 };

    (void)user;
    sio_each_room(socket, add_name, &names);
    ack_tree(event, names_tree(&names));
}

/* Argument 0, a room or a list of rooms: NULL when it is neither. */
static const cJSON *rooms_arg(sio_event *event)
{
    const cJSON *rooms, *room;

    if (sio_arg_json(event, 0, &rooms) != SIO_OK)
        return NULL;
    if (cJSON_IsString(rooms))
        return rooms;
    if (!cJSON_IsArray(rooms))
        return NULL;
    cJSON_ArrayForEach(room, rooms)
    {
        if (!cJSON_IsString(room))
            return NULL;
    }
    return rooms;
}

static void on_join(sio_socket *socket, sio_event *event, void *user)
{
    const cJSON *rooms = rooms_arg(event), *room;

    if (!rooms)
        return;
    if (cJSON_IsString(rooms))
        sio_join(socket, rooms->valuestring);
    cJSON_ArrayForEach(room, rooms)
    {
        sio_join(socket, room->valuestring);
    }
    on_rooms(socket, event, user);
}

static void on_leave(sio_socket *socket, sio_event *event, void *user)
{
    const char *room = arg_text(event, 0);

    if (!room)
        return;
    sio_leave(socket, room);
    on_rooms(socket, event, user);
}

static void on_found(int error, const sio_remote_socket *const *sockets,
                     size_t count, void *user)
{
    struct names names = { NULL, 0, 0 };

    for (size_t i = 0; i < count; i++)
        add_name(&names, (sio_str){ sio_remote_id(sockets[i]),
                                    strlen(sio_remote_id(sockets[i])) });
    if (error == SIO_OK)
        answer_names(user, &names);
    else
        sio_answer_drop(user);
}

static void on_members(sio_socket *socket, sio_event *event, void *user)
{
    const char *room = arg_text(event, 0);
    sio_pending_ack *ack = room ? sio_ack_later(event) : NULL;

    (void)user;
    if (ack && sio_fetch_sockets(sio_to(sio_namespace_of(socket), room),
                                 on_found, ack) != SIO_OK)
        sio_answer_drop(ack);
}

static void on_move(sio_socket *socket, sio_event *event, void *user)
{
    const char *from = arg_text(event, 0), *to = arg_text(event, 1);
    sio_namespace *nsp = sio_namespace_of(socket);

    (void)user;
    if (!from || !to)
        return;
    sio_sockets_join(sio_to(nsp, from), to);
    sio_sockets_leave(sio_to(nsp, from), from);
    sio_ack(event);
}

static void on_kick_room(sio_socket *socket, sio_event *event, void *user)
{
    const char *room = arg_text(event, 0);
    bool close = false;

    (void)user;
    if (!room ||
        (sio_arg_count(event) > 1 && sio_arg_bool(event, 1, &close) != SIO_OK))
        return;
    sio_disconnect_sockets(sio_to(sio_namespace_of(socket), room), close);
}

/* --------------------------------------------------------------- reaching --
 */

/* The event that argument i names, with the arguments behind it. */
static void emit_rest(sio_target target, sio_event *event, size_t i)
{
    const char *name = arg_text(event, i);
    sio_value *values;
    size_t count;

    if (!name)
        return;
    values = args_from(event, i + 1, &count);
    if (values)
        sio_emit_values(target, name, values, count);
    free(values);
}

/* Argument 0's rooms, added to the target one by one. */
static void emit_to(sio_target target, sio_event *event,
                    sio_target (*add)(sio_target, const char *))
{
    const cJSON *rooms = rooms_arg(event), *room;

    if (!rooms)
        return;
    if (cJSON_IsString(rooms))
        target = add(target, rooms->valuestring);
    cJSON_ArrayForEach(room, rooms)
    {
        target = add(target, room->valuestring);
    }
    emit_rest(target, event, 1);
}

static void on_to(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    emit_to(sio_broadcast(socket), event, sio_and_to);
}

static void on_in(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    emit_to(sio_target_namespace(sio_namespace_of(socket)), event, sio_and_to);
}

static void on_except(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    emit_to(sio_target_namespace(sio_namespace_of(socket)), event,
            sio_target_except);
}

static void on_broadcast(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    emit_rest(sio_broadcast(socket), event, 0);
}

static void on_all(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    emit_rest(sio_target_namespace(sio_namespace_of(socket)), event, 0);
}

static void on_all_volatile(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    emit_rest(sio_volatile(sio_namespace_of(socket)), event, 0);
}

/* ---------------------------------------------------------- asking a room --
 */

struct answer {
    const char *text; /* what JavaScript sorts by */
    cJSON *item;
};

static int by_answer(const void *a, const void *b)
{
    return strcmp(((const struct answer *)a)->text,
                  ((const struct answer *)b)->text);
}

static cJSON *sorted_answers(sio_event *answers)
{
    static struct answer list[ANSWERS_MAX];
    cJSON *tree = cJSON_CreateArray();
    size_t n = sio_arg_count(answers);

    n = n < ANSWERS_MAX ? n : ANSWERS_MAX;
    for (size_t i = 0; i < n; i++) {
        list[i].item = arg_item(answers, i);
        list[i].text = arg_text(answers, i);
        if (!list[i].text)
            list[i].text = list[i].item && list[i].item->valuestring
                               ? list[i].item->valuestring
                               : "";
    }
    if (n > 1)
        qsort(list, n, sizeof *list, by_answer);
    for (size_t i = 0; i < n; i++)
        cJSON_AddItemToArray(tree, list[i].item);
    return tree;
}

static void on_answers(int error, sio_event *answers, void *user)
{
    cJSON *tree = cJSON_CreateObject();
    char *text;

    cJSON_AddBoolToObject(tree, "late", error != SIO_OK);
    cJSON_AddItemToObject(tree, "answers", sorted_answers(answers));
    text = cJSON_PrintUnformatted(tree);
    if (!text || sio_answer((sio_pending_ack *)user,
                            sio_raw_json(text, strlen(text))) < 0)
        sio_answer_drop(user);
    cJSON_free(text);
    cJSON_Delete(tree);
}

static void on_ask_room(sio_socket *socket, sio_event *event, void *user)
{
    const char *room = arg_text(event, 0), *name = arg_text(event, 2);
    sio_value x = sio_arg(event, 3);
    sio_pending_ack *ack;
    sio_target target;
    int64_t ms;

    (void)user;
    if (!room || !name || !arg_number(event, 1, WAIT_MAX_MS, &ms))
        return;
    ack = sio_ack_later(event);
    if (!ack)
        return;
    target = sio_timeout(sio_to(sio_namespace_of(socket), room),
                         (uint32_t)(ms ? ms : 1));
    if (sio_emit_ack_values(target, on_answers, ack, name, &x, 1) != SIO_OK)
        sio_answer_drop(ack);
}

int contract_rooms(sio_namespace *root)
{
    static const struct {
        const char *event;
        sio_event_fn fn;
    } handlers[] = {
        { "rooms", on_rooms },
        { "join", on_join },
        { "leave", on_leave },
        { "members", on_members },
        { "move", on_move },
        { "kick-room", on_kick_room },
        { "to", on_to },
        { "in", on_in },
        { "except", on_except },
        { "broadcast", on_broadcast },
        { "all", on_all },
        { "all-volatile", on_all_volatile },
        { "ask-room", on_ask_room },
    };
    int r = SIO_OK;

    for (size_t i = 0; r == SIO_OK && i < sizeof handlers / sizeof *handlers;
         i++)
        r = sio_on(root, handlers[i].event, handlers[i].fn, NULL);
    return r;
}
