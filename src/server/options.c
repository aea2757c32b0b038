/*
 * options.c -- defaults of sio_options, what the engine needs of them, and what
 * errors mean. Their checks are in check.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/server/options.h"

#include "src/server/loops.h"

#include <sio/version.h>

#include "src/http/cookie.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

void sio_options_init_sized(sio_options *options, size_t size)
{
    sio_options d = {
        .size = size,
        .path = "/socket.io",
        .add_trailing_slash = true,
        .ping_interval_ms = 25000,
        .ping_timeout_ms = 20000,
        .upgrade_timeout_ms = 10000,
        .connect_timeout_ms = 45000,
        .max_http_buffer_size = 1000000,
        .transports = SIO_TRANSPORT_POLLING | SIO_TRANSPORT_WEBSOCKET,
        .allow_upgrades = true,
        .cors_methods = "GET,HEAD,PUT,PATCH,POST,DELETE",
        .cors_max_age_s = -1,
        .cors_success_status = 204,
        .cookie_path = "/",
        .cookie_max_age_s = -1,
        .cookie_http_only = true,
        .cookie_same_site = "Lax",
        .per_message_deflate_threshold = 1024,
        .deflate_level = WS_DEFLATE_DEFAULT_LEVEL,
        .http_compression = true,
        .http_compression_threshold = 1024,
        .destroy_upgrade = true,
        .destroy_upgrade_timeout_ms = 1000,
        .unmatched_status = 404,
        .max_connections = 100000,
        .keep_alive_timeout_ms = 5000,
        .max_dynamic_namespaces = 10000,
        .max_dynamic_namespaces_per_client = 256,
        .max_disconnection_duration_ms = 120000,
        .skip_middlewares = true,
        .max_recovery_bytes = 64u << 20,
        .max_attachments = 10,
        .max_json_depth = 1000,
        .max_buffered_amount = 16u << 20,
        .loops = 1,
        .handle_signals = true,
        .log_level = SIO_LOG_WARN,
    };

    memset(options, 0, size);
    memcpy(options, &d, size < sizeof d ? size : sizeof d);
}

bool options_read(sio_options *out, const sio_options *given)
{
    size_t known = sizeof *out;

    sio_options_init(out);
    if (!given)
        return true;
    if (given->size < offsetof(sio_options, add_trailing_slash))
        return false;
    memcpy(out, given, given->size < known ? given->size : known);
    out->size = known;
    return true;
}

size_t options_loops(const sio_options *o)
{
    long cores = o->loops ? (long)o->loops : sysconf(_SC_NPROCESSORS_ONLN);

    if (cores < 1)
        cores = 1;
    return cores > LOOPS_MAX ? LOOPS_MAX : (size_t)cores;
}

/* --------------------------------------------------------- for the engine --
 */

/* A copy in the arena; p NULL for NULL. *r tells when there is no memory. */
static sio_str copy(struct arena *a, const char *text, int *r)
{
    sio_str s = str_of(text);
    char *at;

    if (!text || *r < 0)
        return (sio_str){ NULL, 0 };
    at = arena_alloc(a, s.n + 1);
    if (!at) {
        *r = SIO_E_NOMEM;
        return (sio_str){ NULL, 0 };
    }
    memcpy(at, text, s.n + 1);
    return (sio_str){ at, s.n };
}

/* As Node: one "/" at the end goes, and comes again when it is wanted. */
sio_str options_path(const sio_options *o, struct arena *strings, bool slash,
                     int *r)
{
    size_t n = strlen(o->path);
    char *at = arena_alloc(strings, n + 2);

    if (!at) {
        *r = SIO_E_NOMEM;
        return (sio_str){ NULL, 0 };
    }
    memcpy(at, o->path, n);
    if (at[n - 1] == '/')
        n--;
    if (slash)
        at[n++] = '/';
    at[n] = 0;
    return (sio_str){ at, n };
}

/* With the "4" of a MESSAGE packet. */
static sio_str copy_message(struct arena *a, const char *text, int *r)
{
    size_t n = text ? strlen(text) : 0;
    char *at = text ? arena_alloc(a, n + 1) : NULL;

    if (!text)
        return (sio_str){ NULL, 0 };
    if (!at) {
        *r = SIO_E_NOMEM;
        return (sio_str){ NULL, 0 };
    }
    at[0] = '4';
    memcpy(at + 1, text, n);
    return (sio_str){ at, n + 1 };
}

/* The first message of every session. */
static sio_str copy_initial(struct arena *a, const sio_options *o, int *r)
{
    size_t n = o->initial_binary_size;
    char *at;

    if (!o->initial_binary)
        return copy_message(a, o->initial_packet, r);
    at = arena_alloc(a, n + 1);
    if (!at) {
        *r = SIO_E_NOMEM;
        return (sio_str){ NULL, 0 };
    }
    memcpy(at, o->initial_binary, n);
    return (sio_str){ at, n };
}

static const sio_str *copy_list(struct arena *a, const char *const *texts,
                                size_t count, int *r)
{
    sio_str *list;

    if (!texts)
        return NULL;
    list = arena_alloc(a, (count + 1) * sizeof *list);
    if (!list) {
        *r = SIO_E_NOMEM;
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        list[i] = copy(a, texts[i], r);
    return list;
}

static bool has_list(const sio_options *o)
{
    return o->cors_origins || o->cors_origin_patterns;
}

static int read_patterns(const sio_options *o, struct http_cors *cors,
                         const char **wrong)
{
    struct http_patterns *p = NULL;
    size_t which;
    int r;

    if (!o->cors_origin_patterns)
        return SIO_OK;
    r = http_patterns_new(&p, o->cors_origin_patterns,
                          o->cors_origin_pattern_count, &which);
    if (r == SIO_E_INVAL)
        *wrong = "cors_origin_patterns: must be POSIX extended regular "
                 "expressions";
    cors->patterns = p;
    return r;
}

static int read_cors(const sio_options *o, struct arena *a,
                     struct http_cors *cors)
{
    char age[24] = "";
    int r = SIO_OK;

    if (o->cors_max_age_s >= 0)
        snprintf(age, sizeof age, "%" PRId64, o->cors_max_age_s);
    *cors = (struct http_cors){
        .kind = o->cors_reflect                    ? HTTP_CORS_REFLECT
                : has_list(o)                      ? HTTP_CORS_LIST
                : !o->cors_origin                  ? HTTP_CORS_OFF
                : strcmp(o->cors_origin, "*") == 0 ? HTTP_CORS_ANY
                                                   : HTTP_CORS_FIXED,
        .origin = copy(a, o->cors_origin, &r),
        .credentials = o->cors_credentials,
        .preflight_continue = o->cors_preflight_continue,
        .preflight_status = o->cors_success_status,
        .methods = copy(a, o->cors_methods, &r),
        .allowed_headers = copy(a, o->cors_allowed_headers, &r),
        .exposed_headers = copy(a, o->cors_exposed_headers, &r),
        .max_age = copy(a, age, &r),
    };
    cors->list = copy_list(a, o->cors_origins, o->cors_origin_count, &r);
    cors->count = cors->list ? o->cors_origin_count : 0;
    return r;
}

static int read_cookie(const sio_options *o, struct arena *a,
                       struct eng_options *out)
{
    struct http_cookie cookie = {
        .name = str_of(o->cookie_name),
        .path = str_of(o->cookie_path),
        .domain = str_of(o->cookie_domain),
        .max_age = o->cookie_max_age_s,
        .http_only = o->cookie_http_only,
        .secure = o->cookie_secure,
        .partitioned = o->cookie_partitioned,
        .priority = str_of(options_priority(o->cookie_priority)),
        .same_site = str_of(options_same_site(o->cookie_same_site)),
    };
    struct grow attributes;
    int r;

    if (!o->cookie_name)
        return SIO_OK;
    grow_init(&attributes, HTTP_COOKIE_MAX - SIO_ID_MAX - 2);
    r = http_cookie_attributes(&attributes, &cookie);
    if (r == SIO_OK && cookie.name.n + attributes.len > attributes.max)
        r = SIO_E_LIMIT;
    if (r == SIO_OK)
        r = grow_append_byte(&attributes, 0);
    out->cookie_name = copy(a, o->cookie_name, &r);
    if (r == SIO_OK)
        out->cookie_attributes = copy(a, (char *)attributes.data, &r);
    grow_free(&attributes);
    return r;
}

int options_for_engine(const sio_options *o, struct arena *strings,
                       struct eng_options *out, const char **wrong)
{
    int r = SIO_OK;

    *wrong = NULL;
    *out = (struct eng_options){
        .path = options_path(o, strings, o->add_trailing_slash, &r),
        .ping_interval_ms = o->ping_interval_ms,
        .ping_timeout_ms = o->ping_timeout_ms,
        .upgrade_timeout_ms = o->upgrade_timeout_ms,
        .max_payload = o->max_http_buffer_size,
        .transports =
            (o->transports & SIO_TRANSPORT_POLLING ? ENG_POLLING : 0u) |
            (o->transports & SIO_TRANSPORT_WEBSOCKET ? ENG_WEBSOCKET : 0u),
        .allow_upgrades = o->allow_upgrades,
        .allow_eio3 = o->allow_eio3,
        .max_buffered = o->max_buffered_amount,
        .max_volatile = o->max_volatile_amount,
        .deflate = { .on = o->per_message_deflate,
                     .level = o->deflate_level,
                     .threshold = o->per_message_deflate_threshold,
                     .wishes = { o->server_no_context_takeover,
                                 o->client_no_context_takeover,
                                 (uint8_t)o->server_max_window_bits,
                                 (uint8_t)o->client_max_window_bits } },
        .http_compression = o->http_compression,
        .http_compression_threshold = o->http_compression_threshold,
        .cors_request = o->cors_request,
        .allow_request = o->allow_request,
        .generate_id = o->generate_id,
        .on_headers = o->on_headers,
        .on_connection_error = o->on_connection_error,
        .hook_user = o->hook_user,
        .initial_packet = copy_initial(strings, o, &r),
        .initial_is_binary = o->initial_binary != NULL,
    };
    out->allowed_origins =
        copy_list(strings, o->allowed_origins, o->allowed_origin_count, &r);
    out->allowed_origin_count = o->allowed_origin_count;
    if (r == SIO_OK)
        r = read_cors(o, strings, &out->cors);
    if (r == SIO_OK) {
        r = read_cookie(o, strings, out);
        if (r == SIO_E_INVAL || r == SIO_E_LIMIT)
            *wrong = "cookie_name, cookie_path, cookie_domain: cannot stand in "
                     "a Set-Cookie field, or too long";
    }
    if (r == SIO_OK) /* the last: nothing fails behind it */
        r = read_patterns(o, &out->cors, wrong);
    return r;
}

int options_for_proxies(const sio_options *o, struct net_networks *out,
                        const char **wrong)
{
    for (size_t i = 0; o->trusted_proxies && i < o->trusted_proxy_count; i++) {
        const char *text = o->trusted_proxies[i];
        int r = text ? net_networks_add(out, text) : SIO_E_ADDRESS;

        if (r == SIO_E_ADDRESS)
            *wrong = "trusted_proxies: networks (\"10.0.0.0/8\"), addresses, "
                     "\"unix\", \"loopback\", \"linklocal\", \"private\"";
        if (r < 0)
            return r;
    }
    return SIO_OK;
}

const char *sio_version(void)
{
    return SIO_VERSION;
}
