/*
 * redis_emitter.c -- the emitter: its loop, what waits for Redis, its end; see
 * redis_emitter.h.
 *
 * Calls of any thread write a message and post it; the loop hands it to the
 * client of Redis. A message is open until Redis has answered, or cannot.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_emitter.h"

#include "protocol/base/str.h"
#include "src/net/conn.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void say_line(const sio_emitter *e, sio_log_level level, const char *fmt,
                     ...) __attribute__((format(printf, 3, 4)));

static void say_line(const sio_emitter *e, sio_log_level level, const char *fmt,
                     ...)
{
    char line[320];
    va_list ap;

    if (!e->log)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    e->log(e->log_user, level, line);
}

/* --------------------------------------------------------------- messages --
 */

/* At most one line in so long. */
static void warn(sio_emitter *e, const char *why)
{
    e->unsaid++;
    if (e->warned_ms && e->loop.now_ms - e->warned_ms < CL_WARN_MS)
        return;
    e->warned_ms = e->loop.now_ms ? e->loop.now_ms : 1;
    say_line(e, SIO_LOG_ERROR,
             "emitter: a message did not reach Redis: %.200s (%llu so far)",
             why, (unsigned long long)e->unsaid);
    e->unsaid = 0;
}

static void message_end(struct emitter_message *m, const char *why)
{
    sio_emitter *e = m->emitter;

    if (why)
        warn(e, why);
    pthread_mutex_lock(&e->lock);
    list_remove(&m->node);
    e->pending--;
    e->queued -= m->bytes;
    if (why) {
        e->dropped++;
        e->lost = true;
    } else {
        e->sent++;
    }
    pthread_cond_broadcast(&e->ended);
    pthread_mutex_unlock(&e->lock);
    free(m);
}

static void on_reply(void *self, int status, const struct redis_reply *reply)
{
    char why[REDIS_WHY];
    const bool refused = status == SIO_OK && reply->type == REDIS_ERROR;

    if (refused)
        snprintf(why, sizeof why, "%.*s",
                 (int)(reply->text.n < 150 ? reply->text.n : 150),
                 reply->text.p);
    else
        snprintf(why, sizeof why, "%s", sio_strerror(status));
    message_end(self, status < 0 || refused ? why : NULL);
}

static void on_mail(struct net_mail *mail)
{
    struct emitter_message *m =
        container_of(mail, struct emitter_message, mail);
    const sio_str key = m->key ? m->argv[m->key] : (sio_str){ NULL, 0 };
    int r =
        redis_command(m->emitter->redis, key, m->argv, m->argc, on_reply, m);

    if (r < 0)
        message_end(m, sio_strerror(r));
}

/* Its number, and room for it. */
static bool enter(sio_emitter *e, struct emitter_message *m)
{
    const size_t max = e->options.max_queued;
    bool fits;

    pthread_mutex_lock(&e->lock);
    fits = m->bytes <= max && e->queued <= max - m->bytes;
    if (fits) {
        m->number = ++e->numbers;
        e->pending++;
        e->queued += m->bytes;
        list_append(&e->open, &m->node);
        net_post(&e->loop, &m->mail); /* within: in the order of numbers */
    } else {
        e->dropped++;
        e->lost = true;
    }
    pthread_mutex_unlock(&e->lock);
    return fits;
}

int emitter_say(sio_emitter *e, const sio_str *argv, size_t argc, size_t key)
{
    struct emitter_message *m;
    size_t n = 0;
    char *at;

    for (size_t i = 0; i < argc; i++)
        n += argv[i].n;
    m = malloc(sizeof *m + n);
    if (!m)
        return SIO_E_NOMEM;
    m->mail.run = on_mail;
    m->emitter = e;
    m->bytes = sizeof *m + n;
    m->argc = argc;
    m->key = key;
    at = m->text;
    for (size_t i = 0; i < argc; i++) {
        if (argv[i].n)
            memcpy(at, argv[i].p, argv[i].n);
        m->argv[i] = (sio_str){ at, argv[i].n };
        at += argv[i].n;
    }
    if (enter(e, m))
        return SIO_OK;
    free(m);
    return SIO_E_LIMIT;
}

/* ------------------------------------------------------- what is going on --
 */

static void on_state(void *self, enum redis_state state, const char *why)
{
    sio_emitter *e = self;

    pthread_mutex_lock(&e->lock);
    e->state = redis_cluster_state(state);
    pthread_mutex_unlock(&e->lock);
    if (state == e->said)
        return;
    e->said = state;
    if (state == REDIS_READY)
        say_line(e, SIO_LOG_INFO, "emitter: connected to Redis");
    else if (state == REDIS_DEGRADED)
        say_line(e, SIO_LOG_ERROR, "emitter: Redis is away: %.200s", why);
}

void sio_emitter_get_stats(sio_emitter *e, sio_emitter_stats *out)
{
    pthread_mutex_lock(&e->lock);
    *out = (sio_emitter_stats){ .state = e->state,
                                .pending = e->pending,
                                .queued_bytes = e->queued,
                                .sent = e->sent,
                                .dropped = e->dropped };
    pthread_mutex_unlock(&e->lock);
}

/* --------------------------------------------------------------- flushing --
 */

static struct timespec deadline_in(uint32_t ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

static bool any_before(const sio_emitter *e, uint64_t number)
{
    return !list_empty(&e->open) &&
           container_of(e->open.next, struct emitter_message, node)->number <=
               number;
}

int sio_emitter_flush(sio_emitter *e, uint32_t timeout_ms)
{
    const struct timespec deadline = deadline_in(timeout_ms);
    uint64_t number;
    int r = SIO_OK, error = 0;

    if (e->threaded ? pthread_equal(e->thread, pthread_self())
                    : net_loop_is_current(&e->loop))
        return SIO_E_STATE;
    pthread_mutex_lock(&e->lock);
    number = e->numbers;
    while (any_before(e, number) && error == 0)
        error = pthread_cond_timedwait(&e->ended, &e->lock, &deadline);
    if (any_before(e, number))
        r = SIO_E_TIMEOUT;
    else if (e->lost)
        r = SIO_E_SYS;
    if (r != SIO_E_TIMEOUT)
        e->lost = false;
    pthread_mutex_unlock(&e->lock);
    return r;
}

/* --------------------------------------------------------------- beginning --
 */

static void *run(void *arg)
{
    net_loop_run(&((sio_emitter *)arg)->loop);
    return NULL;
}

/* Signals are the program's. */
static int start_thread(sio_emitter *e)
{
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&e->thread, NULL, run, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return SIO_E_SYS;
    pthread_setname_np(e->thread, "sio-emitter");
    return SIO_OK;
}

static const char *keep(sio_emitter *e, const char *text)
{
    const size_t n = strlen(text) + 1;
    char *copy = arena_alloc(&e->strings, n);

    return copy ? memcpy(copy, text, n) : NULL;
}

/* What is needed later; redis_open() copies the rest. */
static int keep_strings(sio_emitter *e)
{
    sio_redis_options *o = &e->options;

    o->prefix = keep(e, o->prefix);
    if (o->stream_name)
        o->stream_name = keep(e, o->stream_name);
    return o->prefix && (o->stream_name || o->adapter != SIO_REDIS_STREAMS)
               ? SIO_OK
               : SIO_E_NOMEM;
}

static int open_redis(sio_emitter *e, char *why, size_t size)
{
    static const struct redis_ops ops = { on_state };
    const char *problem = redis_settings_problem(&e->options);
    struct redis_options client;
    int r;

    if (problem) {
        snprintf(why, size, "%s", problem);
        return SIO_E_INVAL;
    }
    redis_settings_client(&e->options, &client);
    client.max_queued = SIZE_MAX / 4; /* messages are counted by us */
    r = keep_strings(e);
    if (r == SIO_OK)
        r = redis_open(&e->loop, &client, &ops, e, &e->redis, why, size);
    return r;
}

/* As redis_open(); with a loop. */
static int open_emitter(sio_emitter *e, char *why, size_t size)
{
    int r = open_redis(e, why, size);

    if (r == SIO_OK && e->threaded)
        r = start_thread(e);
    if (r == SIO_OK)
        return r;
    if (e->redis)
        redis_close(e->redis);
    net_loop_destroy(&e->loop);
    return r;
}

static bool init_lock(sio_emitter *e)
{
    pthread_condattr_t monotonic;
    bool ok;

    if (pthread_condattr_init(&monotonic) != 0)
        return false;
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    ok = pthread_cond_init(&e->ended, &monotonic) == 0;
    pthread_condattr_destroy(&monotonic);
    if (ok && pthread_mutex_init(&e->lock, NULL) != 0) {
        pthread_cond_destroy(&e->ended);
        ok = false;
    }
    return ok;
}

static void free_parts(sio_emitter *e)
{
    pthread_cond_destroy(&e->ended);
    pthread_mutex_destroy(&e->lock);
    arena_free(&e->strings);
    free(e);
}

sio_emitter *sio_emitter_new(const sio_emitter_options *given)
{
    sio_emitter_options options;
    struct net_loop_config config = { .base = NULL };
    char why[REDIS_WHY] = "out of memory";
    sio_emitter *e = calloc(1, sizeof *e);
    int r;

    sio_emitter_options_init(&options);
    if (given)
        memcpy(&options, given,
               given->size < sizeof options ? given->size : sizeof options);
    if (!e || !init_lock(e)) {
        free(e);
        return NULL;
    }
    e->log = options.log;
    e->log_user = options.log_user;
    e->threaded = !options.event_base;
    e->state = SIO_CLUSTER_CONNECTING;
    list_init(&e->open);
    arena_init(&e->strings);
    redis_settings_read(&e->options, options.redis);
    config.base = options.event_base;
    r = net_loop_init(&e->loop, &config);
    if (r == SIO_OK)
        r = open_emitter(e, why, sizeof why);
    if (r == SIO_OK)
        return e;
    say_line(e, SIO_LOG_ERROR, "emitter: %s", why);
    free_parts(e);
    return NULL;
}

/* What was posted is written yet, as far as the kernel takes it. */
void sio_emitter_free(sio_emitter *e)
{
    if (!e)
        return;
    if (e->threaded) {
        net_loop_stop(&e->loop);
        pthread_join(e->thread, NULL);
    }
    net_loop_deliver(&e->loop);
    redis_close(e->redis);
    net_conn_flush_all(&e->loop);
    net_loop_destroy(&e->loop);
    free_parts(e);
}
