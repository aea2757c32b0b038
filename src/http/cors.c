/*
 * cors.c -- see cors.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/cors.h"

#include <regex.h>
#include <stdlib.h>

/* ------------------------------------------------------------- patterns -- */

struct http_patterns {
    size_t count; /* compiled */
    regex_t compiled[];
};

void http_patterns_free(struct http_patterns *p)
{
    for (size_t i = 0; p && i < p->count; i++)
        regfree(&p->compiled[i]);
    free(p);
}

int http_patterns_new(struct http_patterns **out, const char *const *texts,
                      size_t count, size_t *wrong)
{
    struct http_patterns *p = malloc(sizeof *p + count * sizeof *p->compiled);

    if (!p)
        return SIO_E_NOMEM;
    for (p->count = 0; p->count < count; p->count++) {
        int r = regcomp(&p->compiled[p->count], texts[p->count],
                        REG_EXTENDED | REG_NOSUB);

        if (r == 0)
            continue;
        *wrong = p->count;
        http_patterns_free(p);
        return r == REG_ESPACE ? SIO_E_NOMEM : SIO_E_INVAL;
    }
    *out = p;
    return SIO_OK;
}

static bool fits(const struct http_patterns *p, sio_str origin)
{
    char text[HTTP_CORS_ORIGIN_MAX + 1];

    if (!p || !origin.p || origin.n > HTTP_CORS_ORIGIN_MAX)
        return false;
    memcpy(text, origin.p, origin.n);
    text[origin.n] = 0;
    for (size_t i = 0; i < p->count; i++)
        if (regexec(&p->compiled[i], text, 0, NULL, 0) == 0)
            return true;
    return false;
}

/* --------------------------------------------------------------- fields -- */

struct writer {
    struct http_field *fields;
    size_t count;
};

static void put(struct writer *w, sio_str name, sio_str value)
{
    if (value.n)
        w->fields[w->count++] = (struct http_field){ name, value };
}

/* n 0: this origin gets no field. */
static sio_str allowed_origin(const struct http_cors *cors,
                              const struct http_request *r)
{
    sio_str asks = http_field_value(r, STR("origin"));

    switch (cors->kind) {
    case HTTP_CORS_ANY:
        return STR("*");
    case HTTP_CORS_FIXED:
        return cors->origin;
    case HTTP_CORS_REFLECT:
        return asks;
    default:
        break;
    }
    for (size_t i = 0; i < cors->count; i++)
        if (str_eq(cors->list[i], asks))
            return asks;
    return fits(cors->patterns, asks) ? asks : STR("");
}

/* What the answer depends on. */
static sio_str vary(const struct http_cors *cors, bool preflight)
{
    bool origin = cors->kind != HTTP_CORS_ANY;
    bool headers = preflight && !cors->allowed_headers.p;

    if (origin && headers)
        return STR("Origin, Access-Control-Request-Headers");
    if (headers)
        return STR("Access-Control-Request-Headers");
    return origin ? STR("Origin") : STR("");
}

static void put_preflight(struct writer *w, const struct http_cors *cors,
                          const struct http_request *r)
{
    sio_str headers = cors->allowed_headers;

    if (!headers.p)
        headers = http_field_value(r, STR("access-control-request-headers"));
    put(w, STR("Access-Control-Allow-Methods"), cors->methods);
    put(w, STR("Access-Control-Allow-Headers"), headers);
    put(w, STR("Access-Control-Max-Age"), cors->max_age);
}

bool http_cors_is_preflight(const struct http_cors *cors,
                            const struct http_request *r)
{
    return cors->kind != HTTP_CORS_OFF && !cors->preflight_continue &&
           str_eq(r->method, STR("OPTIONS"));
}

size_t http_cors_fields(const struct http_cors *cors,
                        const struct http_request *r, bool preflight,
                        struct http_field fields[HTTP_CORS_FIELDS])
{
    struct writer w = { fields, 0 };

    if (cors->kind == HTTP_CORS_OFF)
        return 0;
    put(&w, STR("Access-Control-Allow-Origin"), allowed_origin(cors, r));
    put(&w, STR("Vary"), vary(cors, preflight));
    if (cors->credentials)
        put(&w, STR("Access-Control-Allow-Credentials"), STR("true"));
    if (preflight)
        put_preflight(&w, cors, r);
    put(&w, STR("Access-Control-Expose-Headers"), cors->exposed_headers);
    return w.count;
}
