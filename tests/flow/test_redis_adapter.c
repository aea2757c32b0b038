/*
 * test_redis_adapter.c -- the transports of the Redis adapters against a server
 * that does what a test says: what they subscribe to and publish, what they
 * read and what not, Redis away. And sio_redis_adapter() as a server calls it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/str.h"
#include "src/adapter/redis_transport.h"
#include "tests/flow/fake_redis.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static struct fake_redis f;
static struct cl_node node;
static struct redis_transport transport;
static sio_redis_options options;

/* What the host was told, as a transcript. */
static char told[2000];
static bool has_room;
static sio_cluster_request executed; /* the last one */

static void add(const char *fmt, ...)
{
    size_t at = strlen(told);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(told + at, sizeof told - at, fmt, ap);
    va_end(ap);
}

static void check_told(const char *want)
{
    CHECK(strcmp(told, want) == 0, "'%s', want '%s'", told, want);
    told[0] = 0;
}

static void host_log(void *self, sio_log_level level, const char *message)
{
    (void)self;
    add("log %d '%s'|", (int)level, message);
}

static int host_execute(void *self, const sio_cluster_request *q)
{
    (void)self;
    executed = *q;
    add("do %d '%.*s'|", (int)q->type, (int)q->event.n,
        q->event.n ? q->event.p : "");
    return SIO_OK;
}

static void host_forget(void *self, void *user)
{
    (void)self;
    (void)user;
}

static bool host_has_room(void *self, sio_str nsp, sio_str room)
{
    (void)self;
    add("room %.*s of %.*s?|", (int)room.n, room.p, (int)nsp.n, nsp.p);
    return has_room;
}

static sio_cluster_host host = { .size = sizeof host,
                                 .log = host_log,
                                 .execute = host_execute,
                                 .forget = host_forget,
                                 .has_room = host_has_room };

static void on_client_count(void *user, size_t count)
{
    (void)user;
    add("%zu clients|", count);
}

static void on_ack(void *user, const sio_value *value)
{
    (void)user;
    (void)value;
    add("ack|");
}

static void on_sockets(void *user, const sio_cluster_socket *sockets,
                       size_t count)
{
    (void)user;
    (void)sockets;
    add("%zu sockets|", count);
}

static void on_complete(void *user, int status)
{
    (void)user;
    add("complete %d|", status);
}

static const sio_cluster_answers answers = {
    .on_client_count = on_client_count,
    .on_ack = on_ack,
    .on_sockets = on_sockets,
    .on_complete = on_complete,
};

/* ------------------------------------------------------------------ set-up */

static void check_heard(size_t peer, const char *want)
{
    const char *heard = fake_heard(&f, peer);

    CHECK(strcmp(heard, want) == 0, "'%s', want '%s'", heard, want);
}

/* One message of a channel, or of the pattern that it fits. */
static void message(const char *kind, const char *pattern, const char *channel,
                    const char *payload, size_t n)
{
    char head[300];

    snprintf(head, sizeof head, "*%d\r\n$%zu\r\n%s\r\n", pattern ? 4 : 3,
             strlen(kind), kind);
    fake_say(&f, 1, head);
    if (pattern) {
        snprintf(head, sizeof head, "$%zu\r\n%s\r\n", strlen(pattern), pattern);
        fake_say(&f, 1, head);
    }
    snprintf(head, sizeof head, "$%zu\r\n%s\r\n$%zu\r\n", strlen(channel),
             channel, n);
    fake_say(&f, 1, head);
    fake_say_n(&f, 1, payload, n);
    fake_say(&f, 1, "\r\n");
    fake_turns(&f, 3);
}

static void broadcast_of_other(const char *channel, const char *payload,
                               size_t n)
{
    message("pmessage", "socket.io#/#*", channel, payload, n);
}

static void text(const char *kind, const char *channel, const char *payload)
{
    message(kind, NULL, channel, payload, strlen(payload));
}

static void confirm(const char *kind, const char *name)
{
    char text[300];

    snprintf(text, sizeof text, "*3\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n:1\r\n",
             strlen(kind), kind, strlen(name), name);
    fake_say(&f, 1, text);
    fake_turns(&f, 3);
}

static void begin(const struct cl_transport_ops *ops)
{
    struct redis_options client;

    told[0] = 0;
    has_room = true;
    fake_begin(&f, &client);
    client.max_queued = 4096;
    fake_open(&f, &client);
    fake_let_in(&f, 0);
    sio_redis_options_init(&options);
    CHECK(cl_node_init(&node, &host, &f.loop, ops, &transport, 5000) == SIO_OK,
          "no node");
    redis_transport_init(&transport, &options, &node, f.client);
}

/* With "/", whose subscriptions are in force. */
static void begin_classic(void)
{
    char own[64];

    begin(&redis_classic_ops);
    CHECK(cl_add_namespace(&node, STR("/")) == SIO_OK, "not added");
    fake_wait(&f, 1);
    fake_let_in(&f, 1);
    fake_heard(&f, 1);
    snprintf(own, sizeof own, "socket.io-response#/#%s#", node.uid);
    confirm("psubscribe", "socket.io#/#*");
    confirm("subscribe", "socket.io-request#/#");
    confirm("subscribe", "socket.io-response#/#");
    confirm("subscribe", own);
}

static void begin_sharded(void)
{
    char own[64];

    begin(&redis_sharded_ops);
    CHECK(cl_add_namespace(&node, STR("/")) == SIO_OK, "not added");
    fake_wait(&f, 1);
    fake_let_in(&f, 1);
    fake_heard(&f, 1);
    snprintf(own, sizeof own, "socket.io#/#%s#", node.uid);
    confirm("ssubscribe", "socket.io#/#");
    confirm("ssubscribe", own);
}

static void end(void)
{
    cl_node_close(&node);
    redis_close(f.client);
    f.client = NULL;
    redis_transport_free(&transport);
    fake_end(&f);
}

static sio_cluster_stats stats(void)
{
    sio_cluster_stats s = { 0 };

    cl_get_stats(&node, &s);
    return s;
}

static const sio_str r1[] = { { "r1", 2 }, { "r2", 2 } };

static int emit(size_t rooms)
{
    const sio_cluster_request q = { .type = SIO_CLUSTER_BROADCAST,
                                    .nsp = STR("/"),
                                    .options = { r1, rooms, NULL, 0, 0 },
                                    .event = STR("ev") };

    return cl_send(&node, &q);
}

static int fetch(void)
{
    const sio_cluster_request q = { .type = SIO_CLUSTER_FETCH_SOCKETS,
                                    .nsp = STR("/"),
                                    .answers = &answers,
                                    .user = &f };

    return cl_send(&node, &q);
}

/* ----------------------------------------------------------------- classic */

/* [uid, {type: 2, data: ["ev"], nsp: "/"}, {rooms: [], except: [], flags: {}}]
 */
#define PACKET             \
    "\x83\xa4type\x02\xa4" \
    "data\x91\xa2"         \
    "ev\xa3nsp\xa1/"
#define OPTS                \
    "\x83\xa5rooms\x90\xa6" \
    "except\x90\xa5"        \
    "flags\x80"
static const char broadcast[] = "\x93\xa6"
                                "other1" PACKET OPTS;

static void test_classic_channels(void)
{
    char want[300];

    T_CASE("R01: what a namespace subscribes to, and leaves");
    begin(&redis_classic_ops);
    cl_add_namespace(&node, STR("/a*"));
    fake_wait(&f, 1);
    fake_let_in(&f, 1);
    snprintf(want, sizeof want,
             "PSUBSCRIBE socket.io#/a\\*#*; SUBSCRIBE socket.io-request#/a*#; "
             "SUBSCRIBE socket.io-response#/a*#; "
             "SUBSCRIBE socket.io-response#/a*#%s#; ",
             node.uid);
    check_heard(1, want);
    confirm("psubscribe", "socket.io#/a\\*#*");
    cl_remove_namespace(&node, STR("/a*"));
    fake_turns(&f, 3);
    CHECK(strncmp(fake_heard(&f, 1), "PUNSUBSCRIBE socket.io#/a\\*#*; ", 31) ==
              0,
          "it stays");
    end();

    T_CASE("R07 R08: one room has a channel, two have none");
    begin_classic();
    CHECK(emit(1) == SIO_OK && emit(2) == SIO_OK && emit(0) == SIO_OK, "not");
    check_heard(0, "PUBLISH socket.io#/#r1# ; PUBLISH socket.io#/# ; "
                   "PUBLISH socket.io#/# ; ");
    fake_say(&f, 0, ":1\r\n:1\r\n-NOPERM no\r\n");
    fake_turns(&f, 3);
    CHECK(stats().sent == 3 && stats().dropped == 1, "%d",
          (int)stats().dropped);
    end();
}

static void test_classic_messages(void)
{
    static char own[sizeof broadcast];

    T_CASE("R04: a broadcast is executed");
    begin_classic();
    broadcast_of_other("socket.io#/#", broadcast, sizeof broadcast - 1);
    check_told("do 0 'ev'|");
    end();

    T_CASE("R06: our own is not, and not read either");
    begin_classic();
    memcpy(own, broadcast, sizeof own);
    memcpy(own + 2, node.uid, 6);
    broadcast_of_other("socket.io#/#", own, 12);
    check_told("");
    CHECK(stats().received == 0, "it counts");
    end();

    T_CASE("R09: one for a room that nobody is in is dropped unread");
    begin_classic();
    has_room = false;
    broadcast_of_other("socket.io#/#r#1#", "\xc1", 1);
    check_told("room r#1 of /?|");
    has_room = true;
    broadcast_of_other("socket.io#/#r1#", broadcast, sizeof broadcast - 1);
    check_told("room r1 of /?|do 0 'ev'|");
    CHECK(stats().received == 2 && stats().refused == 1, "%d",
          (int)stats().refused);
    end();

    T_CASE("R18: a channel that only looks like ours");
    begin_classic();
    broadcast_of_other("socket.io#/chat#", broadcast, sizeof broadcast - 1);
    broadcast_of_other("socket.io#/#r1", broadcast, sizeof broadcast - 1);
    check_told("");
    end();

    T_CASE("R49: what is no message is refused, and the reason logged");
    begin_classic();
    broadcast_of_other("socket.io#/#", "\xc1", 1);
    broadcast_of_other("socket.io#/#", broadcast, 9);
    check_told("log 1 'cluster: a message for / was refused: neither JSON nor "
               "MessagePack, or too deep (1 so far)'|");
    CHECK(stats().refused == 2, "%d", (int)stats().refused);
    end();
}

static void test_classic_question(void)
{
    char reply[256], want[256];
    const char *id;

    T_CASE("R31: a question and the count go out at once");
    begin_classic();
    CHECK(fetch() == SIO_OK, "not asked");
    check_heard(0, "PUBSUB NUMSUB socket.io-request#/#; "
                   "PUBLISH socket.io-request#/# ; ");
    id = map_key(map_first(&node.pending)).p;
    snprintf(reply, sizeof reply, "{\"requestId\":\"%.16s\",\"sockets\":[]}",
             id);
    fake_say(&f, 0, "*2\r\n$20\r\nsocket.io-request#/#\r\n:2\r\n:1\r\n");
    fake_turns(&f, 3);
    check_told("");
    text("message", "socket.io-response#/#", reply);
    check_told("0 sockets|complete 0|");
    end();

    T_CASE("R47: an answer on the channel of who has asked, or of all");
    begin_classic();
    for (int own = 0; own < 2; own++) {
        options.publish_on_specific_response_channel = own;
        text("message", "socket.io-request#/#",
             "{\"uid\":\"x\",\"requestId\":\"y\",\"type\":5,\"opts\":{}}");
        check_told("do 4 ''|");
        executed.answers->on_sockets(executed.user, NULL, 0);
        executed.answers->on_complete(executed.user, SIO_OK);
        snprintf(want, sizeof want,
                 "PUBLISH socket.io-response#/#%s "
                 "{\"requestId\":\"y\",\"sockets\":[]}; ",
                 own ? "x#" : "");
        check_heard(0, want);
    }
    end();
}

/* ----------------------------------------------------------------- sharded */

static void test_sharded(void)
{
    char want[300];

    T_CASE("R54: each channel of a sharded adapter by a command of its own");
    begin(&redis_sharded_ops);
    cl_add_namespace(&node, STR("/"));
    fake_wait(&f, 1);
    fake_let_in(&f, 1);
    snprintf(want, sizeof want,
             "SSUBSCRIBE socket.io#/#; SSUBSCRIBE socket.io#/#%s#; ", node.uid);
    check_heard(1, want);
    end();

    T_CASE("R55: a room that begins is subscribed to, one that ends is not");
    begin_sharded();
    cl_room_changed(&node, STR("/"), r1[0], false, true);
    cl_room_changed(&node, STR("/"), r1[0], false, true);
    cl_room_changed(&node, STR("/"), STR("an-id"), true, true);
    check_heard(1, "SSUBSCRIBE socket.io#/#r1#; ");
    confirm("ssubscribe", "socket.io#/#r1#");
    cl_room_changed(&node, STR("/"), STR("an-id"), false, false);
    cl_room_changed(&node, STR("/"), r1[0], false, false);
    cl_room_changed(&node, STR("/none"), r1[0], false, true);
    check_heard(1, "SUNSUBSCRIBE socket.io#/#r1#; ");
    end();

    T_CASE("R57: in mode dynamic-private also that of an id");
    begin_sharded();
    transport.mode = PR_DYNAMIC_PRIVATE;
    cl_room_changed(&node, STR("/"), STR("an-id"), true, true);
    check_heard(1, "SSUBSCRIBE socket.io#/#an-id#; ");
    end();

    T_CASE("R56: in mode static none");
    begin_sharded();
    transport.mode = PR_STATIC;
    cl_room_changed(&node, STR("/"), r1[0], false, true);
    emit(1);
    check_heard(1, "");
    CHECK(strncmp(fake_heard(&f, 0), "SPUBLISH socket.io#/# ", 22) == 0, "?");
    end();

    T_CASE("R60: a message of either form, of the base or of a room");
    begin_sharded();
    cl_room_changed(&node, STR("/"), r1[0], false, true);
    confirm("ssubscribe", "socket.io#/#r1#");
    text("smessage", "socket.io#/#r1#",
         "{\"type\":9,\"data\":{\"packet\":[\"ev\"]},\"uid\":\"x\","
         "\"nsp\":\"/\"}");
    check_told("do 5 'ev'|");
    text("smessage", "socket.io#/#", "{\"type\":3}");
    check_told("log 1 'cluster: a message for / was refused: not an array or "
               "object of the expected members (1 so far)'|");
    emit(1);
    CHECK(strncmp(fake_heard(&f, 0), "SPUBLISH socket.io#/#r1# ", 25) == 0,
          "not on the room's channel");
    end();
}

/* -------------------------------------------------------------- Redis away */

static void test_away(void)
{
    T_CASE("R51: Redis is away: events are dropped in time, questions at once");
    begin_classic();
    fake_hang_up(&f, 0);
    fake_hang_up(&f, 1);
    fake_turns(&f, 5);
    CHECK(emit(0) == SIO_OK, "not queued");
    CHECK(fetch() == SIO_E_STATE, "asked");
    CHECK(stats().dropped == 0, "%d", (int)stats().dropped);
    fake_wait(&f, 5100);
    CHECK(stats().dropped == 1, "%d", (int)stats().dropped);
    check_told("");
    end();

    T_CASE("R51: what waits is limited");
    begin_classic();
    fake_hang_up(&f, 0);
    fake_turns(&f, 5);
    for (int i = 0; i < 100; i++)
        emit(0);
    CHECK(stats().dropped > 10 && stats().sent + stats().dropped == 100, "%d",
          (int)stats().dropped);
    end();

    T_CASE("R51: a question whose count is cut off ends at once");
    begin_classic();
    fetch();
    fake_hang_up(&f, 0);
    fake_turns(&f, 5);
    check_told("complete -4|");
    end();
}

/* ---------------------------------------------------------- out of memory */

static void go_through(void)
{
    (void)cl_add_namespace(&node, STR("/more"));
    cl_room_changed(&node, STR("/"), r1[0], false, true);
    cl_room_changed(&node, STR("/"), r1[0], false, false);
    (void)emit(1);
    (void)fetch();
    fake_turns(&f, 2);
}

static void test_oom(void)
{
    for (int kind = 0; kind < 2; kind++) {
        T_CASE("redis: every allocation of a %s transport fails once",
               kind ? "sharded" : "classic");
        for (long n = 0; n < 1000; n++) {
            bool failed;

            if (kind)
                begin_sharded();
            else
                begin_classic();
            oom_arm(n);
            go_through();
            failed = oom_disarm();
            end();
            if (!failed) {
                CHECK(n > 8, "only %ld allocations", n);
                break;
            }
        }
    }
}

/* --------------------------------------------------- as the server calls it */

static void refused_with(sio_redis_options *o, const char *want)
{
    const sio_cluster_ops *ops = sio_redis_adapter();
    char why[200] = "";

    CHECK(!ops->open(&host, o, why, sizeof why), "opened, want '%s'", want);
    CHECK(strcmp(why, want) == 0, "'%s', want '%s'", why, want);
    sio_redis_options_init(o);
}

static void test_options(void)
{
    sio_redis_options o;

    T_CASE("adapter: options that are wrong are named");
    host.event_base = event_base_new();
    sio_redis_options_init(&o);
    o.adapter = (sio_redis_kind)9;
    refused_with(&o, "adapter: no such value");
    o.subscription_mode = (sio_redis_mode)9;
    refused_with(&o, "subscription_mode: no such value");
    o.prefix = NULL;
    refused_with(&o, "prefix: is needed");
    o.requests_timeout_ms = 0;
    refused_with(&o, "requests_timeout_ms: has to be at least 1");
    o.url = "http://h";
    refused_with(&o, "not the url of a Redis server");
    o.max_queued = 0;
    refused_with(&o, "a limit of 0 bytes");
    o.adapter = SIO_REDIS_STREAMS;
    o.stream_count = 257;
    refused_with(&o, "stream_count: has to be 1 to 256");
    o.adapter = SIO_REDIS_STREAMS;
    o.block_time_ms = 0;
    refused_with(&o,
                 "max_len, read_count, block_time_ms: have to be at least 1");
    o.adapter = SIO_REDIS_STREAMS;
    o.stream_name = NULL;
    refused_with(&o, "stream_name, session_key_prefix: are needed");
    T_CASE("adapter: of the three, that of streams recovers");
    CHECK(!sio_redis_adapter()->recovers(&o), "classic");
    o.adapter = SIO_REDIS_STREAMS;
    CHECK(sio_redis_adapter()->recovers(&o), "streams");
    CHECK(!sio_redis_adapter()->recovers(NULL), "the default");
    event_base_free(host.event_base);
}

static void test_as_server(void)
{
    const sio_cluster_ops *ops = sio_redis_adapter();
    sio_redis_options o;
    char why[200];
    void *adapter;

    T_CASE("adapter: a server of Redis that is not there is one line");
    told[0] = 0;
    host.event_base = event_base_new();
    sio_redis_options_init(&o);
    o.url = "unix:@libsio-no-such-redis";
    adapter = ops->open(&host, &o, why, sizeof why);
    CHECK(adapter, "not opened: %s", why);
    if (adapter) {
        sio_cluster_stats s = { 0 };

        CHECK(ops->add_namespace(adapter, STR("/")) == SIO_OK, "not added");
        for (int i = 0; i < 1000 && s.disconnects < 2; i++) {
            event_base_loop(host.event_base, EVLOOP_ONCE);
            ops->get_stats(adapter, &s);
        }
        CHECK(s.state == SIO_CLUSTER_DEGRADED, "%d", s.state);
        CHECK(strcmp(s.reason,
                     "unix:@libsio-no-such-redis: Connection refused") == 0,
              "%s", s.reason);
        ops->remove_namespace(adapter, STR("/"));
        ops->close(adapter);
    }
    check_told("log 0 'cluster: other servers may not be reached: "
               "unix:@libsio-no-such-redis: Connection refused'|");
    event_base_free(host.event_base);
}

int main(void)
{
    test_classic_channels();
    test_classic_messages();
    test_classic_question();
    test_sharded();
    test_away();
    test_oom();
    test_options();
    test_as_server();
    return t_done();
}
