/*
 * server_events.c -- events that come back, acknowledgements now and from
 * another thread, questions to one client and to a room.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e/server.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------ acknowledgements -- */

struct errand {
    sio_pending_ack *ack;
    int64_t value;
};

static void *run_errand(void *arg)
{
    struct errand *errand = arg;

    sio_answer(errand->ack, sio_int(errand->value));
    free(errand);
    return NULL;
}

static void on_ack_thread(sio_socket *socket, sio_event *event, void *user)
{
    struct errand *errand = malloc(sizeof *errand);
    pthread_t thread;

    (void)socket, (void)user;
    if (!errand)
        return;
    errand->value = int_arg(event, 0);
    errand->ack = sio_ack_later(event);
    if (errand->ack && pthread_create(&thread, NULL, run_errand, errand) == 0) {
        pthread_detach(thread);
        return;
    }
    if (errand->ack)
        sio_answer_drop(errand->ack);
    free(errand);
}

static void on_burst(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    for (int64_t i = 0; i < int_arg(event, 0); i++)
        sio_emit(socket, "burst", sio_int(i));
}

/* ---------------------------------------------------------------- asking -- */

static void on_reply(int error, sio_event *answers, void *user)
{
    sio_value values[1 + SIO_MAX_VALUES];
    size_t n = pass(answers, 0, values + 1);

    /* Error first, as Node's callbacks have it. */
    values[0] = error == SIO_OK ? sio_null() : sio_string(sio_strerror(error));
    sio_answer_values(user, values, 1 + n);
}

static void ask(sio_target target, sio_event *event, const char *name,
                size_t first)
{
    sio_value values[SIO_MAX_VALUES];
    size_t n = pass(event, first, values);
    sio_pending_ack *ack = sio_ack_later(event);
    int rc;

    if (!ack)
        return;
    rc = sio_emit_ack_values(target, on_reply, ack, name, values, n);
    if (rc != SIO_OK)
        sio_answer(ack, sio_string(sio_strerror(rc)));
}

static void on_ask(sio_socket *socket, sio_event *event, void *user)
{
    uint32_t ms = (uint32_t)int_arg(event, 0);
    sio_target target = sio_target_socket(socket);

    (void)user;
    ask(ms > 0 ? sio_timeout(target, ms) : target, event, string_arg(event, 1),
        2);
}

static void on_ask_room(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    ask(sio_timeout(sio_to(root, string_arg(event, 0)),
                    (uint32_t)int_arg(event, 1)),
        event, "question", 2);
}

/* --------------------------------------------------------------- sending -- */

static void on_send(sio_socket *socket, sio_event *event, void *user)
{
    sio_value values[SIO_MAX_VALUES];
    const cJSON *how, *room;
    const char *from;
    sio_target target;

    (void)user;
    if (sio_arg_json(event, 0, &how) != SIO_OK)
        return;
    from = cJSON_GetStringValue(cJSON_GetObjectItem(how, "from"));
    target = from && strcmp(from, "io") == 0 ? sio_target_namespace(root)
                                             : sio_broadcast(socket);
    cJSON_ArrayForEach(room, cJSON_GetObjectItem(how, "to")) target =
        sio_to(target, room->valuestring);
    cJSON_ArrayForEach(room, cJSON_GetObjectItem(how, "except")) target =
        sio_except(target, room->valuestring);
    if (cJSON_IsTrue(cJSON_GetObjectItem(how, "volatile")))
        target = sio_volatile(target);
    sio_emit_values(target, string_arg(event, 1), values,
                    pass(event, 2, values));
    sio_ack(event);
}

int register_events(void)
{
    static const struct handler handlers[] = {
        { "echo", on_echo },
        { "ack", on_ack },
        { "ack-thread", on_ack_thread },
        { "burst", on_burst },
        { "ask", on_ask },
        { "ask-room", on_ask_room },
        { "send", on_send },
    };

    return REGISTER(root, handlers);
}
