/*
 * placeholder.c -- where the attachments of a binary packet belong (scan.h).
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/scan.h"
#include "protocol/socketio/skip.h"

/* Is the object that begins at p one? Looks at its scalar members up to the
 * first array or object; the caller comes by there anyway. So no byte is read
 * more than twice, however deep objects are nested. */
static bool is_placeholder(const char *p, const char *end)
{
    const sio_str name = STR("_placeholder");

    do {
        const char *key = json_skip_blank(p + 1, end), *key_end, *value;

        key_end = json_skip_string(key, end);
        if (!key_end)
            return false; /* {} */
        p = json_skip_blank(key_end, end);
        value = json_skip_blank(p + 1, end);
        p = json_skip_scalar(value, end);
        if (!p)
            return false; /* an array or object */
        if (*value == 't' &&
            json_string_is((sio_str){ key, (size_t)(key_end - key) }, name))
            return true;
        p = json_skip_blank(p, end);
    } while (*p == ',');
    return false;
}

static void read_placeholder(sio_str value, size_t start,
                             struct json_placeholder *out)
{
    const sio_str object = { value.p + start, value.n - start };
    sio_str key, num;
    size_t pos = 0;

    out->start = start;
    out->num = -1;
    while (json_next_member(object, &pos, &key, &num))
        if (json_string_is(key, STR("num")) &&
            (!json_integer(num, &out->num) || out->num < 0))
            out->num = -1;
    out->end = start + pos + 1;
}

#define USUAL_DIGITS 15 /* any number of so many is below 2^53 */

/* As every encoder writes them. False: it may still be one, spelled in another
 * way. */
static bool read_usual(sio_str value, size_t start,
                       struct json_placeholder *out)
{
    const sio_str usual = STR("{\"_placeholder\":true,\"num\":");
    const sio_str rest = { value.p + start, value.n - start };
    size_t at = usual.n;
    int64_t num = 0;

    if (!str_starts(rest, usual))
        return false;
    for (; at < rest.n && json_is_digit(rest.p[at]); at++)
        if (at < usual.n + USUAL_DIGITS)
            num = num * 10 + (rest.p[at] - '0');
    if (at == rest.n || rest.p[at] != '}' || at == usual.n ||
        at > usual.n + USUAL_DIGITS)
        return false;
    *out = (struct json_placeholder){ start, start + at + 1, num };
    return true;
}

static bool read_any(sio_str value, size_t start, struct json_placeholder *out)
{
    if (read_usual(value, start, out))
        return true;
    if (!is_placeholder(value.p + start, value.p + value.n))
        return false;
    read_placeholder(value, start, out);
    return true;
}

bool json_next_placeholder(sio_str value, size_t *pos,
                           struct json_placeholder *out)
{
    const char *p = value.p + *pos, *end = value.p + value.n;

    while (p < end) {
        if (*p == '"') {
            p = json_skip_string(p, end);
        } else if (*p == '{' && read_any(value, (size_t)(p - value.p), out)) {
            *pos = out->end;
            return true;
        } else {
            p++;
        }
    }
    *pos = value.n;
    return false;
}
