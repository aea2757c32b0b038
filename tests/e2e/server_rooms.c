/*
 * server_rooms.c -- rooms of a socket; fetching, moving, disconnecting many.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e/server.h"

/* ------------------------------------------------------------ one socket -- */

static void ack_rooms(sio_socket *socket, sio_event *event)
{
    cJSON *list = cJSON_CreateArray();

    sio_each_room(socket, add_room, list);
    ack_tree(event, list);
}

static void on_join(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_join(socket, string_arg(event, 0));
    ack_rooms(socket, event);
}

static void on_leave(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_leave(socket, string_arg(event, 0));
    ack_rooms(socket, event);
}

static void on_set_data(sio_socket *socket, sio_event *event, void *user)
{
    sio_str json;

    (void)user;
    if (sio_arg_raw(event, 0, &json) == SIO_OK)
        sio_set_data_json(socket, json.p, json.n);
    sio_ack(event);
}

/* ------------------------------------------------------------------ many -- */

static void on_fetched(int error, const sio_remote_socket *const *sockets,
                       size_t count, void *user)
{
    cJSON *list = cJSON_CreateArray();

    (void)error;
    for (size_t i = 0; i < count; i++) {
        sio_str data = sio_remote_data_json(sockets[i]);
        cJSON *one = cJSON_CreateObject(),
              *rooms = cJSON_AddArrayToObject(one, "rooms");

        sio_remote_each_room(sockets[i], add_room, rooms);
        cJSON_AddStringToObject(one, "id", sio_remote_id(sockets[i]));
        cJSON_AddItemToObject(one, "data",
                              cJSON_ParseWithLength(data.p, data.n));
        cJSON_AddItemToArray(list, one);
    }
    sio_answer((sio_pending_ack *)user, sio_json(list));
    cJSON_Delete(list);
}

static sio_target room_or_all(sio_event *event)
{
    const char *room = string_arg(event, 0);

    return *room ? sio_to(root, room) : sio_target_namespace(root);
}

static void on_fetch(sio_socket *socket, sio_event *event, void *user)
{
    sio_pending_ack *ack = sio_ack_later(event);

    (void)socket, (void)user;
    if (ack && sio_fetch_sockets(room_or_all(event), on_fetched, ack) != SIO_OK)
        sio_answer_drop(ack);
}

static void on_move(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    sio_sockets_join(room_or_all(event), string_arg(event, 1));
    sio_ack(event);
}

static void on_clear(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    sio_sockets_leave(room_or_all(event), string_arg(event, 1));
    sio_ack(event);
}

static void on_kick(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    sio_disconnect_sockets(room_or_all(event), true);
}

int register_rooms(void)
{
    static const struct handler handlers[] = {
        { "join", on_join },         { "leave", on_leave },
        { "set-data", on_set_data }, { "fetch", on_fetch },
        { "move", on_move },         { "clear", on_clear },
        { "kick", on_kick },
    };

    return REGISTER(root, handlers);
}
