/*
 * classic.c -- see classic.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/redis/classic.h"

#include "protocol/redis/cluster.h"
#include "protocol/redis/read.h"
#include "protocol/redis/write.h"

/* The adapter's own numbers; not those of enum pr_type. */
/* clang-format off */
static const struct { uint8_t type, number; } numbers[] = {
    { PR_SOCKETS,      0 },
    { PR_ROOMS,        1 },
    { PR_JOIN,         2 },
    { PR_LEAVE,        3 },
    { PR_DISCONNECT,   4 },
    { PR_FETCH,        5 },
    { PR_EMIT,         6 },
    { PR_BROADCAST,    7 },
    { PR_EMIT_REPLY,   6 },
    { PR_CLIENT_COUNT, 8 },
    { PR_ACK,          9 },
};
/* clang-format on */
#define REQUESTS 8 /* so many of them are requests */

static double number_of(enum pr_type type)
{
    size_t i = 0;

    while (numbers[i].type != type)
        i++;
    return numbers[i].number;
}

/* ---------------------------------------------------------------- reading --
 */

static enum pr_error read_broadcast(struct arena *a, sio_str bytes,
                                    struct pr_message *out)
{
    struct pr_value message, item[3];
    enum pr_error e;
    size_t pos = 0;

    e = pr_read_msgpack(a, bytes, &message);
    if (e != PR_E_OK)
        return e;
    for (size_t i = 0; i < 3; i++)
        if (!pr_next(message, &pos, &item[i]))
            return i == 2 ? PR_E_OPTIONS : PR_E_SHAPE;
    out->type = PR_BROADCAST;
    e = pr_read_name(a, item[0], &out->uid);
    if (e == PR_E_OK)
        e = pr_read_packet(a, item[1], out, &out->nsp);
    if (e == PR_E_OK && out->nsp.n == 0)
        out->nsp = STR("/");
    return e == PR_E_OK ? pr_read_options(a, item[2], out) : e;
}

/* The members that requests and responses may have. */
enum {
    UID,
    REQUEST_ID,
    TYPE,
    OPTS,
    ROOMS,
    CLOSE,
    DATA,
    PACKET,
    SID,
    ROOM,
    SOCKETS,
    COUNT_,
    NMEMBERS
};

static const sio_str names[NMEMBERS] = {
    [UID] = { "uid", 3 },         [REQUEST_ID] = { "requestId", 9 },
    [TYPE] = { "type", 4 },       [OPTS] = { "opts", 4 },
    [ROOMS] = { "rooms", 5 },     [CLOSE] = { "close", 5 },
    [DATA] = { "data", 4 },       [PACKET] = { "packet", 6 },
    [SID] = { "sid", 3 },         [ROOM] = { "room", 4 },
    [SOCKETS] = { "sockets", 7 }, [COUNT_] = { "clientCount", 11 },
};

/* What older adapters ask for: one socket, by its id. */
static enum pr_error read_by_sid(struct arena *a,
                                 const struct pr_value *members,
                                 struct pr_message *out)
{
    sio_str *room = arena_alloc(a, sizeof *room);
    enum pr_error e;

    if (!room)
        return PR_E_NOMEM;
    if (pr_kind(members[SID]) != PR_STRING)
        return PR_E_OPTIONS;
    if (out->request_id.n == 0)
        return PR_E_REQUEST;
    e = pr_text(a, members[SID], &out->sid);
    if (e == PR_E_OK && out->type != PR_DISCONNECT) {
        e = pr_text(a, members[ROOM], room);
        out->names = (struct pr_names){ room, 1 };
    }
    return e == PR_E_SHAPE ? PR_E_ROOMS : e;
}

/* PR_JOIN, PR_LEAVE, PR_DISCONNECT */
static enum pr_error read_change(struct arena *a,
                                 const struct pr_value *members,
                                 struct pr_message *out)
{
    const enum pr_kind kind = pr_kind(members[OPTS]);
    enum pr_error e;

    out->close = out->type == PR_DISCONNECT && pr_is_true(members[CLOSE]);
    if (kind == PR_ABSENT || kind == PR_NULL)
        return read_by_sid(a, members, out);
    e = pr_read_options(a, members[OPTS], out);
    if (e == PR_E_OK && out->type != PR_DISCONNECT)
        e = pr_read_names(a, members[ROOMS], &out->names);
    return e;
}

static enum pr_error read_with_answers(struct arena *a,
                                       const struct pr_value *members,
                                       struct pr_message *out)
{
    enum pr_error e = pr_read_packet(a, members[PACKET], out, &out->nsp);

    if (e == PR_E_OK && out->nsp.n == 0)
        out->nsp = STR("/");
    return e == PR_E_OK ? pr_read_options(a, members[OPTS], out) : e;
}

static bool is_question(enum pr_type type)
{
    return type == PR_SOCKETS || type == PR_ROOMS || type == PR_FETCH ||
           type == PR_BROADCAST;
}

static enum pr_error read_request(struct arena *a,
                                  const struct pr_value *members,
                                  struct pr_message *out)
{
    int64_t type;

    if (!pr_integer(members[TYPE], &type) || type >= REQUESTS)
        return PR_E_TYPE;
    out->type = (enum pr_type)numbers[type].type;
    if (is_question(out->type) && out->request_id.n == 0)
        return PR_E_REQUEST;
    switch (out->type) {
    case PR_SOCKETS:
        return pr_read_names(a, members[ROOMS], &out->rooms);
    case PR_ROOMS:
        return PR_E_OK;
    case PR_FETCH:
        return pr_read_options(a, members[OPTS], out);
    case PR_EMIT:
        return pr_read_emit(a, members[DATA], out);
    case PR_BROADCAST:
        return read_with_answers(a, members, out);
    default:
        return read_change(a, members, out);
    }
}

/* Objects, or the ids alone. */
static enum pr_error read_found(struct arena *a, struct pr_value sockets,
                                struct pr_message *out)
{
    struct pr_value first;
    size_t pos = 0;

    if (pr_next(sockets, &pos, &first) && pr_kind(first) == PR_STRING) {
        out->type = PR_SOCKETS_REPLY;
        return pr_read_names(a, sockets, &out->names);
    }
    out->type = PR_FETCH_REPLY;
    return pr_read_sockets(a, sockets, out);
}

static enum pr_error read_response(struct arena *a,
                                   const struct pr_value *members,
                                   struct pr_message *out)
{
    int64_t type;

    if (out->request_id.n == 0)
        return PR_E_REQUEST;
    if (!pr_integer(members[TYPE], &type))
        type = 0;
    if (type == 6) {
        out->type = PR_EMIT_REPLY;
        return pr_read_answer(a, members[DATA], out);
    }
    if (type == 8) {
        out->type = PR_CLIENT_COUNT;
        return pr_read_count(members[COUNT_], out);
    }
    if (type == 9) {
        out->type = PR_ACK;
        return pr_read_answer(a, members[PACKET], out);
    }
    if (pr_kind(members[SOCKETS]) == PR_LIST)
        return read_found(a, members[SOCKETS], out);
    out->type = pr_kind(members[ROOMS]) == PR_LIST ? PR_ROOMS_REPLY : PR_DONE;
    return out->type == PR_DONE ? PR_E_OK
                                : pr_read_names(a, members[ROOMS], &out->names);
}

enum pr_error pr_classic_decode(struct arena *a, enum pr_place place,
                                sio_str bytes, struct pr_message *out)
{
    struct pr_value message, members[NMEMBERS];
    enum pr_error e;

    *out = (struct pr_message){ .uid = { NULL, 0 } };
    if (place == PR_BASE || place == PR_NAMED)
        return read_broadcast(a, bytes, out);
    e = pr_read_either(a, bytes, &message);
    if (e != PR_E_OK)
        return e;
    if (pr_kind(message) != PR_MAP)
        return PR_E_SHAPE;
    pr_members(message, names, members, NMEMBERS);
    e = pr_read_name(a, members[UID], &out->uid);
    if (e == PR_E_OK)
        e = pr_read_request(a, members[REQUEST_ID], out);
    if (e != PR_E_OK)
        return e;
    return place == PR_REQUEST ? read_request(a, members, out)
                               : read_response(a, members, out);
}

/* ---------------------------------------------------------------- writing --
 */

static void write_string(struct pr_writer *w, const char *key, sio_str text)
{
    pr_write_key(w, key);
    pr_write_string(w, text);
}

static void write_type(struct pr_writer *w, enum pr_type type)
{
    pr_write_key(w, "type");
    pr_write_number(w, number_of(type));
}

/* The head of requests. Emitters have no uid but for PR_EMIT. */
static void write_head(struct pr_writer *w, const struct pr_message *m)
{
    const bool change =
        m->type == PR_JOIN || m->type == PR_LEAVE || m->type == PR_DISCONNECT;

    if (m->type == PR_BROADCAST || (m->uid.n && !(change && pr_is_emitter(m))))
        write_string(w, "uid", m->uid);
    if (m->request_id.n && !change)
        write_string(w, "requestId", m->request_id);
    write_type(w, m->type);
}

static void write_broadcast(struct pr_writer *w, const struct pr_message *m)
{
    const bool answers = m->request_id.n > 0;

    if (answers) {
        pr_open_map(w, 5);
        write_head(w, m);
        pr_write_key(w, "packet");
    } else {
        pr_open_list(w, 3);
        pr_write_string(w, m->uid);
    }
    pr_write_packet(w, m, true);
    if (answers)
        pr_write_key(w, "opts");
    pr_write_options(w, m, pr_is_emitter(m) ? PR_FLAGS_MIDDLE : PR_FLAGS_LAST);
}

/* JSON, which does not ask how many members follow. */
static void write_request(struct pr_writer *w, const struct pr_message *m)
{
    pr_open_map(w, 0);
    write_head(w, m);
    switch (m->type) {
    case PR_SOCKETS:
        pr_write_key(w, "rooms");
        pr_write_names(w, &m->rooms);
        break;
    case PR_EMIT:
        pr_write_key(w, "data");
        pr_write_event(w, m);
        break;
    case PR_ROOMS:
        break;
    default:
        pr_write_key(w, "opts");
        pr_write_options(w, m, PR_NO_FLAGS);
    }
    if (m->type == PR_JOIN || m->type == PR_LEAVE) {
        pr_write_key(w, "rooms");
        pr_write_names(w, &m->names);
    } else if (m->type == PR_DISCONNECT) {
        pr_write_key(w, "close");
        pr_write_bool(w, m->close);
    }
    pr_close_map(w);
}

/* JSON as well. */
static void write_found(struct pr_writer *w, const struct pr_message *m)
{
    pr_open_map(w, 0);
    write_string(w, "requestId", m->request_id);
    if (m->type != PR_DONE)
        pr_write_key(w, m->type == PR_ROOMS_REPLY ? "rooms" : "sockets");
    if (m->type == PR_FETCH_REPLY)
        pr_write_sockets(w, m);
    else if (m->type != PR_DONE)
        pr_write_names(w, &m->names);
    pr_close_map(w);
}

/* PR_EMIT_REPLY, PR_CLIENT_COUNT, PR_ACK */
static void write_answer(struct pr_writer *w, const struct pr_message *m)
{
    pr_open_map(w, 2 + (m->count > 0));
    write_type(w, m->type);
    write_string(w, "requestId", m->request_id);
    if (m->type == PR_CLIENT_COUNT) {
        pr_write_key(w, "clientCount");
        pr_write_number(w, (double)m->client_count);
    } else if (m->count > 0) {
        pr_write_key(w, m->type == PR_ACK ? "packet" : "data");
        pr_write_value(w, m->values);
    }
    pr_close_map(w);
}

int pr_classic_encode(struct grow *out, const struct pr_message *m)
{
    const size_t before = out->len;
    struct pr_writer w;
    int r = pr_check_event(m);

    if (r != SIO_OK)
        return r;
    pr_write_init(&w, out, m->type == PR_BROADCAST || m->type == PR_ACK);
    switch (m->type) {
    case PR_INITIAL_HEARTBEAT:
    case PR_HEARTBEAT:
    case PR_CLOSE:
        return SIO_E_INVAL;
    case PR_BROADCAST:
        write_broadcast(&w, m);
        break;
    case PR_EMIT_REPLY:
    case PR_CLIENT_COUNT:
    case PR_ACK:
        write_answer(&w, m);
        break;
    case PR_FETCH_REPLY:
    case PR_SOCKETS_REPLY:
    case PR_ROOMS_REPLY:
    case PR_DONE:
        write_found(&w, m);
        break;
    default:
        write_request(&w, m);
    }
    if (w.error != SIO_OK)
        out->len = before;
    return w.error;
}

int pr_classic_channel(struct grow *out, sio_str prefix, sio_str nsp,
                       const struct pr_message *m, sio_str asker)
{
    switch (m->type) {
    case PR_EMIT_REPLY: /* never on an own channel, as in Node */
        return pr_channel_response(out, prefix, nsp, STR(""));
    case PR_FETCH_REPLY:
    case PR_SOCKETS_REPLY:
    case PR_ROOMS_REPLY:
    case PR_CLIENT_COUNT:
    case PR_ACK:
    case PR_DONE:
        return pr_channel_response(out, prefix, nsp, asker);
    case PR_BROADCAST:
        if (m->request_id.n)
            return pr_channel_request(out, prefix, nsp);
        return m->rooms.count == 1
                   ? pr_channel_named(out, prefix, nsp, m->rooms.items[0])
                   : pr_channel_base(out, prefix, nsp);
    default:
        return pr_channel_request(out, prefix, nsp);
    }
}
