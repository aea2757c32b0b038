/*
 * cluster.c -- see cluster.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/redis/cluster.h"

#include "protocol/redis/read.h"

/* ---------------------------------------------------------------- reading --
 */

/* The members that `data` may have. */
enum { PACKET, OPTS, REQUEST_ID, ROOMS, CLOSE, SOCKETS, COUNT_, NMEMBERS };

static const sio_str names[NMEMBERS] = {
    [PACKET] = { "packet", 6 },        [OPTS] = { "opts", 4 },
    [REQUEST_ID] = { "requestId", 9 }, [ROOMS] = { "rooms", 5 },
    [CLOSE] = { "close", 5 },          [SOCKETS] = { "sockets", 7 },
    [COUNT_] = { "clientCount", 11 },
};

bool pr_has_data(enum pr_type type)
{
    return type != PR_INITIAL_HEARTBEAT && type != PR_HEARTBEAT &&
           type != PR_CLOSE;
}

static bool has_options(enum pr_type type)
{
    return type == PR_BROADCAST || type == PR_JOIN || type == PR_LEAVE ||
           type == PR_DISCONNECT || type == PR_FETCH;
}

static bool needs_request(enum pr_type type)
{
    return type == PR_FETCH || type == PR_FETCH_REPLY ||
           type == PR_EMIT_REPLY || type == PR_CLIENT_COUNT || type == PR_ACK;
}

static enum pr_error read_own(struct arena *a, const struct pr_value *members,
                              struct pr_message *out, sio_str *nsp)
{
    switch (out->type) {
    case PR_BROADCAST:
        return pr_read_packet(a, members[PACKET], out, nsp);
    case PR_JOIN:
    case PR_LEAVE:
        return pr_read_names(a, members[ROOMS], &out->names);
    case PR_DISCONNECT:
        out->close = pr_is_true(members[CLOSE]);
        return PR_E_OK;
    case PR_FETCH_REPLY:
        return pr_read_sockets(a, members[SOCKETS], out);
    case PR_EMIT:
        return pr_read_emit(a, members[PACKET], out);
    case PR_CLIENT_COUNT:
        return pr_read_count(members[COUNT_], out);
    case PR_EMIT_REPLY:
    case PR_ACK:
        return pr_read_answer(a, members[PACKET], out);
    default:
        return PR_E_OK;
    }
}

enum pr_error pr_read_data(struct arena *a, struct pr_value data,
                           struct pr_message *out, sio_str *nsp)
{
    struct pr_value members[NMEMBERS];
    enum pr_error e;

    *nsp = (sio_str){ NULL, 0 };
    if (!pr_has_data(out->type))
        return PR_E_OK;
    if (pr_kind(data) != PR_MAP)
        return PR_E_SHAPE;
    pr_members(data, names, members, NMEMBERS);
    e = pr_read_request(a, members[REQUEST_ID], out);
    if (e == PR_E_OK && needs_request(out->type) && out->request_id.n == 0)
        e = PR_E_REQUEST;
    if (e == PR_E_OK && has_options(out->type))
        e = pr_read_options(a, members[OPTS], out);
    return e == PR_E_OK ? read_own(a, members, out, nsp) : e;
}

static enum pr_error read_envelope(struct arena *a, struct pr_value message,
                                   struct pr_message *out)
{
    static const sio_str keys[] = {
        { "type", 4 }, { "data", 4 }, { "uid", 3 }, { "nsp", 3 }
    };
    struct pr_value members[4];
    enum pr_error e;
    int64_t type;
    sio_str nsp;

    if (pr_kind(message) != PR_MAP)
        return PR_E_SHAPE;
    pr_members(message, keys, members, 4);
    if (!pr_integer(members[0], &type) || type == 0 || type > PR_CLOSE)
        return PR_E_TYPE;
    out->type = (enum pr_type)type;
    e = pr_read_name(a, members[2], &out->uid);
    if (e == PR_E_OK)
        e = pr_read_name(a, members[3], &out->nsp);
    if (e == PR_E_OK)
        e = pr_read_data(a, members[1], out, &nsp);
    if (e == PR_E_OK && out->nsp.n == 0)
        out->nsp = nsp;
    return e;
}

enum pr_error pr_cluster_decode(struct arena *a, sio_str bytes,
                                enum pr_form form, struct pr_message *out)
{
    struct pr_value message;
    enum pr_error e = form == PR_MSGPACK ? pr_read_msgpack(a, bytes, &message)
                                         : pr_read_either(a, bytes, &message);

    *out = (struct pr_message){ .uid = { NULL, 0 } };
    return e == PR_E_OK ? read_envelope(a, message, out) : e;
}

/* ---------------------------------------------------------------- writing --
 */

static void write_request(struct pr_writer *w, const struct pr_message *m)
{
    if (m->request_id.n == 0)
        return;
    pr_write_key(w, "requestId");
    pr_write_string(w, m->request_id);
}

static void write_options(struct pr_writer *w, const struct pr_message *m)
{
    const bool middle = m->type == PR_BROADCAST && pr_is_emitter(m);

    pr_write_key(w, "opts");
    pr_write_options(w, m, middle ? PR_FLAGS_MIDDLE : PR_FLAGS_LAST);
}

/* An answer of nothing is left out by JSON.stringify, and null in
 * @msgpack/msgpack. */
static void write_answer(struct pr_writer *w, const struct pr_message *m)
{
    const sio_value nothing = { .kind = SIO_NULL };
    const bool any = m->count > 0 || w->msgpack;

    pr_open_map(w, 1 + any);
    write_request(w, m);
    if (any) {
        pr_write_key(w, "packet");
        pr_write_value(w, m->count ? m->values : &nothing);
    }
}

static void write_question(struct pr_writer *w, const struct pr_message *m)
{
    const size_t request = m->request_id.n > 0;

    switch (m->type) {
    case PR_BROADCAST:
        pr_open_map(w, 2 + request);
        pr_write_key(w, "packet");
        pr_write_packet(w, m, pr_is_emitter(m));
        write_request(w, m);
        write_options(w, m);
        break;
    case PR_EMIT:
        pr_open_map(w, 1 + request);
        write_request(w, m);
        pr_write_key(w, "packet");
        pr_write_event(w, m);
        break;
    case PR_FETCH:
        pr_open_map(w, 2);
        write_options(w, m);
        write_request(w, m);
        break;
    default: /* PR_JOIN, PR_LEAVE, PR_DISCONNECT */
        pr_open_map(w, 2);
        write_options(w, m);
        pr_write_key(w, m->type == PR_DISCONNECT ? "close" : "rooms");
        if (m->type == PR_DISCONNECT)
            pr_write_bool(w, m->close);
        else
            pr_write_names(w, &m->names);
    }
}

void pr_write_data(struct pr_writer *w, const struct pr_message *m)
{
    switch (m->type) {
    case PR_FETCH_REPLY:
        pr_open_map(w, 2);
        write_request(w, m);
        pr_write_key(w, "sockets");
        pr_write_sockets(w, m);
        break;
    case PR_CLIENT_COUNT:
        pr_open_map(w, 2);
        write_request(w, m);
        pr_write_key(w, "clientCount");
        pr_write_number(w, (double)m->client_count);
        break;
    case PR_EMIT_REPLY:
    case PR_ACK:
        write_answer(w, m);
        break;
    default:
        write_question(w, m);
    }
    pr_close_map(w);
}

int pr_needs_msgpack(const struct pr_message *m, bool *yes)
{
    *yes = false;
    switch (m->type) {
    case PR_BROADCAST:
    case PR_FETCH_REPLY:
    case PR_EMIT:
    case PR_EMIT_REPLY:
    case PR_ACK:
        return pr_has_binary(m, yes);
    default:
        return SIO_OK;
    }
}

int pr_check_event(const struct pr_message *m)
{
    if (m->type == PR_BROADCAST && sp_reserved_event(m->event))
        return SIO_E_RESERVED;
    return m->type == PR_EMIT && pr_reserved(m->event) ? SIO_E_RESERVED
                                                       : SIO_OK;
}

int pr_cluster_encode(struct grow *out, enum pr_form form,
                      const struct pr_message *m)
{
    const size_t before = out->len;
    const bool data = pr_has_data(m->type);
    bool msgpack = form == PR_MSGPACK;
    struct pr_writer w;
    int r = m->type > PR_CLOSE ? SIO_E_INVAL : pr_check_event(m);

    if (r == SIO_OK && !msgpack)
        r = pr_needs_msgpack(m, &msgpack);
    if (r != SIO_OK)
        return r;
    pr_write_init(&w, out, msgpack);
    pr_open_map(&w, 3 + data);
    pr_write_key(&w, "type");
    pr_write_number(&w, m->type);
    if (data) {
        pr_write_key(&w, "data");
        pr_write_data(&w, m);
    }
    pr_write_key(&w, "uid");
    pr_write_string(&w, m->uid);
    pr_write_key(&w, "nsp");
    pr_write_string(&w, m->nsp);
    pr_close_map(&w);
    if (w.error != SIO_OK)
        out->len = before;
    return w.error;
}

int pr_cluster_channel(struct grow *out, sio_str prefix, sio_str nsp,
                       enum pr_mode mode, const struct pr_message *m,
                       sio_str asker)
{
    if (asker.n)
        return pr_channel_named(out, prefix, nsp, asker);
    if (m->type == PR_BROADCAST && m->request_id.n == 0 &&
        m->rooms.count == 1 && pr_mode_publishes(mode, m->rooms.items[0]))
        return pr_channel_named(out, prefix, nsp, m->rooms.items[0]);
    return pr_channel_base(out, prefix, nsp);
}
