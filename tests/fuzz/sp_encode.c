/*
 * sp_encode.c -- the input chooses values of every kind; the packet made of
 * them must be readable, with each value where it was put. Refused are only
 * values that are not valid.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/utf8.h"
#include "protocol/socketio/encode.h"
#include "protocol/socketio/json.h"
#include "protocol/socketio/msgpack.h"
#include "protocol/socketio/scan.h"

#include <stdlib.h>

#define VALUES 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *p;
    size_t n;
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static uint8_t take_byte(struct input *in)
{
    if (in->n == 0)
        return 0;
    in->n--;
    return *in->p++;
}

static sio_str take_text(struct input *in)
{
    size_t n = take_byte(in);
    sio_str text = { (const char *)in->p, n < in->n ? n : in->n };

    in->p += text.n;
    in->n -= text.n;
    return text;
}

static sio_value take_value(struct input *in)
{
    static const sio_str bytes[] = { { "one", 3 }, { "two", 3 } };
    const uint8_t choice = take_byte(in);
    sio_value v = { .kind = (sio_kind)(choice % (SIO_RAW_MSGPACK + 1)) };
    const sio_str text = take_text(in);

    v.boolean = choice & 128;
    memcpy(&v.integer, text.p, text.n < 8 ? text.n : 8);
    memcpy(&v.number, &v.integer, 8);
    v.data = text.p;
    v.size = text.n;
    v.attachments = bytes;
    v.attachment_count = v.kind == SIO_RAW_JSON && (choice & 64) ? 2 : 0;
    if (v.kind == SIO_JSON) /* NULL when it is no JSON */
        v.data = json_valid(text, 50) ? json_tree_parse(text) : NULL;
    return v;
}

static bool valid_string(sio_str text)
{
    struct grow out;
    bool ok;

    grow_init(&out, SIZE_MAX);
    ok = json_append_string(&out, text) == SIO_OK;
    grow_free(&out);
    return ok;
}

static void check_arg(sio_str arg, const sio_value *v)
{
    const sio_str text = { v->data, v->size };
    int64_t i = 0;

    switch (v->kind) {
    case SIO_NULL:
        require(str_eq(arg, STR("null")));
        break;
    case SIO_BOOL:
        require(str_eq(arg, v->boolean ? STR("true") : STR("false")));
        break;
    case SIO_INT:
        require(!json_integer(arg, &i) || i == v->integer);
        break;
    case SIO_NUMBER:
        require(json_kind(arg) == JSON_NULL || json_number(arg) == v->number);
        break;
    case SIO_STRING:
        /* two surrogates side by side come back as one character */
        require(json_string_is(arg, text) || !utf8_valid(text.p, text.n));
        break;
    case SIO_BINARY:
        require(json_kind(arg) == JSON_OBJECT);
        break;
    case SIO_JSON:
        require(json_check(arg, 50) != JSON_INVALID);
        break;
    case SIO_RAW_JSON:
        require(json_check(text, 1000) == json_kind(arg));
        break;
    case SIO_RAW_MSGPACK:
        require(mp_check(text, 1000));
        break;
    }
}

static void check_encoded(const struct grow *out,
                          const struct sp_attachments *bin,
                          const struct sp_message *m)
{
    const struct sp_limits limits = { UINT32_MAX, 1000 };
    struct sp_packet p;
    enum sp_error e = sp_decode(grow_str(out), &limits, &p);

    if (m->type == SP_EVENT && sp_reserved_event(m->event)) {
        require(e == SP_E_PAYLOAD);
        return;
    }
    /* raw text of depth 1000 is one level too deep inside the array */
    if (e == SP_E_PAYLOAD && out->len > 1000)
        return;
    require(e == SP_E_OK && p.id == m->id && str_eq(p.nsp, m->nsp));
    require(p.attachments == bin->count);
    require(bin->count == 0 || sp_check_placeholders(&p) == SP_E_OK);
    require(p.argc == m->count + (m->type == SP_EVENT));
    for (size_t i = 0; i < m->count; i++)
        check_arg(sp_packet_arg(&p, i + (m->type == SP_EVENT)), &m->values[i]);
}

static bool may_be_refused(const struct sp_message *m)
{
    bool ok = m->type == SP_ACK || valid_string(m->event);

    for (size_t i = 0; i < m->count; i++) {
        const sio_value *v = &m->values[i];
        const sio_str text = { v->data, v->size };

        ok &= v->kind != SIO_STRING || valid_string(text);
        ok &= v->kind != SIO_JSON || v->data;
        ok &= v->kind != SIO_RAW_JSON ||
              (v->attachment_count == 0 && json_valid(text, 1000));
        ok &= v->kind != SIO_RAW_MSGPACK || mp_check(text, 1000);
    }
    return !ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    const uint8_t choice = take_byte(&in);
    struct sp_message m = { .type = choice & 1 ? SP_ACK : SP_EVENT,
                            .nsp = choice & 2 ? STR("/a") : STR("/"),
                            .id = choice & 4 ? choice : SP_NO_ID };
    sio_value values[VALUES];
    struct sp_attachments bin;
    struct grow out;
    int r;

    m.event = take_text(&in);
    for (m.count = 0; m.count < VALUES && in.n > 0; m.count++)
        values[m.count] = take_value(&in);
    m.values = values;
    grow_init(&out, choice & 8 ? 64 : SIZE_MAX);
    sp_attachments_init(&bin);
    r = sp_encode(&out, &bin, &m);
    if (r == SIO_OK)
        check_encoded(&out, &bin, &m);
    else
        require(out.len == 0 && bin.count == 0 &&
                (r == SIO_E_LIMIT ? out.max == 64 : may_be_refused(&m)));
    for (size_t i = 0; i < m.count; i++)
        if (values[i].kind == SIO_JSON)
            json_tree_free((struct cJSON *)(uintptr_t)values[i].data);
    sp_attachments_free(&bin);
    grow_free(&out);
    return 0;
}
