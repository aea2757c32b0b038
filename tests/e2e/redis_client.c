/*
 * redis_client.c -- the Redis client of the adapters, told by lines what to do:
 *
 *     redis NAME=VALUE...     url, user, password, db, cluster, ca, insecure,
 *                             certificate, key, max_queued, command, connect,
 *                             ping, backoff_max
 *
 *     open                    first of all
 *     ask ID KEY ARG...       KEY "-": none; "@N" for an ARG is N bytes
 *     sub ID KIND NAME        channel, pattern, shard
 *     unsub ID
 *     count ID KIND NAME
 *     stats
 *
 * It says, a line each:
 *
 *     state STATE WHY
 *     reply ID STATUS TEXT    arrays as [a b]
 *     status ID + or - WHY
 *     message ID CHANNEL PAYLOAD      of long ones, how many bytes
 *     stats JSON
 *
 * IDs are numbers below MAX. It ends on SIGTERM and with its input.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/str.h"
#include "src/adapter/redis_conn.h"
#include "src/net/signal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX 4096
#define WORDS 16

static struct net_loop loop;
static struct redis_options options;
static struct redis *client;
static struct redis_sub *subs[MAX];
static struct event input;
static char line[1 << 16];
static size_t line_len;

/* --------------------------------------------------------------- telling -- */

static void *id_of(long id)
{
    return &subs[id];
}

static long of_id(void *self)
{
    return (long)((struct redis_sub **)self - subs);
}

static void print_text(sio_str s)
{
    if (s.n > 200)
        printf("<%zu bytes>", s.n);
    else
        fwrite(s.p, 1, s.n, stdout);
}

static void print_reply(const struct redis_reply *reply)
{
    const char *space = "";

    if (reply->type == REDIS_INTEGER)
        printf("%" PRId64, reply->integer);
    else if (reply->type == REDIS_NIL)
        printf("nil");
    else if (reply->type != REDIS_ARRAY)
        print_text(reply->text);
    if (reply->type != REDIS_ARRAY)
        return;
    printf("[");
    for (const struct redis_reply *i = reply->first; i; i = i->next) {
        printf("%s", space);
        print_reply(i);
        space = " ";
    }
    printf("]");
}

static void on_reply(void *self, int status, const struct redis_reply *reply)
{
    printf("reply %ld %d ", of_id(self), status);
    if (reply)
        print_reply(reply);
    printf("\n");
}

static void on_count(void *self, int status, uint64_t count)
{
    printf("reply %ld %d %" PRIu64 "\n", of_id(self), status, count);
}

static void on_message(void *self, sio_str channel, sio_str payload)
{
    printf("message %ld ", of_id(self));
    print_text(channel);
    printf(" ");
    print_text(payload);
    printf("\n");
}

static void on_status(void *self, bool active, const char *why)
{
    printf("status %ld %s %s\n", of_id(self), active ? "+" : "-",
           why ? why : "");
}

static const struct redis_sub_ops sub_ops = { on_message, on_status };

static const char *state_name(enum redis_state state)
{
    static const char *const names[] = { "connecting", "ready", "degraded" };

    return names[state];
}

static void on_state(void *self, enum redis_state state, const char *why)
{
    (void)self;
    printf("state %s %s\n", state_name(state), why);
}

static const struct redis_ops ops = { on_state };

static void tell_stats(void)
{
    struct redis_stats s;

    redis_get_stats(client, &s);
    printf("stats {\"state\":\"%s\",\"links\":%zu,\"connects\":%" PRIu64
           ",\"failures\":%" PRIu64 ",\"commands\":%" PRIu64
           ",\"failed\":%" PRIu64 ",\"dropped\":%" PRIu64
           ",\"redirects\":%" PRIu64 ",\"messages\":%" PRIu64
           ",\"queued\":%zu,\"subscriptions\":%zu}\n",
           state_name(s.state), s.links, s.connects, s.failures, s.commands,
           s.failed, s.dropped, s.redirects, s.messages, s.queued,
           s.subscriptions);
}

/* ----------------------------------------------------------------- doing -- */

static enum redis_kind kind_of(const char *word)
{
    if (strcmp(word, "shard") == 0)
        return REDIS_SHARD;
    return strcmp(word, "pattern") == 0 ? REDIS_PATTERN : REDIS_CHANNEL;
}

static void do_ask(long id, char **words, size_t n)
{
    sio_str argv[WORDS], key = str_of(words[2]);
    char *big = NULL;
    size_t argc = n - 3;
    int r;

    if (str_eq(key, STR("-")))
        key.n = 0;
    for (size_t i = 0; i < argc; i++) {
        argv[i] = str_of(words[i + 3]);
        if (argv[i].p[0] != '@')
            continue;
        argv[i].n = strtoul(argv[i].p + 1, NULL, 10);
        argv[i].p = big = calloc(1, argv[i].n + 1);
    }
    r = redis_command(client, key, argv, argc, on_reply, id_of(id));
    if (r < 0)
        printf("reply %ld %d\n", id, r);
    free(big);
}

static void do_open(void)
{
    char why[300] = "";

    if (redis_open(&loop, &options, &ops, NULL, &client, why, sizeof why) < 0) {
        fprintf(stderr, "%s\n", why);
        net_loop_stop(&loop);
    }
}

static void obey(char **words, size_t n)
{
    const char *what = words[0];
    long id = n > 1 ? strtol(words[1], NULL, 10) % MAX : 0;
    int r = 0;

    if (strcmp(what, "open") == 0 && !client)
        do_open();
    else if (!client)
        printf("what? it is not open\n");
    else if (strcmp(what, "ask") == 0 && n > 3)
        do_ask(id, words, n);
    else if (strcmp(what, "sub") == 0 && n == 4)
        r = redis_subscribe(client, kind_of(words[2]), str_of(words[3]),
                            &sub_ops, id_of(id), &subs[id]);
    else if (strcmp(what, "unsub") == 0 && n == 2)
        redis_unsubscribe(subs[id]);
    else if (strcmp(what, "count") == 0 && n == 4)
        r = redis_count(client, kind_of(words[2]), str_of(words[3]), on_count,
                        id_of(id));
    else if (strcmp(what, "stats") == 0)
        tell_stats();
    else
        printf("what? %s\n", what);
    if (r < 0)
        printf("reply %ld %d\n", id, r);
}

static void take_line(char *text)
{
    char *words[WORDS];
    size_t n = 0;

    for (char *at = text; at && n < WORDS;) {
        words[n++] = strsep(&at, " ");
    }
    if (n)
        obey(words, n);
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
    ssize_t n = read(fd, line + line_len, sizeof line - line_len);
    char *end;

    (void)what;
    (void)arg;
    net_loop_enter(&loop);
    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            net_loop_stop(&loop);
        return;
    }
    line_len += (size_t)n;
    while ((end = memchr(line, '\n', line_len))) {
        size_t used = (size_t)(end + 1 - line);

        *end = 0;
        take_line(line);
        line_len -= used;
        memmove(line, line + used, line_len);
    }
}

/* --------------------------------------------------------------- options -- */

static bool set_option(struct redis_options *o, const char *arg)
{
    const struct {
        const char *name;
        const char **text;
        uint32_t *ms;
    } known[] = {
        { "url", &o->url, NULL },
        { "user", &o->user, NULL },
        { "password", &o->password, NULL },
        { "ca", &o->tls_ca, NULL },
        { "certificate", &o->tls_certificate, NULL },
        { "key", &o->tls_key, NULL },
        { "connect", NULL, &o->connect_timeout_ms },
        { "command", NULL, &o->command_timeout_ms },
        { "ping", NULL, &o->ping_interval_ms },
        { "backoff_max", NULL, &o->backoff_max_ms },
    };
    const char *value = strchr(arg, '=');
    size_t n = value ? (size_t)(value++ - arg) : 0;

    if (!value)
        return false;
    if (strncmp(arg, "cluster", n) == 0)
        o->cluster = true;
    else if (strncmp(arg, "insecure", n) == 0)
        o->tls_insecure = true;
    else if (strncmp(arg, "db", n) == 0)
        o->db = (unsigned)strtoul(value, NULL, 10);
    else if (strncmp(arg, "max_queued", n) == 0)
        o->max_queued = strtoul(value, NULL, 10);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i].name) != n || strncmp(known[i].name, arg, n) != 0)
            continue;
        if (known[i].text)
            *known[i].text = value;
        else
            *known[i].ms = (uint32_t)strtoul(value, NULL, 10);
    }
    return true;
}

static void on_signal(void *self, int number)
{
    (void)self;
    (void)number;
    net_loop_stop(&loop);
}

static int run(void)
{
    struct net_loop_config config = { 0 };
    struct net_signal term = { 0 };

    if (net_loop_init(&loop, &config) < 0)
        return 1;
    net_signal_watch(&term, &loop, SIGTERM, on_signal, NULL);
    fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
    event_assign(&input, loop.base, 0, EV_READ | EV_PERSIST, on_input, NULL);
    event_add(&input, NULL);
    printf("started\n");
    net_loop_run(&loop);
    event_del(&input);
    net_signal_unwatch(&term);
    if (client)
        redis_close(client);
    net_loop_destroy(&loop);
    return 0;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 1 << 16);
    redis_options_init(&options);
    for (int i = 1; i < argc; i++) {
        if (!set_option(&options, argv[i])) {
            fprintf(stderr, "what is %s?\n", argv[i]);
            return 2;
        }
    }
    return run();
}
