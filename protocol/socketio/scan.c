/*
 * scan.c -- see scan.h; the grammar itself is in skip.c. Strings are read in
 * string.c, numbers in number.c, placeholders in placeholder.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/scan.h"

#include "protocol/base/utf8.h"
#include "protocol/socketio/skip.h"

enum json_kind json_kind(sio_str value)
{
    switch (value.n ? value.p[0] : 0) {
    case 'n':
        return JSON_NULL;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case '"':
        return JSON_STRING;
    case '[':
        return JSON_ARRAY;
    case '{':
        return JSON_OBJECT;
    case '-':
        return JSON_NUMBER;
    default:
        return value.n && json_is_digit(value.p[0]) ? JSON_NUMBER
                                                    : JSON_INVALID;
    }
}

enum json_kind json_check(sio_str text, uint32_t max_depth)
{
    const char *end = text.p + text.n;
    const char *start, *stop;

    if (text.n == 0)
        return JSON_INVALID;
    start = json_skip_blank(text.p, end);
    stop = json_skip_value(start, end, max_depth);
    if (!stop || json_skip_blank(stop, end) != end)
        return JSON_INVALID;
    return json_kind((sio_str){ start, (size_t)(stop - start) });
}

bool json_valid(sio_str text, uint32_t max_depth)
{
    return json_check(text, max_depth) != JSON_INVALID &&
           utf8_valid(text.p, text.n);
}

/* *at is on the '[', ',' or ']' before what comes next. 1: *item is the next
 * element, and *at has moved on; 0: the array ends at *at; < 0: no JSON. */
static int next_element(const char **at, const char *end, uint32_t max_depth,
                        sio_str *item)
{
    const char *p = *at, *stop;
    const bool first = *p == '[';

    if (*p == ']')
        return 0;
    p = json_skip_blank(p + 1, end);
    if (first && p < end && *p == ']') {
        *at = p;
        return 0;
    }
    stop = p < end && *p == '"' ? json_skip_string(p, end)
                                : json_skip_value(p, end, max_depth);
    if (!stop)
        return SIO_E_INVAL;
    *item = (sio_str){ p, (size_t)(stop - p) };
    p = json_skip_blank(stop, end);
    if (p == end || (*p != ',' && *p != ']'))
        return SIO_E_INVAL;
    *at = p;
    return 1;
}

int json_cut_array(sio_str text, uint32_t max_depth, sio_str *items, size_t cap,
                   size_t *count)
{
    const char *end = text.p + text.n, *at;
    sio_str item;
    size_t n = 0;
    int r;

    if (text.n == 0)
        return SIO_E_INVAL;
    at = json_skip_blank(text.p, end);
    if (at == end || *at != '[')
        return json_check(text, max_depth) ? SIO_E_TYPE : SIO_E_INVAL;
    if (max_depth == 0)
        return SIO_E_INVAL;
    while ((r = next_element(&at, end, max_depth - 1, &item)) > 0) {
        if (n < cap)
            items[n] = item;
        n++;
    }
    if (r < 0 || json_skip_blank(at + 1, end) != end)
        return SIO_E_INVAL;
    *count = n;
    return SIO_OK;
}

bool json_next_element(sio_str array, size_t *pos, sio_str *item)
{
    const char *at = array.p + *pos;
    bool more;

    if (json_kind(array) != JSON_ARRAY)
        return false;
    more = next_element(&at, array.p + array.n, JSON_DEPTH_LIMIT, item) > 0;
    *pos = (size_t)(at - array.p);
    return more;
}

sio_str json_element(sio_str array, size_t i)
{
    sio_str item;
    size_t pos = 0;

    while (json_next_element(array, &pos, &item))
        if (i-- == 0)
            return item;
    return (sio_str){ NULL, 0 };
}

/* *pos moves from '{' over each ',' to '}', where it stays. */
bool json_next_member(sio_str object, size_t *pos, sio_str *key, sio_str *value)
{
    const char *p = object.p + *pos, *end = object.p + object.n, *stop;

    if (json_kind(object) != JSON_OBJECT || *p == '}')
        return false;
    p = json_skip_blank(p + 1, end);
    stop = json_skip_string(p, end);
    if (!stop) {
        *pos = (size_t)(p - object.p); /* "{}" */
        return false;
    }
    *key = (sio_str){ p, (size_t)(stop - p) };
    p = json_skip_blank(json_skip_blank(stop, end) + 1, end);
    stop = json_skip_value(p, end, JSON_DEPTH_LIMIT);
    *value = (sio_str){ p, (size_t)(stop - p) };
    *pos = (size_t)(json_skip_blank(stop, end) - object.p);
    return true;
}

sio_str json_member(sio_str object, sio_str key)
{
    sio_str found = { NULL, 0 }, name, value;
    size_t pos = 0;

    while (json_next_member(object, &pos, &name, &value))
        if (json_string_is(name, key))
            found = value;
    return found;
}
