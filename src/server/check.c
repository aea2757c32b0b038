/*
 * check.c -- are these sio_options options? What is wrong is said with the name
 * of the field. What has no effect because something else is missing is wrong,
 * too: who sets it expects it to work.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/utf8.h"
#include "src/server/loops.h"

#include "src/server/options.h"
#include <sio/adapter.h>

#include <unistd.h>

/* ---------------------------------------------------------------- texts -- */

/* May it stand in a field's value? */
static bool is_value(const char *s)
{
    return !s || http_field_valid(STR("a"), str_of(s));
}

static bool is_list(const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!texts || !texts[i] || !is_value(texts[i]))
            return false;
    return true;
}

static const char *check_path(const sio_options *o)
{
    if (!o->path || o->path[0] != '/')
        return "path: must begin with \"/\"";
    for (const char *p = o->path; *p; p++)
        if (*p <= ' ' || *p > '~' || *p == '?' || *p == '#')
            return "path: must be visible ASCII without \"?\" and \"#\"";
    return NULL;
}

/* ----------------------------------------------------------------- CORS -- */

static const char *check_origins(const sio_options *o)
{
    if (!is_list(o->cors_origins, o->cors_origin_count))
        return "cors_origins: must be cors_origin_count texts without control "
               "characters";
    if (!is_list(o->cors_origin_patterns, o->cors_origin_pattern_count))
        return "cors_origin_patterns: must be cors_origin_pattern_count texts "
               "without control characters";
    if (!is_list(o->allowed_origins, o->allowed_origin_count))
        return "allowed_origins: must be allowed_origin_count texts without "
               "control characters";
    return NULL;
}

static const char *check_cors_values(const sio_options *o)
{
    if (!is_value(o->cors_origin))
        return "cors_origin: must not hold control characters";
    if (!is_value(o->cors_methods))
        return "cors_methods: must not hold control characters";
    if (!is_value(o->cors_allowed_headers))
        return "cors_allowed_headers: must not hold control characters";
    if (!is_value(o->cors_exposed_headers))
        return "cors_exposed_headers: must not hold control characters";
    if (o->cors_success_status < 200 || o->cors_success_status > 299)
        return "cors_success_status: 200 to 299";
    if (o->cors_max_age_s < -1)
        return "cors_max_age_s: -1, or 0 and more";
    return NULL;
}

/* A part of CORS without CORS. */
static const char *check_cors_is_on(const sio_options *o)
{
    if (o->cors_origin || o->cors_origins || o->cors_origin_patterns ||
        o->cors_reflect || o->cors_request)
        return NULL;
    if (o->cors_credentials)
        return "cors_credentials: needs cors_origin or another origin";
    if (o->cors_allowed_headers)
        return "cors_allowed_headers: needs cors_origin or another origin";
    if (o->cors_exposed_headers)
        return "cors_exposed_headers: needs cors_origin or another origin";
    if (o->cors_max_age_s >= 0)
        return "cors_max_age_s: needs cors_origin or another origin";
    if (o->cors_preflight_continue)
        return "cors_preflight_continue: needs cors_origin or another origin";
    return NULL;
}

static const char *check_cors(const sio_options *o)
{
    bool list = o->cors_origins || o->cors_origin_patterns;
    const char *wrong;

    if ((o->cors_origin != NULL) + list + o->cors_reflect +
            (o->cors_request != NULL) >
        1)
        return "cors_origin, cors_origins with cors_origin_patterns, "
               "cors_reflect, cors_request: one of them";
    wrong = check_origins(o);
    if (!wrong)
        wrong = check_cors_values(o);
    return wrong ? wrong : check_cors_is_on(o);
}

/* --------------------------------------------------------------- cookie -- */

/* NULL, or the entry of `names` that `given` is, in any case of letters. */
static const char *pick(const char *given, const char *const *names)
{
    for (; given && *names; names++)
        if (str_eq_nocase(str_of(given), str_of(*names)))
            return *names;
    return NULL;
}

const char *options_priority(const char *given)
{
    static const char *const names[] = { "Low", "Medium", "High", NULL };

    return pick(given, names);
}

const char *options_same_site(const char *given)
{
    static const char *const names[] = { "Lax", "Strict", "None", NULL };

    return pick(given, names);
}

/* An attribute of a cookie that there is not. */
static const char *check_cookie_is_on(const sio_options *o)
{
    if (o->cookie_name)
        return NULL;
    if (o->cookie_domain)
        return "cookie_domain: needs cookie_name";
    if (o->cookie_max_age_s >= 0)
        return "cookie_max_age_s: needs cookie_name";
    if (o->cookie_secure)
        return "cookie_secure: needs cookie_name";
    if (o->cookie_partitioned)
        return "cookie_partitioned: needs cookie_name";
    if (o->cookie_priority)
        return "cookie_priority: needs cookie_name";
    return NULL;
}

static const char *check_cookie(const sio_options *o)
{
    if (o->cookie_priority && !options_priority(o->cookie_priority))
        return "cookie_priority: \"Low\", \"Medium\" or \"High\"";
    if (o->cookie_same_site && !options_same_site(o->cookie_same_site))
        return "cookie_same_site: \"Lax\", \"Strict\" or \"None\"";
    if (o->cookie_max_age_s < -1)
        return "cookie_max_age_s: -1, or 0 and more";
    if (o->cookie_name && !(o->transports & SIO_TRANSPORT_POLLING))
        return "cookie_name: needs polling in transports, whose handshake sets "
               "it";
    return check_cookie_is_on(o);
}

/* -------------------------------------------------------------- deflate -- */

static const char *check_deflate_is_on(const sio_options *o)
{
    if (o->per_message_deflate)
        return NULL;
    if (o->server_no_context_takeover)
        return "server_no_context_takeover: needs per_message_deflate";
    if (o->client_no_context_takeover)
        return "client_no_context_takeover: needs per_message_deflate";
    if (o->server_max_window_bits)
        return "server_max_window_bits: needs per_message_deflate";
    if (o->client_max_window_bits)
        return "client_max_window_bits: needs per_message_deflate";
    return NULL;
}

static const char *check_deflate(const sio_options *o)
{
    if (o->server_max_window_bits &&
        (o->server_max_window_bits < 9 || o->server_max_window_bits > 15))
        return "server_max_window_bits: 0 or 9 to 15";
    if (o->client_max_window_bits &&
        (o->client_max_window_bits < 8 || o->client_max_window_bits > 15))
        return "client_max_window_bits: 0 or 8 to 15";
    if (o->deflate_level < WS_DEFLATE_DEFAULT_LEVEL || o->deflate_level > 9)
        return "deflate_level: -1 to 9";
    return check_deflate_is_on(o);
}

/* ----------------------------------------------------------------- rest -- */

static const char *check_times(const sio_options *o)
{
    if (o->ping_interval_ms == 0)
        return "ping_interval_ms: must be at least 1";
    if (o->ping_timeout_ms == 0)
        return "ping_timeout_ms: must be at least 1";
    if (o->upgrade_timeout_ms == 0)
        return "upgrade_timeout_ms: must be at least 1";
    if (o->destroy_upgrade_timeout_ms == 0)
        return "destroy_upgrade_timeout_ms: must be at least 1";
    if (o->max_disconnection_duration_ms == 0)
        return "max_disconnection_duration_ms: must be at least 1";
    return NULL;
}

static const char *check_sizes(const sio_options *o)
{
    if (o->max_http_buffer_size == 0)
        return "max_http_buffer_size: must be at least 1 byte";
    if (o->max_json_depth == 0 || o->max_json_depth > 1000)
        return "max_json_depth: 1 to 1000";
    if (o->max_attachments == 0 || o->max_attachments > 1000)
        return "max_attachments: 1 to 1000";
    if (o->max_dynamic_namespaces == 0)
        return "max_dynamic_namespaces: must be at least 1";
    if (o->max_dynamic_namespaces_per_client == 0)
        return "max_dynamic_namespaces_per_client: must be at least 1";
    if (o->max_buffered_amount < 4096)
        return "max_buffered_amount: must be at least 4096 bytes";
    if (o->max_volatile_amount > o->max_buffered_amount)
        return "max_volatile_amount: at most max_buffered_amount";
    return NULL;
}

static const char *check_parser(const sio_options *o)
{
    const sio_parser *p = o->parser;

    if (!p || p == sio_json_parser() || p == sio_msgpack_parser())
        return NULL;
    if (p->size < sizeof *p || !p->name || !p->decode || !p->encode)
        return "parser: size, name, decode and encode must be set";
    return NULL;
}

static const char *check_cluster(const sio_options *o)
{
    const sio_cluster_ops *c = o->cluster;

    if (!c)
        return o->cluster_config ? "cluster_config: without cluster" : NULL;
    if (c->size < sizeof *c || !c->name || !c->open || !c->close ||
        !c->add_namespace || !c->remove_namespace || !c->send || !c->forget ||
        !c->get_stats)
        return "cluster: of its functions only room_changed, and those for "
               "sessions, may be missing";
    if (!c->save_session != !c->restore_session)
        return "cluster: save_session and restore_session go together";
    return NULL;
}

static const char *check_loops(const sio_options *o)
{
    if (o->loops > LOOPS_MAX)
        return "loops: at most 64";
    if (o->loops == 1 || options_loops(o) == 1)
        return NULL;
    if (o->event_base)
        return "loops: one on an event_base of the program's";
    return NULL;
}

static const char *check_rest(const sio_options *o)
{
    const unsigned all = SIO_TRANSPORT_POLLING | SIO_TRANSPORT_WEBSOCKET;

    if (o->transports == 0 || (o->transports & ~all))
        return "transports: SIO_TRANSPORT_POLLING, _WEBSOCKET or both";
    if (o->unmatched_status < 400 || o->unmatched_status > 599)
        return "unmatched_status: 400 to 599";
    if (o->forwarded > SIO_FORWARDED_RFC7239)
        return "forwarded: SIO_FORWARDED_ANY, _X or _RFC7239";
    if (o->initial_packet &&
        !utf8_valid(o->initial_packet, strlen(o->initial_packet)))
        return "initial_packet: must be valid UTF-8";
    if (o->initial_binary && o->initial_packet)
        return "initial_packet, initial_binary: one of them";
    if (!o->initial_binary && o->initial_binary_size)
        return "initial_binary_size: without initial_binary";
    if (o->client_dir && access(o->client_dir, R_OK | X_OK) < 0)
        return "client_dir: is no folder that can be read";
    if ((int)o->log_level < SIO_LOG_ERROR || (int)o->log_level > SIO_LOG_DEBUG)
        return "log_level: SIO_LOG_ERROR to SIO_LOG_DEBUG";
    return NULL;
}

const char *options_check(const sio_options *o)
{
    static const char *(*const checks[])(const sio_options *o) = {
        check_path,    check_times,  check_sizes, check_cors,    check_cookie,
        check_deflate, check_parser, check_loops, check_cluster, check_rest,
    };

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        const char *wrong = checks[i](o);

        if (wrong)
            return wrong;
    }
    return NULL;
}
