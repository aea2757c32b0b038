/*
 * call_cors.c -- CORS decided by the program: the answers of cors_request, see
 * <sio/hooks.h>. The fields are made on the loop, by call.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/engine/call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void sio_cors_init_sized(sio_cors *cors, size_t size)
{
    sio_cors d = { .size = size,
                   .methods = "GET,HEAD,PUT,PATCH,POST,DELETE",
                   .success_status = 204,
                   .max_age_s = -1 };

    memset(cors, 0, size);
    memcpy(cors, &d, size < sizeof d ? size : sizeof d);
}

static sio_str keep(char **at, sio_str s)
{
    sio_str kept = { *at, s.n };

    if (!s.p)
        return s;
    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return kept;
}

/* A copy for the loop to read. */
static int keep_cors(sio_http_call *call, const struct http_cors *cors)
{
    size_t n = cors->origin.n + cors->methods.n + cors->allowed_headers.n +
               cors->exposed_headers.n + cors->max_age.n;
    char *at = malloc(n + 1);

    if (!at)
        return SIO_E_NOMEM;
    call_forget(call);
    call->cors_text = at;
    call->cors = *cors;
    call->cors.origin = keep(&at, cors->origin);
    call->cors.methods = keep(&at, cors->methods);
    call->cors.allowed_headers = keep(&at, cors->allowed_headers);
    call->cors.exposed_headers = keep(&at, cors->exposed_headers);
    call->cors.max_age = keep(&at, cors->max_age);
    return SIO_OK;
}

static bool is_value(sio_str text)
{
    return http_field_valid(STR("a"), text);
}

static int decide_cors(sio_http_call *call, struct http_cors *cors,
                       const char *origin)
{
    int r = is_value(str_of(origin)) && is_value(cors->methods) &&
                    is_value(cors->allowed_headers) &&
                    is_value(cors->exposed_headers) &&
                    cors->preflight_status >= 200 &&
                    cors->preflight_status <= 299
                ? SIO_OK
                : SIO_E_INVAL;

    cors->origin = str_of(origin);
    cors->kind = !origin                          ? HTTP_CORS_REFLECT
                 : str_eq(cors->origin, STR("*")) ? HTTP_CORS_ANY
                                                  : HTTP_CORS_FIXED;
    if (r == SIO_OK)
        r = keep_cors(call, cors);
    if (r == SIO_OK)
        call_decide(call, CALL_CORS);
    else
        sio_call_fail(call, "invalid CORS fields");
    return r;
}

int sio_call_allow_origin(sio_http_call *call, const char *origin)
{
    struct http_cors cors = call->engine->options.cors;

    return decide_cors(call, &cors, origin);
}

int sio_call_cors(sio_http_call *call, const sio_cors *given)
{
    struct http_cors cors;
    sio_cors c;
    char age[24] = "";

    sio_cors_init(&c);
    memcpy(&c, given, given->size < sizeof c ? given->size : sizeof c);
    if (c.max_age_s >= 0)
        snprintf(age, sizeof age, "%" PRId64, c.max_age_s);
    cors = (struct http_cors){ .credentials = c.credentials,
                               .preflight_continue = c.preflight_continue,
                               .preflight_status = c.success_status,
                               .methods = str_of(c.methods),
                               .allowed_headers = str_of(c.allowed_headers),
                               .exposed_headers = str_of(c.exposed_headers),
                               .max_age = str_of(age) };
    return decide_cors(call, &cors, c.origin);
}
