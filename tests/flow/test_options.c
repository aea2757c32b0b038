/*
 * test_options.c -- options that cannot be: the server is not made, and the log
 * names the field.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/world.h"

#define ANY "http://a.b"

static struct world w;
static const char *const origins[] = { "http://a.b", "http://c.d" };
static const char *const with_null[] = { "http://a.b", NULL };
static const char *const with_line[] = { "http://a.b\r\n" };
static const char *const no_regex[] = { "http://(a.b" };

static void ask(sio_http_call *call, void *user)
{
    (void)user;
    sio_call_next(call);
}

/* clang-format off */
#define WRONG(X)                                                              \
    X(path, o->path = NULL)                                                   \
    X(path, o->path = "")                                                     \
    X(path, o->path = "socket.io")                                            \
    X(path, o->path = "/socket io")                                           \
    X(path, o->path = "/socket.io?")                                          \
    X(path, o->path = "/socket.io#")                                          \
    X(path, o->path = "/s\xc3\xa9")                                           \
    X(path, o->path = "/a\x7f")                                               \
    X(path, o->path = "/a\r\n")                                               \
    X(ping_interval_ms, o->ping_interval_ms = 0)                              \
    X(ping_timeout_ms, o->ping_timeout_ms = 0)                                \
    X(upgrade_timeout_ms, o->upgrade_timeout_ms = 0)                          \
    X(destroy_upgrade_timeout_ms, o->destroy_upgrade_timeout_ms = 0)          \
    X(max_http_buffer_size, o->max_http_buffer_size = 0)                      \
    X(max_json_depth, o->max_json_depth = 0)                                  \
    X(max_json_depth, o->max_json_depth = 1001)                               \
    X(max_attachments, o->max_attachments = 0)                                \
    X(max_attachments, o->max_attachments = 1001)                             \
    X(max_buffered_amount, o->max_buffered_amount = 4095)                     \
    X(transports, o->transports = 0)                                          \
    X(transports, o->transports = 4)                                          \
    X(unmatched_status, o->unmatched_status = 399)                            \
    X(unmatched_status, o->unmatched_status = 600)                            \
    X(initial_packet, o->initial_packet = "\xff")                             \
    X(initial_binary, o->initial_packet = "a"; o->initial_binary = "b")       \
    X(initial_binary_size, o->initial_binary_size = 1)                        \
    X(client_dir, o->client_dir = "no/such/folder")                           \
    X(cors_reflect, o->cors_origin = "*"; o->cors_reflect = true)             \
    X(cors_origins, o->cors_origin = "*"; o->cors_origins = origins)          \
    X(cors_origin_patterns, o->cors_reflect = true;                           \
      o->cors_origin_patterns = origins)                                      \
    X(cors_request, o->cors_origin = ANY; o->cors_request = ask)              \
    X(cors_request, o->cors_reflect = true; o->cors_request = ask)            \
    X(cors_origins, o->cors_origins = with_null; o->cors_origin_count = 2)    \
    X(cors_origins, o->cors_origins = with_line; o->cors_origin_count = 1)    \
    X(cors_origin_count, o->cors_origin_count = 1)                            \
    X(cors_origin_patterns, o->cors_origin_patterns = with_null;              \
      o->cors_origin_pattern_count = 2)                                       \
    X(cors_origin_patterns, o->cors_origin_patterns = no_regex;               \
      o->cors_origin_pattern_count = 1)                                       \
    X(cors_origin_pattern_count, o->cors_origin_pattern_count = 1)            \
    X(cors_origin, o->cors_origin = "a\r\nb: c")                              \
    X(cors_methods, o->cors_origin = ANY; o->cors_methods = "a\n")            \
    X(cors_allowed_headers, o->cors_origin = ANY;                             \
      o->cors_allowed_headers = "a\n")                                        \
    X(cors_exposed_headers, o->cors_origin = ANY;                             \
      o->cors_exposed_headers = "a\x7f")                                      \
    X(cors_success_status, o->cors_success_status = 199)                      \
    X(cors_success_status, o->cors_success_status = 300)                      \
    X(cors_max_age_s, o->cors_origin = ANY; o->cors_max_age_s = -2)           \
    X(cors_credentials, o->cors_credentials = true)                           \
    X(cors_allowed_headers, o->cors_allowed_headers = "a")                    \
    X(cors_exposed_headers, o->cors_exposed_headers = "a")                    \
    X(cors_max_age_s, o->cors_max_age_s = 0)                                  \
    X(cors_preflight_continue, o->cors_preflight_continue = true)             \
    X(allowed_origins, o->allowed_origins = with_null;                        \
      o->allowed_origin_count = 2)                                            \
    X(allowed_origin_count, o->allowed_origin_count = 1)                      \
    X(cookie_name, o->cookie_name = "a b")                                    \
    X(cookie_name, o->cookie_name = "")                                       \
    X(cookie_name, o->cookie_name = "io";                                     \
      o->transports = SIO_TRANSPORT_WEBSOCKET)                                \
    X(cookie_path, o->cookie_name = "io"; o->cookie_path = "/;")              \
    X(cookie_domain, o->cookie_name = "io"; o->cookie_domain = "a\n")         \
    X(cookie_same_site, o->cookie_name = "io"; o->cookie_same_site = "often") \
    X(cookie_priority, o->cookie_name = "io"; o->cookie_priority = "urgent")  \
    X(cookie_max_age_s, o->cookie_name = "io"; o->cookie_max_age_s = -2)      \
    X(cookie_domain, o->cookie_domain = "a.b")                                \
    X(cookie_max_age_s, o->cookie_max_age_s = 1)                              \
    X(cookie_secure, o->cookie_secure = true)                                 \
    X(cookie_partitioned, o->cookie_partitioned = true)                       \
    X(cookie_priority, o->cookie_priority = "Low")                            \
    X(server_max_window_bits, o->per_message_deflate = true;                  \
      o->server_max_window_bits = 8)                                          \
    X(server_max_window_bits, o->per_message_deflate = true;                  \
      o->server_max_window_bits = 16)                                         \
    X(client_max_window_bits, o->per_message_deflate = true;                  \
      o->client_max_window_bits = 7)                                          \
    X(client_max_window_bits, o->per_message_deflate = true;                  \
      o->client_max_window_bits = 16)                                         \
    X(deflate_level, o->deflate_level = -2)                                   \
    X(deflate_level, o->deflate_level = 10)                                   \
    X(server_no_context_takeover, o->server_no_context_takeover = true)       \
    X(client_no_context_takeover, o->client_no_context_takeover = true)       \
    X(server_max_window_bits, o->server_max_window_bits = 9)                  \
    X(client_max_window_bits, o->client_max_window_bits = 9)

/* clang-format on */

enum {
#define COUNT_ONE(field, ...) +1
    WRONG_COUNT = WRONG(COUNT_ONE)
};

/* Make the n-th of them wrong; says which field that is, and how. */
static const char *spoil(sio_options *o, int n, const char **how)
{
    int i = 0;

#define SPOIL(field, ...)    \
    if (i++ == n) {          \
        __VA_ARGS__;         \
        *how = #__VA_ARGS__; \
        return #field;       \
    }
    WRONG(SPOIL)
    return "";
}

static void test_wrong(void)
{
    for (int n = 0; n < WRONG_COUNT; n++) {
        const char *how = "", *field;
        sio_options o;

        sio_options_init(&o);
        field = spoil(&o, n, &how);
        T_CASE("options: %s: %s", field, how);
        CHECK(!world_open(&w, &o), "taken");
        CHECK(strstr(w.log, field), "log: %s", w.log);
        if (w.server)
            world_close(&w);
    }
}

/* On the limit, or together, they can be. */
#define RIGHT(X)                                                           \
    X(o->path = "/")                                                       \
    X(o->path = "/a/b-~%20")                                               \
    X(o->transports = SIO_TRANSPORT_WEBSOCKET)                             \
    X(o->unmatched_status = 599)                                           \
    X(o->max_buffered_amount = 4096)                                       \
    X(o->cors_origins = origins; o->cors_origin_count = 2;                 \
      o->cors_origin_patterns = origins; o->cors_origin_pattern_count = 2) \
    X(o->cors_origins = origins)                                           \
    X(o->cors_request = ask; o->cors_credentials = true;                   \
      o->cors_max_age_s = 0)                                               \
    X(o->cors_origin = "*"; o->cors_credentials = true)                    \
    X(o->cookie_name = "io"; o->cookie_same_site = "none";                 \
      o->cookie_priority = "HIGH"; o->cookie_secure = true;                \
      o->cookie_partitioned = true; o->cookie_max_age_s = 0)               \
    X(o->per_message_deflate = true; o->server_max_window_bits = 9;        \
      o->client_max_window_bits = 8; o->deflate_level = 0)                 \
    X(o->deflate_level = -1)                                               \
    X(o->client_dir = "tests")                                             \
    X(o->size = sizeof *o + 64)                                            \
    X(o->destroy_upgrade = false)

static void test_right(void)
{
    union {
        sio_options o;
        char room[sizeof(sio_options) + 64]; /* of a newer caller */
    } u;
    sio_options *o = &u.o;

#define TRY(...)                                    \
    T_CASE("options: %s can be", #__VA_ARGS__);     \
    memset(&u, 0xa5, sizeof u);                     \
    sio_options_init(o);                            \
    __VA_ARGS__;                                    \
    CHECK(world_open(&w, o), "refused: %s", w.log); \
    if (w.server)                                   \
        world_close(&w);
    RIGHT(TRY)
}

static void test_size(void)
{
    sio_options o;

    T_CASE("options: never initialised");
    memset(&o, 0, sizeof o);
    CHECK(!sio_server_new(&o), "taken");
    sio_options_init(&o);
    o.size = sizeof o.size;
    CHECK(!sio_server_new(&o), "taken");
    CHECK(world_open(&w, NULL), "no server");
    CHECK(!sio_engine_new(w.server, &o, NULL, NULL), "taken");
    CHECK(strstr(w.log, "size: "), "%s", w.log);
    world_close(&w);

    T_CASE("options: log_level: no such level");
    sio_options_init(&o);
    o.log_level = (sio_log_level)4;
    CHECK(!sio_server_new(&o), "taken");

    T_CASE("options: an engine's are looked at, too");
    CHECK(world_open(&w, NULL), "no server");
    sio_options_init(&o);
    o.cors_origin_patterns = no_regex;
    o.cors_origin_pattern_count = 1;
    CHECK(!sio_engine_new(
              w.server, &o,
              &(sio_engine_handlers){ .size = sizeof(sio_engine_handlers) },
              NULL),
          "taken");
    CHECK(strstr(w.log, "cors_origin_patterns"), "%s", w.log);
    world_close(&w);
}

static void test_defaults(void)
{
    sio_options o;

    T_CASE("engineio.md 0: the defaults are Node's");
    sio_options_init(&o);
    CHECK(strcmp(o.path, "/socket.io") == 0 && o.add_trailing_slash, "path");
    CHECK(o.ping_interval_ms == 25000 && o.ping_timeout_ms == 20000, "pings");
    CHECK(o.upgrade_timeout_ms == 10000 && o.connect_timeout_ms == 45000,
          "timeouts");
    CHECK(o.max_http_buffer_size == 1000000, "payload");
    CHECK(o.transports == (SIO_TRANSPORT_POLLING | SIO_TRANSPORT_WEBSOCKET) &&
              o.allow_upgrades && !o.allow_eio3,
          "transports");
    CHECK(o.http_compression && o.http_compression_threshold == 1024 &&
              !o.per_message_deflate && o.per_message_deflate_threshold == 1024,
          "compression");
    CHECK(!o.cors_origin && !o.cors_origins && !o.cors_origin_patterns &&
              !o.cors_reflect && !o.cors_request && !o.cors_credentials &&
              o.cors_max_age_s == -1 && o.cors_success_status == 204,
          "cors");
    CHECK(!o.cookie_name && strcmp(o.cookie_path, "/") == 0 &&
              o.cookie_http_only && strcmp(o.cookie_same_site, "Lax") == 0,
          "cookie");
    CHECK(o.destroy_upgrade && o.destroy_upgrade_timeout_ms == 1000 &&
              o.unmatched_status == 404,
          "strays");
    CHECK(!o.initial_packet && !o.allow_request && !o.generate_id, "hooks");
}

int main(void)
{
    test_wrong();
    test_right();
    test_size();
    test_defaults();
    return t_done();
}
