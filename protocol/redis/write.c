/*
 * write.c -- see write.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/redis/write.h"

#include "protocol/socketio/msgpack_packet.h"
#include "protocol/socketio/scan.h"

void pr_write_init(struct pr_writer *w, struct grow *out, bool msgpack)
{
    *w = (struct pr_writer){ out, msgpack, true, SIO_OK };
}

static void byte(struct pr_writer *w, char c)
{
    if (w->error == SIO_OK)
        w->error = grow_append_byte(w->out, (uint8_t)c);
}

/* JSON: what stands between two values. */
static void separate(struct pr_writer *w)
{
    if (!w->msgpack && !w->first)
        byte(w, ',');
    w->first = false;
}

static void open_json(struct pr_writer *w, char c)
{
    separate(w);
    byte(w, c);
    w->first = true;
}

static void close_json(struct pr_writer *w, char c)
{
    if (!w->msgpack)
        byte(w, c);
    w->first = false;
}

void pr_open_map(struct pr_writer *w, size_t pairs)
{
    if (!w->msgpack)
        open_json(w, '{');
    else if (w->error == SIO_OK)
        w->error = mp_append_map(w->out, pairs);
}

void pr_close_map(struct pr_writer *w)
{
    close_json(w, '}');
}

void pr_open_list(struct pr_writer *w, size_t count)
{
    if (!w->msgpack)
        open_json(w, '[');
    else if (w->error == SIO_OK)
        w->error = mp_append_array(w->out, count);
}

void pr_close_list(struct pr_writer *w)
{
    close_json(w, ']');
}

void pr_write_string(struct pr_writer *w, sio_str text)
{
    separate(w);
    if (w->error == SIO_OK)
        w->error = w->msgpack ? mp_append_string(w->out, text)
                              : json_append_string(w->out, text);
}

void pr_write_key(struct pr_writer *w, const char *key)
{
    pr_write_string(w, str_of(key));
    if (!w->msgpack) {
        byte(w, ':');
        w->first = true;
    }
}

void pr_write_bool(struct pr_writer *w, bool b)
{
    const sio_value v = { .kind = SIO_BOOL, .boolean = b };

    pr_write_value(w, &v);
}

void pr_write_number(struct pr_writer *w, double number)
{
    const sio_value v = { .kind = SIO_NUMBER, .number = number };

    pr_write_value(w, &v);
}

/* What a client that speaks MessagePack has sent may have extensions that not
 * every node knows. */
static int append_msgpack(struct grow *out, const sio_value *v)
{
    const sio_str bytes = { v->data, v->size };

    if (v->kind != SIO_RAW_MSGPACK)
        return mp_append_value(out, v);
    if (!v->trusted && !mp_check(bytes, MP_DEPTH_LIMIT))
        return SIO_E_INVAL;
    return mp_append_plain(out, bytes);
}

void pr_write_value(struct pr_writer *w, const sio_value *v)
{
    separate(w);
    if (w->error == SIO_OK)
        w->error = w->msgpack ? append_msgpack(w->out, v)
                              : sp_encode_value(w->out, NULL, v);
}

/* ------------------------------------------------------------------ parts --
 */

void pr_write_names(struct pr_writer *w, const struct pr_names *names)
{
    pr_open_list(w, names->count);
    for (size_t i = 0; w->error == SIO_OK && i < names->count; i++)
        pr_write_string(w, names->items[i]);
    pr_close_list(w);
}

static void write_flag(struct pr_writer *w, const struct pr_flags *flags,
                       enum pr_flag flag)
{
    switch (flag) {
    case PR_VOLATILE:
        pr_write_key(w, "volatile");
        pr_write_bool(w, true);
        break;
    case PR_COMPRESS:
        pr_write_key(w, "compress");
        pr_write_bool(w, flags->compress);
        break;
    case PR_TIMEOUT:
        pr_write_key(w, "timeout");
        pr_write_number(w, flags->timeout_ms);
        break;
    default:
        pr_write_key(w, "expectSingleResponse");
        pr_write_bool(w, true);
    }
}

static void write_flags(struct pr_writer *w, const struct pr_flags *flags)
{
    size_t n = 0;

    while (n < sizeof flags->order && flags->order[n])
        n++;
    pr_write_key(w, "flags");
    pr_open_map(w, n);
    for (size_t i = 0; i < n; i++)
        write_flag(w, flags, (enum pr_flag)flags->order[i]);
    pr_close_map(w);
}

void pr_write_options(struct pr_writer *w, const struct pr_message *m,
                      enum pr_order order)
{
    pr_open_map(w, order == PR_NO_FLAGS ? 2 : 3);
    pr_write_key(w, "rooms");
    pr_write_names(w, &m->rooms);
    if (order == PR_FLAGS_MIDDLE)
        write_flags(w, &m->flags);
    pr_write_key(w, "except");
    pr_write_names(w, &m->except);
    if (order == PR_FLAGS_LAST)
        write_flags(w, &m->flags);
    pr_close_map(w);
}

void pr_write_event(struct pr_writer *w, const struct pr_message *m)
{
    pr_open_list(w, 1 + m->count);
    pr_write_string(w, m->event);
    for (size_t i = 0; w->error == SIO_OK && i < m->count; i++)
        pr_write_value(w, &m->values[i]);
    pr_close_list(w);
}

void pr_write_packet(struct pr_writer *w, const struct pr_message *m, bool nsp)
{
    pr_open_map(w, nsp ? 3 : 2);
    pr_write_key(w, "type");
    pr_write_number(w, SP_EVENT);
    pr_write_key(w, "data");
    pr_write_event(w, m);
    if (nsp) {
        pr_write_key(w, "nsp");
        pr_write_string(w, m->nsp);
    }
    pr_close_map(w);
}

/* The admin UI of Node looks into `headers` without asking whether they are
 * there. */
static void write_handshake(struct pr_writer *w, const sio_value *handshake)
{
    pr_write_key(w, "handshake");
    if (handshake->kind != SIO_NULL) {
        pr_write_value(w, handshake);
        return;
    }
    pr_open_map(w, 1);
    pr_write_key(w, "headers");
    pr_open_map(w, 0);
    pr_close_map(w);
    pr_close_map(w);
}

static void write_socket(struct pr_writer *w, const struct pr_socket *s)
{
    pr_open_map(w, 4);
    pr_write_key(w, "id");
    pr_write_string(w, s->id);
    write_handshake(w, &s->handshake);
    pr_write_key(w, "rooms");
    pr_write_names(w, &s->rooms);
    pr_write_key(w, "data");
    if (s->data.kind != SIO_NULL) {
        pr_write_value(w, &s->data);
    } else {
        pr_open_map(w, 0);
        pr_close_map(w);
    }
    pr_close_map(w);
}

void pr_write_sockets(struct pr_writer *w, const struct pr_message *m)
{
    pr_open_list(w, m->socket_count);
    for (size_t i = 0; w->error == SIO_OK && i < m->socket_count; i++)
        write_socket(w, &m->sockets[i]);
    pr_close_list(w);
}

int pr_has_binary(const struct pr_message *m, bool *yes)
{
    size_t binaries = 0;
    int r = SIO_OK;

    for (size_t i = 0; r == SIO_OK && i < m->count; i++)
        r = sp_count_binaries(&m->values[i], &binaries);
    for (size_t i = 0; r == SIO_OK && i < m->socket_count; i++) {
        r = sp_count_binaries(&m->sockets[i].handshake, &binaries);
        if (r == SIO_OK)
            r = sp_count_binaries(&m->sockets[i].data, &binaries);
    }
    *yes = binaries > 0;
    return r;
}
