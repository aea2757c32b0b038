/*
 * request.c -- see request.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/request.h"

#include "protocol/base/token.h"
#include "src/http/parse.h"

#include <stdlib.h>

sio_str http_field_value(const struct http_request *r, sio_str name)
{
    for (size_t i = 0; i < r->field_count; i++)
        if (str_eq(r->fields[i].name, name))
            return r->fields[i].value;
    return (sio_str){ NULL, 0 };
}

/* ---------------------------------------------------------------- query -- */

bool http_next_param(sio_str *rest, sio_str *key, sio_str *value)
{
    while (rest->p) {
        sio_str pair = str_split(*rest, '&', rest);

        if (pair.n == 0)
            continue; /* "&&" */
        *key = str_split(pair, '=', value);
        if (!value->p)
            *value = (sio_str){ pair.p + pair.n, 0 };
        return true;
    }
    return false;
}

/* The character at *at, decoded; moves *at behind it. */
static char decode_next(sio_str s, bool plus, size_t *at)
{
    char c = s.p[(*at)++];
    int high, low;

    if (plus && c == '+')
        return ' ';
    if (c != '%' || s.n - *at < 2)
        return c;
    high = http_hex_digit(s.p[*at]);
    low = http_hex_digit(s.p[*at + 1]);
    if (high < 0 || low < 0)
        return c;
    *at += 2;
    return (char)(high << 4 | low);
}

/* Does it stand for itself? */
static bool is_plain(sio_str s, bool plus)
{
    return !memchr(s.p, '%', s.n) && !(plus && memchr(s.p, '+', s.n));
}

size_t http_percent_decode(sio_str s, bool plus, char *out)
{
    size_t n = 0;

    if (s.n == 0)
        return 0;
    if (is_plain(s, plus)) { /* as nearly all are */
        memmove(out, s.p, s.n);
        return s.n;
    }
    for (size_t at = 0; at < s.n;)
        out[n++] = decode_next(s, plus, &at);
    return n;
}

/* Is `key`, decoded, the text `want`? */
static bool key_is(sio_str key, sio_str want)
{
    size_t n = 0;

    for (size_t at = 0; at < key.n; n++)
        if (n == want.n || decode_next(key, true, &at) != want.p[n])
            return false;
    return n == want.n;
}

/* A look at its first character tells most keys from `want`. */
static bool may_be_key(sio_str pair, sio_str want)
{
    return pair.n && pair.n >= want.n &&
           (want.n == 0 || pair.p[0] == want.p[0] || pair.p[0] == '%' ||
            pair.p[0] == '+');
}

/* Has the pair that key? */
static bool take_value(sio_str pair, sio_str key, sio_str *out)
{
    sio_str value;

    if (!may_be_key(pair, key) || !key_is(str_split(pair, '=', &value), key))
        return false;
    *out = value.p ? value : (sio_str){ pair.p + pair.n, 0 };
    return true;
}

void http_query_values(sio_str query, const sio_str *keys, sio_str *values,
                       size_t n)
{
    for (size_t i = 0; i < n; i++)
        values[i] = (sio_str){ NULL, 0 };
    while (query.p) {
        sio_str pair = str_split(query, '&', &query);

        for (size_t i = 0; i < n && !take_value(pair, keys[i], &values[i]); i++)
            ;
    }
}

sio_str http_query_value(sio_str query, sio_str key)
{
    sio_str value;

    http_query_values(query, &key, &value, 1);
    return value;
}

bool http_has_token(sio_str value, sio_str token)
{
    while (value.p)
        if (str_eq_nocase(str_trim(str_split(value, ',', &value)), token))
            return true;
    return false;
}

int http_query_text(sio_str query, sio_str key, char *out, size_t size)
{
    sio_str raw = http_query_value(query, key);
    char *text;
    size_t n;

    if (!raw.p)
        return SIO_E_RANGE;
    text = malloc(raw.n + 1);
    if (!text)
        return SIO_E_NOMEM;
    n = http_percent_decode(raw, true, text);
    if (size) {
        size_t fits = n < size ? n : size - 1;

        memcpy(out, text, fits);
        out[fits] = 0;
    }
    free(text);
    return n > INT32_MAX ? SIO_E_RANGE : (int)n;
}

bool http_field_valid(sio_str name, sio_str value)
{
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return token_valid(name);
}
