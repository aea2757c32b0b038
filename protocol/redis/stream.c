/*
 * stream.c -- see stream.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/redis/stream.h"

#include "protocol/base/base64.h"
#include "protocol/base/utf8.h"
#include "protocol/redis/cluster.h"
#include "protocol/redis/read.h"

#include <stdio.h>

/* ----------------------------------------------------------------- base64 --
 */

static enum pr_error read_base64(struct arena *a, sio_str text,
                                 struct pr_value *out)
{
    char *bytes = arena_alloc(a, BASE64_MAX_BYTES(text.n));

    if (!bytes)
        return PR_E_NOMEM;
    return pr_read_msgpack(
        a, (sio_str){ bytes, base64_decode(bytes, text.p, text.n) }, out);
}

static int append_base64(struct grow *out, const struct grow *bytes)
{
    int r = bytes->len > SIZE_MAX / 2
                ? SIO_E_LIMIT
                : grow_reserve(out, BASE64_LEN(bytes->len));

    if (r == SIO_OK)
        out->len += base64_encode((char *)out->data + out->len, bytes->data,
                                  bytes->len);
    return r;
}

/* ---------------------------------------------------------------- entries --
 */

static bool read_type(sio_str text, struct pr_message *out)
{
    unsigned type = 0;

    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || type > PR_CLOSE)
            return false;
        type = type * 10 + (unsigned)(text.p[i] - '0');
    }
    if (type == 0 || type > PR_CLOSE)
        return false;
    out->type = (enum pr_type)type;
    return true;
}

enum pr_error pr_entry_decode(struct arena *a, const sio_str *fields,
                              size_t count, struct pr_message *out)
{
    struct pr_value value = { { NULL, 0 }, false };
    sio_str type = { NULL, 0 }, data = type, nsp;
    enum pr_error e = PR_E_OK;

    *out = (struct pr_message){ .uid = { NULL, 0 } };
    for (size_t i = 0; i + 1 < count; i += 2) {
        if (str_eq(fields[i], STR("uid")))
            out->uid = fields[i + 1];
        else if (str_eq(fields[i], STR("nsp")))
            out->nsp = fields[i + 1];
        else if (str_eq(fields[i], STR("type")))
            type = fields[i + 1];
        else if (str_eq(fields[i], STR("data")))
            data = fields[i + 1];
    }
    if (out->nsp.n == 0 || !utf8_valid(out->nsp.p, out->nsp.n) ||
        !utf8_valid(out->uid.p, out->uid.n))
        return PR_E_UID;
    if (!read_type(type, out))
        return PR_E_TYPE;
    if (pr_has_data(out->type))
        e = data.n && data.p[0] == '{' ? pr_read_json(data, &value)
                                       : read_base64(a, data, &value);
    return e == PR_E_OK ? pr_read_data(a, value, out, &nsp) : e;
}

static int append_msgpack_data(struct grow *out, const struct pr_message *m)
{
    struct pr_writer w;
    struct grow bytes;
    int r;

    grow_init(&bytes, out->max);
    pr_write_init(&w, &bytes, true);
    pr_write_data(&w, m);
    r = w.error == SIO_OK ? append_base64(out, &bytes) : w.error;
    grow_free(&bytes);
    return r;
}

static int append_data(struct grow *out, const struct pr_message *m, bool plain)
{
    const size_t before = out->len;
    bool msgpack = false;
    struct pr_writer w;
    int r = plain ? SIO_OK : pr_needs_msgpack(m, &msgpack);

    if (r != SIO_OK)
        return r;
    if (msgpack)
        return append_msgpack_data(out, m);
    pr_write_init(&w, out, false);
    pr_write_data(&w, m);
    if (w.error != SIO_OK)
        out->len = before;
    return w.error;
}

static void add_field(struct pr_entry *entry, sio_str name, sio_str value)
{
    entry->fields[entry->count++] = name;
    entry->fields[entry->count++] = value;
}

int pr_entry_encode(struct grow *out, const struct pr_message *m, bool plain,
                    struct pr_entry *entry)
{
    const size_t before = out->len;
    int r = m->type > PR_CLOSE ? SIO_E_INVAL : pr_check_event(m);

    if (r == SIO_OK && pr_has_data(m->type))
        r = append_data(out, m, plain);
    if (r != SIO_OK)
        return r;
    snprintf(entry->type, sizeof entry->type, "%u", (unsigned)m->type);
    entry->count = 0;
    add_field(entry, STR("uid"), m->uid);
    add_field(entry, STR("nsp"), m->nsp);
    add_field(entry, STR("type"), str_of(entry->type));
    if (pr_has_data(m->type))
        add_field(
            entry, STR("data"),
            (sio_str){ (const char *)out->data + before, out->len - before });
    return SIO_OK;
}

bool pr_entry_type(const struct pr_message *m)
{
    return (m->type == PR_BROADCAST && m->request_id.n == 0) ||
           m->type == PR_JOIN || m->type == PR_LEAVE ||
           m->type == PR_DISCONNECT;
}

/* --------------------------------------------------------------- sessions --
 */

enum pr_error pr_session_decode(struct arena *a, sio_str text,
                                struct pr_session *out)
{
    static const sio_str names[] = {
        { "sid", 3 }, { "pid", 3 }, { "rooms", 5 }, { "data", 4 }
    };
    struct pr_value session, members[4];
    enum pr_error e = read_base64(a, text, &session);

    *out = (struct pr_session){ .sid = { NULL, 0 } };
    if (e != PR_E_OK)
        return e;
    pr_members(session, names, members, 4);
    if (pr_kind(members[0]) != PR_STRING || pr_kind(members[1]) != PR_STRING)
        return PR_E_SHAPE;
    e = pr_text(a, members[0], &out->sid);
    if (e == PR_E_OK)
        e = pr_text(a, members[1], &out->pid);
    if (e == PR_E_OK)
        e = pr_read_names(a, members[2], &out->rooms);
    if (pr_kind(members[3]) != PR_ABSENT && pr_kind(members[3]) != PR_NULL)
        out->data = pr_passed(members[3]);
    return e;
}

int pr_session_encode(struct grow *out, const struct pr_session *s)
{
    struct pr_writer w;
    struct grow bytes;
    int r;

    grow_init(&bytes, out->max);
    pr_write_init(&w, &bytes, true);
    pr_open_map(&w, 4);
    pr_write_key(&w, "sid");
    pr_write_string(&w, s->sid);
    pr_write_key(&w, "pid");
    pr_write_string(&w, s->pid);
    pr_write_key(&w, "rooms");
    pr_write_names(&w, &s->rooms);
    pr_write_key(&w, "data");
    if (s->data.kind == SIO_NULL)
        pr_open_map(&w, 0);
    else
        pr_write_value(&w, &s->data);
    r = w.error == SIO_OK ? append_base64(out, &bytes) : w.error;
    grow_free(&bytes);
    return r;
}

/* ---------------------------------------------------------------- offsets --
 */

/* 64 bits in decimal digits at the front of *s. */
static bool take_number(sio_str *s, uint64_t *out)
{
    size_t n = 0;

    *out = 0;
    for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
        const uint64_t digit = (uint64_t)(s->p[n] - '0');

        if (*out > (UINT64_MAX - digit) / 10)
            return false;
        *out = *out * 10 + digit;
    }
    *s = (sio_str){ s->p + n, s->n - n };
    return n > 0;
}

bool pr_offset_read(sio_str offset, struct pr_offset *out)
{
    if (!take_number(&offset, &out->ms) || offset.n == 0 || offset.p[0] != '-')
        return false;
    offset = (sio_str){ offset.p + 1, offset.n - 1 };
    return take_number(&offset, &out->sequence) && offset.n == 0;
}

bool pr_offset_valid(sio_str offset)
{
    struct pr_offset o;

    return pr_offset_read(offset, &o);
}

int pr_offset_compare(struct pr_offset a, struct pr_offset b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return a.sequence < b.sequence ? -1 : a.sequence > b.sequence;
}

int pr_offset_next(struct grow *out, sio_str offset)
{
    struct pr_offset o;
    char text[48];

    if (!pr_offset_read(offset, &o))
        return SIO_E_INVAL;
    if (o.sequence < UINT64_MAX) {
        o.sequence++;
    } else if (o.ms < UINT64_MAX) {
        o.sequence = 0;
        o.ms++;
    }
    return grow_append(out, text,
                       (size_t)snprintf(text, sizeof text, "%llu-%llu",
                                        (unsigned long long)o.ms,
                                        (unsigned long long)o.sequence));
}
