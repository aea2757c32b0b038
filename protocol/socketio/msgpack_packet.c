/*
 * msgpack_packet.c -- see msgpack_packet.h. Keys are written in the order in
 * which Node writes them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/msgpack_packet.h"

#include "protocol/socketio/json.h"

/* -------------------------------------------------------------- decoding -- */

/* The members that count, as slices; n 0: absent, or undefined. Of a key that
 * comes twice the last one counts, as in JavaScript. */
struct members {
    sio_str type, nsp, id, data;
};

static sio_str *member_named(struct members *m, const struct mp_item *key)
{
    if (key->kind != MP_STRING)
        return NULL;
    if (str_eq(key->bytes, STR("type")))
        return &m->type;
    if (str_eq(key->bytes, STR("nsp")))
        return &m->nsp;
    if (str_eq(key->bytes, STR("id")))
        return &m->id;
    return str_eq(key->bytes, STR("data")) ? &m->data : NULL;
}

/* Behind the value of a member, NULL when there is none. The arguments are cut
 * on the way. */
static const char *read_member(const char *p, const char *end,
                               uint32_t max_depth, bool data,
                               struct sp_packet *out)
{
    struct mp_item head;

    if (data)
        out->argc = 0;
    if (data && mp_read(p, end, &head) && head.kind == MP_ARRAY)
        return mp_cut(p, end, max_depth, out->argv, SP_ARGS, &out->argc);
    return mp_skip(p, end, max_depth);
}

static bool read_members(sio_str message, uint32_t max_depth, struct members *m,
                         struct sp_packet *out)
{
    const char *end = message.p + message.n, *p, *value;
    struct mp_item map, key;

    p = mp_read(message.p, end, &map);
    if (!p || map.kind != MP_MAP)
        return false;
    for (uint32_t i = 0; i < map.count; i++) {
        value = mp_skip(p, end, 0);
        if (!value)
            return false;
        mp_read(p, end, &key);
        sio_str *member = member_named(m, &key);

        p = read_member(value, end, max_depth, member == &m->data, out);
        if (!p)
            return false;
        if (member)
            *member = (sio_str){ value, (size_t)(p - value) };
    }
    return p == end;
}

/* Node's Number.isInteger(), within [0, max]. */
static bool read_integer(sio_str value, int64_t max, int64_t *out)
{
    struct mp_item item;

    if (!value.n || !mp_read(value.p, value.p + value.n, &item) ||
        item.kind != MP_INT || item.integer < 0 || item.integer > max)
        return false;
    *out = item.integer;
    return true;
}

static enum sp_error read_id(sio_str value, struct sp_packet *out)
{
    out->id = SP_NO_ID;
    if (!value.n || mp_kind(value) == MP_UNDEFINED)
        return SP_E_OK;
    return read_integer(value, SP_MAX_ID, &out->id) ? SP_E_OK : SP_E_ID;
}

static bool is_event_name(sio_str value)
{
    struct mp_item name;

    mp_read(value.p, value.p + value.n, &name);
    if (name.kind == MP_STRING)
        return !sp_reserved_event(name.bytes);
    return name.kind == MP_INT || name.kind == MP_NUMBER;
}

static enum sp_error check_payload(const struct sp_packet *out)
{
    const enum mp_kind kind = mp_kind(out->json);
    bool ok;

    switch (out->type) {
    case SP_CONNECT:
        ok = !out->json.n || kind == MP_MAP;
        break;
    case SP_DISCONNECT:
        ok = !out->json.n;
        break;
    case SP_CONNECT_ERROR:
        ok = kind == MP_STRING || kind == MP_MAP;
        break;
    case SP_EVENT:
        ok = kind == MP_ARRAY && out->argc && is_event_name(out->argv[0]);
        break;
    default:
        ok = kind == MP_ARRAY;
    }
    return ok ? SP_E_OK : SP_E_PAYLOAD;
}

enum sp_error mp_decode(uint8_t *message, size_t n,
                        const struct sp_limits *limits, struct sp_packet *out)
{
    const sio_str text = { (const char *)message, n };
    struct members m = { .type = { NULL, 0 } };
    struct mp_item nsp;
    int64_t type;

    out->argc = 0;
    if (!read_members(text, limits->max_depth, &m, out)) {
        mp_mend(message, n); /* was it for a string only? */
        m = (struct members){ .type = { NULL, 0 } };
        if (!read_members(text, limits->max_depth, &m, out))
            return SP_E_MSGPACK;
    }
    if (!read_integer(m.type, SP_CONNECT_ERROR, &type))
        return SP_E_TYPE;
    out->type = (enum sp_type)type;
    out->attachments = 0;
    if (mp_kind(m.nsp) != MP_STRING)
        return SP_E_NSP;
    mp_read(m.nsp.p, m.nsp.p + m.nsp.n, &nsp);
    out->nsp = nsp.bytes;
    out->json = mp_kind(m.data) == MP_UNDEFINED ? (sio_str){ NULL, 0 } : m.data;
    if (check_payload(out) != SP_E_OK)
        return SP_E_PAYLOAD;
    return read_id(m.id, out);
}

/* -------------------------------------------------------------- encoding -- */

static int append_tree(struct grow *out, const struct cJSON *tree)
{
    struct grow text;
    int r;

    grow_init(&text, out->max);
    r = json_tree_append(&text, tree);
    if (r == SIO_OK)
        r = mp_append_json(out, grow_str(&text), NULL, 0);
    grow_free(&text);
    return r;
}

static int append_raw_json(struct grow *out, const sio_value *v)
{
    size_t ignored = 0;
    int r = sp_count_binaries(v, &ignored);

    return r < 0 ? r
                 : mp_append_json(out, (sio_str){ v->data, v->size },
                                  v->attachments, v->attachment_count);
}

int mp_append_value(struct grow *out, const sio_value *v)
{
    const sio_str bytes = { v->data, v->size };

    switch (v->kind) {
    case SIO_NULL:
        return mp_append_nil(out);
    case SIO_BOOL:
        return mp_append_bool(out, v->boolean);
    case SIO_INT:
        return mp_append_integer(out, v->integer);
    case SIO_NUMBER:
        return mp_append_number(out, v->number);
    case SIO_STRING:
        return mp_append_string(out, bytes);
    case SIO_BINARY:
        return mp_append_binary(out, bytes);
    case SIO_JSON:
        return append_tree(out, v->data);
    case SIO_RAW_JSON:
        return append_raw_json(out, v);
    case SIO_RAW_MSGPACK:
        if (!v->trusted && !mp_check(bytes, MP_DEPTH_LIMIT))
            return SIO_E_INVAL;
        return grow_append(out, bytes.p, bytes.n);
    }
    return SIO_E_INVAL;
}

static int append_key(struct grow *out, sio_str key)
{
    return mp_append_string(out, key);
}

static int append_id(struct grow *out, int64_t id)
{
    int r = append_key(out, STR("id"));

    return r == SIO_OK ? mp_append_integer(out, id) : r;
}

static int append_type(struct grow *out, enum sp_type type)
{
    int r = append_key(out, STR("type"));

    return r == SIO_OK ? mp_append_integer(out, type) : r;
}

static int append_nsp(struct grow *out, sio_str nsp)
{
    int r = append_key(out, STR("nsp"));

    return r == SIO_OK ? mp_append_string(out, nsp) : r;
}

static int append_data(struct grow *out, const struct sp_message *m)
{
    const bool event = m->type == SP_EVENT, extra = m->extra.p;
    int r = append_key(out, STR("data"));

    if (r == SIO_OK)
        r = mp_append_array(out, event + m->count + extra);
    if (r == SIO_OK && event)
        r = mp_append_string(out, m->event);
    for (size_t i = 0; r == SIO_OK && i < m->count; i++)
        r = mp_append_value(out, &m->values[i]);
    if (r == SIO_OK && extra)
        r = mp_append_string(out, m->extra);
    return r;
}

int mp_encode(struct grow *out, const struct sp_message *m)
{
    const size_t before = out->len;
    const bool id = m->id != SP_NO_ID, ack = m->type == SP_ACK;
    int r = mp_append_map(out, id ? 4 : 3);

    if (r == SIO_OK && id && ack)
        r = append_id(out, m->id);
    if (r == SIO_OK)
        r = append_type(out, m->type);
    if (r == SIO_OK)
        r = append_data(out, m);
    if (r == SIO_OK && id && !ack)
        r = append_id(out, m->id);
    if (r == SIO_OK)
        r = append_nsp(out, m->nsp);
    if (r != SIO_OK)
        out->len = before;
    return r;
}

int mp_encode_plain(struct grow *out, enum sp_type type, sio_str nsp,
                    const sio_value *payload)
{
    const size_t before = out->len;
    int r = mp_append_map(out, payload ? 3 : 2);

    if (r == SIO_OK)
        r = append_type(out, type);
    if (r == SIO_OK && payload) {
        r = append_key(out, STR("data"));
        if (r == SIO_OK)
            r = mp_append_value(out, payload);
    }
    if (r == SIO_OK)
        r = append_nsp(out, nsp);
    if (r != SIO_OK)
        out->len = before;
    return r;
}
