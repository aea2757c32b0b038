/*
 * value.c -- see value.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/redis/value.h"

#include "protocol/socketio/msgpack.h"
#include "protocol/socketio/scan.h"
#include "protocol/socketio/skip.h"

/* --------------------------------------------------------------- checking --
 */

enum pr_error pr_read_json(sio_str bytes, struct pr_value *out)
{
    const char *end = bytes.p + bytes.n, *p;

    if (!json_valid(bytes, PR_DEPTH_MAX))
        return PR_E_FORM;
    p = json_skip_blank(bytes.p, end);
    while (json_is_blank(end[-1]))
        end--;
    *out = (struct pr_value){ { p, (size_t)(end - p) }, false };
    return PR_E_OK;
}

enum pr_error pr_read_msgpack(struct arena *a, sio_str bytes,
                              struct pr_value *out)
{
    uint8_t *copy;

    if (!mp_check(bytes, PR_DEPTH_MAX)) {
        copy = arena_alloc(a, bytes.n);
        if (!copy)
            return PR_E_NOMEM;
        if (bytes.n)
            memcpy(copy, bytes.p, bytes.n);
        mp_mend(copy, bytes.n); /* was it for a string only? */
        bytes.p = (const char *)copy;
        if (!mp_check(bytes, PR_DEPTH_MAX))
            return PR_E_FORM;
    }
    *out = (struct pr_value){ bytes, true };
    return PR_E_OK;
}

enum pr_error pr_read_either(struct arena *a, sio_str bytes,
                             struct pr_value *out)
{
    if (bytes.n && bytes.p[0] == '{')
        return pr_read_json(bytes, out);
    return pr_read_msgpack(a, bytes, out);
}

/* ---------------------------------------------------------------- walking --
 */

static enum pr_kind msgpack_kind(sio_str text)
{
    switch (mp_kind(text)) {
    case MP_INVALID:
    case MP_UNDEFINED:
        return PR_ABSENT;
    case MP_NIL:
        return PR_NULL;
    case MP_BOOL:
        return PR_BOOL;
    case MP_INT:
    case MP_NUMBER:
        return PR_NUMBER;
    case MP_STRING:
        return PR_STRING;
    case MP_ARRAY:
        return PR_LIST;
    case MP_MAP:
        return PR_MAP;
    default:
        return PR_OTHER;
    }
}

enum pr_kind pr_kind(struct pr_value v)
{
    if (v.msgpack)
        return msgpack_kind(v.text);
    switch (json_kind(v.text)) {
    case JSON_NULL:
        return PR_NULL;
    case JSON_TRUE:
    case JSON_FALSE:
        return PR_BOOL;
    case JSON_NUMBER:
        return PR_NUMBER;
    case JSON_STRING:
        return PR_STRING;
    case JSON_ARRAY:
        return PR_LIST;
    case JSON_OBJECT:
        return PR_MAP;
    default:
        return PR_ABSENT;
    }
}

bool pr_next(struct pr_value list, size_t *pos, struct pr_value *item)
{
    if (list.text.n == 0)
        return false;
    item->msgpack = list.msgpack;
    return list.msgpack ? mp_next_element(list.text, pos, &item->text)
                        : json_next_element(list.text, pos, &item->text);
}

static bool next_pair(sio_str map, size_t *pos, sio_str *key, sio_str *item)
{
    const char *p = map.p + *pos, *end = map.p + map.n, *stop;
    struct mp_item head;

    if (mp_kind(map) != MP_MAP)
        return false;
    if (*pos == 0)
        p = mp_read(p, end, &head);
    if (p == end) {
        *pos = map.n;
        return false;
    }
    stop = mp_skip(p, end, 0);
    *key = (sio_str){ p, (size_t)(stop - p) };
    p = stop;
    stop = mp_skip(p, end, MP_DEPTH_LIMIT);
    *item = (sio_str){ p, (size_t)(stop - p) };
    *pos = (size_t)(stop - map.p);
    return true;
}

bool pr_next_member(struct pr_value map, size_t *pos, struct pr_value *key,
                    struct pr_value *item)
{
    if (map.text.n == 0)
        return false;
    key->msgpack = item->msgpack = map.msgpack;
    return map.msgpack
               ? next_pair(map.text, pos, &key->text, &item->text)
               : json_next_member(map.text, pos, &key->text, &item->text);
}

void pr_members(struct pr_value map, const sio_str *names, struct pr_value *out,
                size_t n)
{
    struct pr_value key, item;
    size_t pos = 0;

    for (size_t i = 0; i < n; i++)
        out[i] = (struct pr_value){ { NULL, 0 }, map.msgpack };
    if (pr_kind(map) != PR_MAP)
        return;
    while (pr_next_member(map, &pos, &key, &item))
        for (size_t i = 0; i < n; i++)
            if (pr_value_is(key, names[i]))
                out[i] = item;
}

/* ---------------------------------------------------------------- scalars --
 */

static struct mp_item item_of(struct pr_value v)
{
    struct mp_item item;

    mp_read(v.text.p, v.text.p + v.text.n, &item);
    return item;
}

bool pr_value_is(struct pr_value v, sio_str text)
{
    if (pr_kind(v) != PR_STRING)
        return false;
    return v.msgpack ? str_eq(item_of(v).bytes, text)
                     : json_string_is(v.text, text);
}

bool pr_is_true(struct pr_value v)
{
    if (pr_kind(v) != PR_BOOL)
        return false;
    return v.msgpack ? item_of(v).boolean : v.text.p[0] == 't';
}

bool pr_number(struct pr_value v, double *out)
{
    if (pr_kind(v) != PR_NUMBER)
        return false;
    *out = v.msgpack ? item_of(v).number : json_number(v.text);
    return true;
}

bool pr_integer(struct pr_value v, int64_t *out)
{
    int64_t i;

    if (pr_kind(v) != PR_NUMBER)
        return false;
    if (v.msgpack) {
        const struct mp_item item = item_of(v);

        if (item.kind != MP_INT)
            return false;
        i = item.integer;
    } else if (!json_integer(v.text, &i)) {
        return false;
    }
    if (i < 0)
        return false;
    *out = i;
    return true;
}

static enum pr_error number_text(struct arena *a, double number, sio_str *out)
{
    enum pr_error e = PR_E_NOMEM;
    struct grow text;
    char *copy;

    grow_init(&text, 64);
    if (json_append_number(&text, number) == SIO_OK) {
        copy = arena_alloc(a, text.len);
        if (copy) {
            memcpy(copy, text.data, text.len);
            *out = (sio_str){ copy, text.len };
            e = PR_E_OK;
        }
    }
    grow_free(&text);
    return e;
}

static enum pr_error json_text(struct arena *a, sio_str value, sio_str *out)
{
    const sio_str inside = { value.p + 1, value.n - 2 };
    char *copy;

    if (!memchr(inside.p, '\\', inside.n)) {
        *out = inside;
        return PR_E_OK;
    }
    copy = arena_alloc(a, value.n);
    if (!copy)
        return PR_E_NOMEM;
    *out = (sio_str){ copy, json_unescape(value, copy) };
    return PR_E_OK;
}

enum pr_error pr_text(struct arena *a, struct pr_value v, sio_str *out)
{
    double number;

    if (pr_number(v, &number))
        return number_text(a, number, out);
    if (pr_kind(v) != PR_STRING)
        return PR_E_SHAPE;
    if (!v.msgpack)
        return json_text(a, v.text, out);
    *out = item_of(v).bytes;
    return PR_E_OK;
}

sio_value pr_passed(struct pr_value v)
{
    return (sio_value){ .kind = v.msgpack ? SIO_RAW_MSGPACK : SIO_RAW_JSON,
                        .trusted = true,
                        .data = v.text.p,
                        .size = v.text.n };
}
