/*
 * contract_cluster.c -- the role contract as a node of a cluster: the event
 * `call` on "/watch", which does what a server can do of its own accord when a
 * test asks for it. What it takes and gives is said in
 * tests/cluster/node-calls.mjs, which does the same on Node.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/contract.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOMS_MAX SIO_TARGET_ROOMS
#define HANDSHAKE_MAX 65536 /* bytes of a handshake as JSON */

static sio_server *the_server;

/* ------------------------------------------------------------------ targets */

/* Strings, and numbers as text, of a list; good until the next call but two. */
static size_t texts_of(const cJSON *list, const char *out[ROOMS_MAX])
{
    static char numbers[3][ROOMS_MAX][32];
    static unsigned turn;
    const cJSON *item;
    size_t n = 0;

    turn = (turn + 1) % 3;
    cJSON_ArrayForEach(item, list)
    {
        if (n == ROOMS_MAX)
            break;
        snprintf(numbers[turn][n], sizeof numbers[turn][n], "%.17g",
                 item->valuedouble);
        out[n] = cJSON_IsString(item) ? item->valuestring : numbers[turn][n];
        n++;
    }
    return n;
}

static const char *text_of(const cJSON *spec, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(spec, name));
}

static bool flag_of(const cJSON *spec, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(spec, name));
}

static sio_namespace *namespace_of(const cJSON *spec)
{
    const char *name = text_of(spec, "nsp");

    return sio_of(the_server, name ? name : "/");
}

static sio_target target_of(const cJSON *spec)
{
    const char *names[ROOMS_MAX], *remote = text_of(spec, "remote");
    const char *from = text_of(spec, "from");
    sio_target target = sio_target_namespace(namespace_of(spec));
    const cJSON *item;
    size_t n;

    if (remote) {
        target = sio_and_to(target, remote);
        target.is_single = true; /* as sio_remote_target() */
    }
    if (from)
        target = sio_target_except(target, from);
    n = texts_of(cJSON_GetObjectItemCaseSensitive(spec, "rooms"), names);
    for (size_t i = 0; i < n; i++)
        target = sio_and_to(target, names[i]);
    n = texts_of(cJSON_GetObjectItemCaseSensitive(spec, "except"), names);
    for (size_t i = 0; i < n; i++)
        target = sio_target_except(target, names[i]);
    if (flag_of(spec, "volatile"))
        target = sio_target_volatile(target);
    if (flag_of(spec, "local"))
        target = sio_target_local(target);
    item = cJSON_GetObjectItemCaseSensitive(spec, "compress");
    if (item)
        target = sio_target_compress(target, cJSON_IsTrue(item));
    item = cJSON_GetObjectItemCaseSensitive(spec, "timeout");
    return item ? sio_target_timeout(target, (uint32_t)item->valuedouble)
                : target;
}

/* --------------------------------------------------------------- answering */

static void say_result(sio_event *event, int r)
{
    if (r == SIO_OK)
        sio_ack(event, sio_null());
    else
        sio_ack(event, sio_string(sio_strerror(r)));
}

/* The callback will answer; unless it never comes. */
static void say_failure(sio_pending_ack *ack, int r)
{
    if (r != SIO_OK && sio_answer(ack, sio_string(sio_strerror(r))) < 0)
        sio_answer_drop(ack);
}

static void add_error(cJSON *tree, int error)
{
    if (error == SIO_OK)
        cJSON_AddNullToObject(tree, "error");
    else
        cJSON_AddStringToObject(tree, "error", sio_strerror(error));
}

static void on_answers(int error, sio_event *answers, void *user)
{
    cJSON *tree = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(tree, "answers");

    add_error(tree, error);
    for (size_t i = 0; i < sio_arg_count(answers); i++)
        cJSON_AddItemToArray(list, arg_item(answers, i));
    answer_tree(user, tree, answers);
}

static void on_one_answer(int error, sio_event *answers, void *user)
{
    cJSON *tree = cJSON_CreateObject();

    add_error(tree, error);
    if (error == SIO_OK)
        cJSON_AddItemToObject(tree, "answer", arg_item(answers, 0));
    answer_tree(user, tree, answers);
}

/* ------------------------------------------------------------------ events */

static void call_emit(const cJSON *spec, sio_event *event)
{
    const char *name = arg_text(event, 1);
    size_t count;
    sio_value *values = args_from(event, 2, &count);
    int r = !name || !values || cJSON_HasObjectItem(spec, "make")
                ? SIO_E_INVAL
                : sio_emit_values(target_of(spec), name, values, count);

    say_result(event, r);
    free(values);
}

static void call_ask(const cJSON *spec, sio_event *event)
{
    const char *name = arg_text(event, 1);
    size_t count;
    sio_value *values = args_from(event, 2, &count);
    sio_pending_ack *ack = sio_ack_later(event);
    int r = SIO_E_INVAL;

    if (name && values)
        r = sio_emit_ack_values(target_of(spec),
                                text_of(spec, "remote") ? on_one_answer
                                                        : on_answers,
                                ack, name, values, count);
    say_failure(ack, r);
    free(values);
}

static void call_notify(const cJSON *spec, sio_event *event)
{
    const char *name = arg_text(event, 1);
    size_t count;
    sio_value *values = args_from(event, 2, &count);
    int r = SIO_E_INVAL;

    if (name && values)
        r = sio_server_side_emit_values(namespace_of(spec), name, values,
                                        count);
    say_result(event, r);
    free(values);
}

static void call_notify_ask(const cJSON *spec, sio_event *event)
{
    const char *name = arg_text(event, 1);
    size_t count;
    sio_value *values = args_from(event, 2, &count);
    sio_pending_ack *ack = sio_ack_later(event);
    int r = SIO_E_INVAL;

    if (name && values)
        r = sio_server_side_emit_ack_values(namespace_of(spec), on_answers, ack,
                                            name, values, count);
    say_failure(ack, r);
    free(values);
}

/* ----------------------------------------------------------------- sockets */

static void call_join(const cJSON *spec, sio_event *event)
{
    const char *names[ROOMS_MAX];
    size_t n = texts_of(cJSON_GetObjectItemCaseSensitive(spec, "to"), names);

    say_result(event, sio_target_sockets_join(target_of(spec), names, n));
}

static void call_leave(const cJSON *spec, sio_event *event)
{
    const char *names[ROOMS_MAX];
    size_t n = texts_of(cJSON_GetObjectItemCaseSensitive(spec, "to"), names);

    say_result(event, sio_target_sockets_leave(target_of(spec), names, n));
}

static void call_disconnect(const cJSON *spec, sio_event *event)
{
    say_result(event, sio_target_disconnect_sockets(target_of(spec),
                                                    flag_of(spec, "close")));
}

static void add_room(void *user, sio_str room)
{
    char *name = strndup(room.p, room.n);

    cJSON_AddItemToArray(user, cJSON_CreateString(name ? name : ""));
    free(name);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(cJSON_GetStringValue(*(cJSON *const *)a),
                  cJSON_GetStringValue(*(cJSON *const *)b));
}

static int by_id(const void *a, const void *b)
{
    return strcmp(text_of(*(cJSON *const *)a, "id"),
                  text_of(*(cJSON *const *)b, "id"));
}

static cJSON *sorted(cJSON *list, int (*compare)(const void *, const void *))
{
    size_t n = (size_t)cJSON_GetArraySize(list);
    cJSON **items = calloc(n + 1, sizeof *items);
    cJSON *out = cJSON_CreateArray();

    for (size_t i = 0; items && i < n; i++)
        items[i] = cJSON_DetachItemFromArray(list, 0);
    if (items && n > 1)
        qsort(items, n, sizeof *items, compare);
    for (size_t i = 0; items && i < n; i++)
        cJSON_AddItemToArray(out, items[i]);
    free(items);
    cJSON_Delete(list);
    return out;
}

static void add_raw(cJSON *tree, const char *name, const char *p, size_t n)
{
    char *text = strndup(p ? p : "", n);

    cJSON_AddRawToObject(tree, name, text && *text ? text : "null");
    free(text);
}

static cJSON *picture(const sio_remote_socket *socket)
{
    static char handshake[HANDSHAKE_MAX];
    cJSON *tree = cJSON_CreateObject(), *rooms = cJSON_CreateArray();
    sio_str data = sio_remote_data_json(socket);
    int n = sio_remote_handshake_json(socket, handshake, sizeof handshake);

    cJSON_AddStringToObject(tree, "id", sio_remote_id(socket));
    sio_remote_each_room(socket, add_room, rooms);
    cJSON_AddItemToObject(tree, "rooms", sorted(rooms, by_text));
    add_raw(tree, "data", data.p, data.n);
    add_raw(tree, "handshake", handshake,
            n > 0 && n < HANDSHAKE_MAX ? (size_t)n : 0);
    return tree;
}

static void on_fetched(int error, const sio_remote_socket *const *sockets,
                       size_t count, void *user)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < count; i++)
        cJSON_AddItemToArray(list, picture(sockets[i]));
    list = sorted(list, by_id);
    if (error == SIO_OK) {
        answer_tree(user, list, NULL);
        return;
    }
    cJSON_Delete(list);
    say_failure(user, error);
}

static void call_fetch(const cJSON *spec, sio_event *event)
{
    sio_pending_ack *ack = sio_ack_later(event);

    say_failure(ack,
                sio_target_fetch_sockets(target_of(spec), on_fetched, ack));
}

/* ------------------------------------------------------------------- notes */

/* What another server has said: its arguments as JSON. */
struct note {
    struct note *next;
    sio_namespace *nsp;
    char *text;
    size_t count;
    sio_str attachments[]; /* each is owned */
};

static struct note *notes; /* the latest first */

static void free_note(struct note *note)
{
    for (size_t i = 0; i < note->count; i++)
        free((void *)(uintptr_t)note->attachments[i].p);
    cJSON_free(note->text);
    free(note);
}

static void keep_note(sio_namespace *nsp, const sio_event *event)
{
    size_t count = sio_attachment_count(event);
    struct note *note = calloc(1, sizeof *note + count * sizeof(sio_str));
    cJSON *list = cJSON_CreateArray();

    if (!note)
        abort();
    for (size_t i = 0; i < sio_arg_count(event); i++)
        cJSON_AddItemToArray(list, arg_item(event, i));
    note->nsp = nsp;
    note->text = cJSON_PrintUnformatted(list);
    for (; note->count < count; note->count++) {
        sio_str *to = &note->attachments[note->count];
        const void *from = NULL;
        char *copy;

        sio_attachment(event, note->count, &from, &to->n);
        copy = malloc(to->n + 1);
        if (!copy)
            abort();
        memcpy(copy, from, to->n);
        to->p = copy;
    }
    note->next = notes;
    notes = note;
    cJSON_Delete(list);
}

static void on_note(sio_namespace *nsp, sio_event *event, void *user)
{
    const char *how = arg_text(event, 0);

    (void)user;
    keep_note(nsp, event);
    if (!how || !sio_wants_ack(event))
        return;
    if (strcmp(how, "reply") == 0)
        sio_ack(event, sio_arg(event, 1));
    else if (strcmp(how, "twice") == 0)
        sio_ack(event, sio_arg(event, 1), sio_string("more"));
    else if (strcmp(how, "nothing") == 0)
        sio_ack(event);
}

/* Those of the namespace, the first one first; binary in one of them only. */
static void call_seen(const cJSON *spec, sio_event *event)
{
    sio_namespace *nsp = namespace_of(spec);
    struct note **at = &notes, *seen = NULL, *binary = NULL;
    cJSON *list = cJSON_CreateArray();
    char *text;

    while (*at) {
        struct note *note = *at;

        if (note->nsp != nsp) {
            at = &note->next;
            continue;
        }
        *at = note->next;
        note->next = seen;
        seen = note;
        if (note->count)
            binary = note;
    }
    for (struct note *note = seen; note; note = note->next)
        cJSON_AddItemToArray(list, cJSON_CreateRaw(note->text));
    text = cJSON_PrintUnformatted(list);
    sio_ack(event, sio_null(),
            sio_raw_json_binary(text, strlen(text),
                                binary ? binary->attachments : NULL,
                                binary ? binary->count : 0));
    while (seen) {
        struct note *next = seen->next;

        free_note(seen);
        seen = next;
    }
    cJSON_free(text);
    cJSON_Delete(list);
}

/* -------------------------------------------------------------------- calls */

static void on_call(sio_socket *socket, sio_event *event, void *user)
{
    static const struct {
        const char *op;
        void (*run)(const cJSON *spec, sio_event *event);
    } ops[] = {
        { "emit", call_emit },
        { "ask", call_ask },
        { "join", call_join },
        { "leave", call_leave },
        { "disconnect", call_disconnect },
        { "fetch", call_fetch },
        { "notify", call_notify },
        { "notify-ask", call_notify_ask },
        { "seen", call_seen },
    };
    const cJSON *spec;
    const char *op;

    (void)socket, (void)user;
    if (sio_arg_json(event, 0, &spec) != SIO_OK || !sio_wants_ack(event))
        return;
    op = text_of(spec, "op");
    for (size_t i = 0; op && i < sizeof ops / sizeof *ops; i++)
        if (strcmp(ops[i].op, op) == 0) {
            ops[i].run(spec, event);
            return;
        }
    sio_ack(event, sio_string("there is no such call"));
}

int contract_cluster(sio_server *server, sio_namespace *watch)
{
    static const char *const told[] = { "/", "/watch", "/admin" };
    int r = sio_on(watch, "call", on_call, NULL);

    the_server = server;
    for (size_t i = 0; r == SIO_OK && i < sizeof told / sizeof *told; i++)
        r = sio_on_server_event(sio_of(server, told[i]), "note", on_note, NULL);
    return r;
}

void contract_cluster_end(void)
{
    while (notes) {
        struct note *next = notes->next;

        free_note(notes);
        notes = next;
    }
}
