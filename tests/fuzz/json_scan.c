/*
 * json_scan.c -- any bytes as JSON: the two scanners agree; what they cut out
 * is valid by itself; strings and numbers come back from being written; and
 * the look-ups stay within the text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/utf8.h"
#include "protocol/socketio/scan.h"

#include <stdlib.h>

#define DEPTH 20

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool within(sio_str part, sio_str text)
{
    return part.p >= text.p && part.p + part.n <= text.p + text.n;
}

static void check_string(sio_str value)
{
    char *text = malloc(value.n), *again;
    size_t n = json_unescape(value, text), m;
    struct grow out;

    require(n + 2 <= value.n && json_string_is(value, (sio_str){ text, n }));
    grow_init(&out, SIZE_MAX);
    if (json_append_string(&out, (sio_str){ text, n }) == SIO_OK) {
        require(json_valid(grow_str(&out), 1));
        again = malloc(out.len);
        m = json_unescape(grow_str(&out), again);
        /* two surrogates side by side come back as one character */
        require(!utf8_valid(text, n) ||
                str_eq((sio_str){ text, n }, (sio_str){ again, m }));
        free(again);
    } else {
        require(!json_valid(value, 1)); /* bad UTF-8 */
    }
    grow_free(&out);
    free(text);
}

static void check_number(sio_str value)
{
    const double number = json_number(value);
    struct grow out;

    grow_init(&out, 64);
    require(json_append_number(&out, number) == SIO_OK);
    if (json_check(grow_str(&out), 1) == JSON_NUMBER)
        require(json_number(grow_str(&out)) == number);
    else /* 1e400 */
        require(number - number != 0 && str_eq(grow_str(&out), STR("null")));
    grow_free(&out);
}

static void check_object(sio_str object)
{
    sio_str key, value;
    size_t pos = 0;

    while (json_next_member(object, &pos, &key, &value)) {
        require(within(key, object) && within(value, object));
        require(json_check(key, 1) == JSON_STRING);
        require(json_check(value, DEPTH) != JSON_INVALID);
    }
    require(pos < object.n && object.p[pos] == '}');
    require(within(json_member(object, STR("a")), object) ||
            !json_member(object, STR("a")).p);
}

static void check_value(sio_str value)
{
    struct json_placeholder found;
    size_t pos = 0;

    switch (json_kind(value)) {
    case JSON_STRING:
        check_string(value);
        break;
    case JSON_NUMBER:
        check_number(value);
        break;
    case JSON_OBJECT:
        check_object(value);
        break;
    default:
        break;
    }
    while (json_next_placeholder(value, &pos, &found)) {
        const sio_str object = { value.p + found.start,
                                 found.end - found.start };

        require(pos == found.end && within(object, value));
        require(json_check(object, DEPTH) == JSON_OBJECT);
    }
}

static void check_array(sio_str text, const sio_str *items, size_t cap,
                        size_t count)
{
    sio_str item;
    size_t pos = 0, n = 0;

    while (*text.p != '[') {
        text.p++;
        text.n--;
    }
    for (; json_next_element(text, &pos, &item); n++) {
        require(within(item, text));
        require(json_check(item, DEPTH - 1) != JSON_INVALID);
        require(n >= cap || (items[n].p == item.p && items[n].n == item.n));
        check_value(item);
    }
    require(n == count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    const sio_str text = { copy, size };
    enum json_kind kind;
    sio_str items[3];
    size_t count;
    int r;

    if (size)
        memcpy(copy, data, size);
    kind = json_check(text, DEPTH);
    r = json_cut_array(text, DEPTH, items, 3, &count);
    require((kind == JSON_ARRAY) == (r == SIO_OK));
    require((kind == JSON_INVALID) == (r == SIO_E_INVAL));
    if (r == SIO_OK)
        check_array(text, items, 3, count);
    free(copy);
    return 0;
}
