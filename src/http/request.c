/*
 * request.c -- see request.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/request.h"

#include "protocol/base/token.h"
#include "src/http/parse.h"
#include "src/net/tls.h"

#include <stdlib.h>
#include <time.h>

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

size_t http_percent_decode(sio_str s, bool plus, char *out)
{
    size_t n = 0;

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

sio_str http_query_value(sio_str query, sio_str key)
{
    sio_str found = { NULL, 0 }, name, value;

    while (http_next_param(&query, &name, &value))
        if (key_is(name, key))
            found = value;
    return found;
}

bool http_has_token(sio_str value, sio_str token)
{
    while (value.p)
        if (str_eq_nocase(str_trim(str_split(value, ',', &value)), token))
            return true;
    return false;
}

/* ----------------------------------------------------------------- copy -- */

static size_t text_size(const struct http_request *r)
{
    size_t n = r->method.n + r->target.n;

    for (size_t i = 0; i < r->field_count; i++)
        n += r->fields[i].name.n + r->fields[i].value.n;
    return n;
}

static sio_str copy_text(char **at, sio_str s)
{
    sio_str copy = { *at, s.n };

    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

/* The slice of `to` that lies where `part` lies in `from`. */
static sio_str same_slice(sio_str part, sio_str from, sio_str to)
{
    if (!part.p)
        return part;
    return (sio_str){ to.p + (part.p - from.p), part.n };
}

static uint64_t wall_clock_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

struct http_request *http_request_copy(const struct http_request *r)
{
    size_t fields_size = r->field_count * sizeof *r->fields;
    size_t certificate_size =
        r->certificate ? net_certificate_size(r->certificate) : 0;
    struct http_request *copy =
        malloc(sizeof *copy + fields_size + text_size(r) + certificate_size);
    struct http_field *fields;
    char *text;

    if (!copy)
        return NULL;
    fields = (struct http_field *)(copy + 1);
    text = (char *)(fields + r->field_count);
    *copy = *r;
    if (r->certificate) {
        copy->certificate = net_certificate_copy(r->certificate, text);
        text += certificate_size;
    }
    copy->fields = fields;
    copy->method = copy_text(&text, r->method);
    copy->target = copy_text(&text, r->target);
    copy->path = same_slice(r->path, r->target, copy->target);
    copy->query = same_slice(r->query, r->target, copy->target);
    for (size_t i = 0; i < r->field_count; i++) {
        fields[i].name = copy_text(&text, r->fields[i].name);
        fields[i].value = copy_text(&text, r->fields[i].value);
    }
    copy->created_ms = wall_clock_ms();
    return copy;
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
