/*
 * test_redis_emitter.c -- the emitter on the loop of a test, against a server
 * that does what the test says; and with a thread of its own, without one. What
 * it publishes is compared with Node's emitters in tests/cluster.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/flow/fake_redis.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <sio/emitter.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

static struct fake_redis f;
static sio_emitter *out;
static char logged[4000];

static void on_log(void *user, sio_log_level level, const char *message)
{
    size_t at = strlen(logged);

    (void)user;
    snprintf(logged + at, sizeof logged - at, "%d %s|", (int)level, message);
}

static sio_emitter *open_with(const sio_redis_options *redis,
                              struct event_base *base)
{
    sio_emitter_options o;

    sio_emitter_options_init(&o);
    o.redis = redis;
    o.event_base = base;
    o.log = on_log;
    return sio_emitter_new(&o);
}

/* On the loop of the server; it is connected. */
static void begin(sio_redis_kind kind, size_t max_queued)
{
    struct redis_options unused;
    sio_redis_options redis;

    logged[0] = 0;
    fake_begin(&f, &unused);
    sio_redis_options_init(&redis);
    redis.url = f.url;
    redis.adapter = kind;
    redis.max_queued = max_queued;
    out = open_with(&redis, f.loop.base);
    CHECK(out, "none: %s", logged);
    for (int i = 0; i < 100 && f.count == 0; i++)
        event_base_loop(f.loop.base, EVLOOP_ONCE);
    fake_turns(&f, 5);
    fake_let_in(&f, 0);
    fake_turns(&f, 5);
}

static void end(void)
{
    sio_emitter_free(out);
    fake_turns(&f, 5);
    fake_end(&f);
}

static void check_heard(const char *want)
{
    const char *heard = fake_heard(&f, 0);

    CHECK(strcmp(heard, want) == 0, "'%s', want '%s'", heard, want);
}

static sio_emitter_stats stats(void)
{
    sio_emitter_stats s;

    sio_emitter_get_stats(out, &s);
    return s;
}

static void test_saying(void)
{
    T_CASE("R52: rooms, joining, disconnecting");
    begin(SIO_REDIS_CLASSIC, 1 << 20);
    CHECK(strcmp(logged, "2 emitter: connected to Redis|") == 0, "%s", logged);
    CHECK(sio_emitter_emit(sio_emitter_to(out, "a"), "ev") == SIO_OK, "emit");
    CHECK(sio_emitter_disconnect_sockets(sio_emitter_of(out, "c"), true) ==
              SIO_OK,
          "disconnect");
    CHECK(sio_emitter_sockets_join(out, "x", "y") == SIO_OK, "join");
    CHECK(sio_emission_sockets_join(sio_emitter_of(out, "/"), NULL, 0) ==
              SIO_OK,
          "nothing to join");
    fake_turns(&f, 3);
    check_heard("PUBLISH socket.io#/#a# ; PUBLISH socket.io-request#/c# ; "
                "PUBLISH socket.io-request#/# ; ");
    CHECK(stats().pending == 3 && stats().queued_bytes > 0, "%zu",
          stats().pending);
    CHECK(sio_emitter_flush(out, 1000) == SIO_E_STATE, "waits for itself");
    fake_say(&f, 0, ":1\r\n:0\r\n-NOPERM no\r\n");
    CHECK(stats().pending == 0 && stats().queued_bytes == 0, "%zu",
          stats().pending);
    CHECK(stats().sent == 2 && stats().dropped == 1, "%d",
          (int)stats().dropped);
    CHECK(strstr(logged, "0 emitter: a message did not reach Redis: NOPERM no "
                         "(1 so far)|"),
          "%s", logged);
    end();

    T_CASE("R73: a stream");
    begin(SIO_REDIS_STREAMS, 1 << 20);
    CHECK(sio_emitter_server_side_emit(out, "ev", sio_int(1)) == SIO_OK,
          "notify");
    fake_turns(&f, 3);
    check_heard("XADD socket.io MAXLEN ~ 10000 * uid emitter nsp / type 9 data "
                "{\"packet\":[\"ev\",1]}; ");
    end();

    T_CASE("R52: sharded, for which Node has none");
    begin(SIO_REDIS_SHARDED, 1 << 20);
    CHECK(sio_emitter_emit(sio_emitter_to(out, "a"), "ev") == SIO_OK, "emit");
    CHECK(sio_emitter_sockets_leave(out, "x") == SIO_OK, "leave");
    fake_turns(&f, 3);
    check_heard("SPUBLISH socket.io#/#a# ; SPUBLISH socket.io#/# ; ");
    end();
}

static void test_refused(void)
{
    static const char *const rooms[2] = { "a", NULL };
    sio_emission e;

    T_CASE("R52: what cannot be said is refused, and nothing is sent");
    begin(SIO_REDIS_CLASSIC, 3000);
    e = sio_emitter_of(out, "/");
    CHECK(sio_emitter_emit(out, NULL) == SIO_E_INVAL, "no event");
    CHECK(sio_emitter_emit(out, "\xff") == SIO_E_INVAL, "no UTF-8");
    CHECK(sio_emitter_emit(out, "ev", sio_string("\xff")) == SIO_E_INVAL,
          "no UTF-8");
    CHECK(sio_emitter_emit(out, "ev", sio_raw_json("{", 1)) == SIO_E_INVAL,
          "no JSON");
    CHECK(sio_emitter_emit(out, "disconnect") == SIO_E_RESERVED, "reserved");
    CHECK(sio_emitter_server_side_emit(out, "connection") == SIO_E_RESERVED,
          "reserved");
    CHECK(sio_emitter_emit(sio_emitter_to(out, "\xff"), "ev") == SIO_E_INVAL,
          "a room");
    CHECK(sio_emitter_emit(sio_emitter_of(out, NULL), "ev") == SIO_E_INVAL,
          "no namespace");
    CHECK(sio_emission_sockets_join(e, rooms, 2) == SIO_E_INVAL, "no room");
    CHECK(sio_emission_sockets_leave(e, rooms, 1025) == SIO_E_LIMIT, "rooms");
    for (int i = 0; i < SIO_TARGET_ROOMS; i++)
        e = sio_emitter_except(sio_emitter_to(e, "r"), "x");
    CHECK(sio_emitter_emit(e, "ev") == SIO_OK, "as many as fit");
    CHECK(sio_emitter_emit(sio_emitter_to(e, "r"), "ev") == SIO_E_LIMIT,
          "a room too many");
    CHECK(sio_emitter_emit(sio_emitter_except(e, "r"), "ev") == SIO_E_LIMIT,
          "an exception too many");
    CHECK(stats().pending == 1 && stats().dropped == 0, "%zu", stats().pending);

    T_CASE("R52: what waits is limited");
    for (int i = 0; i < 100; i++)
        (void)sio_emitter_emit(out, "ev");
    CHECK(sio_emitter_emit(out, "ev") == SIO_E_LIMIT, "no limit");
    CHECK(stats().queued_bytes <= 3000 && stats().pending > 3, "%zu",
          stats().queued_bytes);
    CHECK(stats().dropped + stats().pending == 102, "%d", (int)stats().dropped);
    end();
}

/* ----------------------------------------------------------------- threads */

#define EVENTS 200

static void *emit_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < EVENTS; i++)
        if (sio_emitter_emit(out, "ev", sio_int(i)) != SIO_OK)
            abort();
    (void)sio_emitter_flush(out, 1);
    return NULL;
}

static void test_threads(void)
{
    sio_redis_options redis;
    pthread_t threads[2];

    T_CASE("R52: a thread of its own: any thread speaks, and waits");
    logged[0] = 0;
    sio_redis_options_init(&redis);
    redis.url = "unix:@libsio-no-such-redis";
    redis.command_timeout_ms = 20;
    out = open_with(&redis, NULL);
    CHECK(out, "none: %s", logged);
    CHECK(sio_emitter_flush(out, 1000) == SIO_OK, "nothing to wait for");
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, emit_some, NULL) == 0, "%d", i);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    (void)sio_emitter_emit(out, "ev");
    CHECK(sio_emitter_flush(out, 20000) == SIO_E_SYS, "not told");
    CHECK(sio_emitter_flush(out, 1000) == SIO_OK, "told twice");
    CHECK(stats().dropped == 2 * EVENTS + 1 && stats().pending == 0, "%d",
          (int)stats().dropped);
    CHECK(stats().state == SIO_CLUSTER_DEGRADED, "%d", (int)stats().state);
    (void)sio_emitter_emit(out, "ev");
    CHECK(sio_emitter_flush(out, 0) == SIO_E_TIMEOUT, "no timeout");
    sio_emitter_free(out);
    CHECK(strstr(logged, "0 emitter: Redis is away: "), "%s", logged);

    T_CASE("R52: options that are wrong are named");
    logged[0] = 0;
    redis.url = "http://h";
    CHECK(!open_with(&redis, NULL), "opened");
    redis.url = "redis://h";
    redis.prefix = NULL;
    CHECK(!open_with(&redis, NULL), "opened");
    CHECK(strcmp(logged, "0 emitter: not the url of a Redis server|"
                         "0 emitter: prefix: is needed|") == 0,
          "%s", logged);
    sio_emitter_free(NULL);
}

/* ------------------------------------------------------------ out of memory */

static void test_oom(void)
{
    T_CASE("R52: every allocation of an emitter fails once");
    for (long n = 0; n < 1000; n++) {
        sio_redis_options redis;
        struct event_base *base = event_base_new();
        bool failed;

        sio_redis_options_init(&redis);
        redis.url = "unix:@libsio-no-such-redis";
        oom_arm(n);
        out = open_with(&redis, base);
        if (out) {
            sio_emitter_stats s;
            int r = sio_emitter_emit(sio_emitter_to(out, "a"), "ev");

            sio_emitter_get_stats(out, &s);
            CHECK(r == SIO_OK ? s.pending == 1
                              : r == SIO_E_NOMEM && s.pending == 0,
                  "%ld: %d, %zu", n, r, s.pending);
            (void)sio_emitter_sockets_join(out, "x");
        }
        failed = oom_disarm();
        sio_emitter_free(out);
        event_base_free(base);
        if (!failed) {
            CHECK(n > 10, "only %ld allocations", n);
            break;
        }
    }
}

int main(void)
{
    test_saying();
    test_refused();
    test_threads();
    test_oom();
    return t_done();
}
