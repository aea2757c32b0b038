/*
 * test_adapter_node.c -- a node of a cluster between a host and a transport
 * that write down what they are told, by a clock that the test moves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/str.h"
#include "src/adapter/node.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static struct net_loop loop;
static uint64_t now;
static struct cl_node node;
static struct cl_nsp *root;

/* What happened, as a transcript. */
static char told[8000];

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

static void add_names(const char *label, const sio_str *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add("%s%.*s", i ? "," : label, (int)names[i].n, names[i].p);
}

static void add_values(const sio_value *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (values[i].kind == SIO_INT)
            add(" %d", (int)values[i].integer);
        else
            add(" %.*s", (int)values[i].size, (const char *)values[i].data);
    }
}

/* ------------------------------------------------------------ a transport --
 */

static bool is_ready;
static int publish_result, count_result, add_result;
static cl_on_count *on_count;
static void *count_user;
static char last_id[CL_UID_LEN + 1]; /* of our last question */

static int fake_add(void *self, struct cl_nsp *nsp)
{
    (void)self;
    (void)nsp;
    return add_result;
}

static void fake_remove(void *self, struct cl_nsp *nsp)
{
    (void)self;
    (void)nsp;
}

static bool fake_ready(void *self, const struct cl_nsp *nsp)
{
    (void)self;
    (void)nsp;
    return is_ready;
}

static bool is_answer(enum pr_type type)
{
    return type == PR_FETCH_REPLY || type == PR_EMIT_REPLY ||
           type == PR_CLIENT_COUNT || type == PR_ACK ||
           type == PR_SOCKETS_REPLY || type == PR_ROOMS_REPLY ||
           type == PR_DONE;
}

static void add_request_id(const struct pr_message *m)
{
    if (is_answer(m->type)) {
        add("#%.*s", (int)m->request_id.n, m->request_id.p);
        return;
    }
    add("?");
    memcpy(last_id, m->request_id.p, m->request_id.n);
}

static int fake_publish(void *self, const struct cl_nsp *nsp,
                        const struct pr_message *m, sio_str asker)
{
    (void)self;
    CHECK(str_eq(m->uid, cl_uid(&node)), "the uid");
    CHECK(str_eq(m->nsp, cl_nsp_name(nsp)), "the namespace");
    if (publish_result < 0)
        return publish_result;
    add("%s", pr_type_name(m->type));
    if (m->request_id.n)
        add_request_id(m);
    add_names(" in ", m->rooms.items, m->rooms.count);
    add_names(" except ", m->except.items, m->except.count);
    add_names(" names ", m->names.items, m->names.count);
    for (size_t i = 0; i < sizeof m->flags.order && m->flags.order[i]; i++)
        add(" f%d", m->flags.order[i]);
    if (m->event.n)
        add(" '%.*s'", (int)m->event.n, m->event.p);
    add_values(m->values, m->count);
    for (size_t i = 0; i < m->socket_count; i++)
        add_names(i ? ";" : " sockets ", &m->sockets[i].id, 1);
    if (m->type == PR_CLIENT_COUNT)
        add(" %d", (int)m->client_count);
    if (m->close)
        add(" close");
    add(">%.*s|", (int)asker.n, asker.n ? asker.p : "");
    return SIO_OK;
}

static int fake_count(void *self, const struct cl_nsp *nsp, cl_on_count *fn,
                      void *user)
{
    (void)self;
    (void)nsp;
    if (count_result < 0)
        return count_result;
    on_count = fn;
    count_user = user;
    return SIO_OK;
}

/* Redis says so many nodes. */
static void counted(int status, uint64_t nodes)
{
    cl_on_count *fn = on_count;

    on_count = NULL;
    if (fn)
        fn(count_user, status, nodes);
}

static struct cl_transport_ops transport = {
    .uid_len = CL_UID_LEN,
    .add = fake_add,
    .remove = fake_remove,
    .ready = fake_ready,
    .publish = fake_publish,
    .count = fake_count,
};

/* ----------------------------------------------------------------- a host --
 */

static int execute_result;
static sio_cluster_request executed; /* the last one */
static bool removes;                 /* the namespace goes within execute() */

static void host_log(void *self, sio_log_level level, const char *message)
{
    (void)self;
    (void)level;
    add("log '%s'|", message);
}

static int host_execute(void *self, const sio_cluster_request *q)
{
    static const char *const names[] = { "broadcast",  "join",  "leave",
                                         "disconnect", "fetch", "emit" };

    (void)self;
    executed = *q;
    add("do %s", names[q->type]);
    add_names(" in ", q->options.rooms, q->options.room_count);
    add_names(" except ", q->options.except, q->options.except_count);
    add_names(" rooms ", q->rooms, q->room_count);
    if (q->options.flags)
        add(" flags %u", q->options.flags);
    if (q->event.n)
        add(" '%.*s'", (int)q->event.n, q->event.p);
    add_values(q->values, q->value_count);
    if (q->single)
        add(" single");
    if (q->close)
        add(" close");
    if (q->timeout_ms)
        add(" %ums", (unsigned)q->timeout_ms);
    add("%s|", q->answers ? "?" : "");
    if (removes)
        cl_remove_namespace(&node, STR("/"));
    return execute_result;
}

static void host_forget(void *self, void *user)
{
    (void)self;
    (void)user;
    add("forget|");
}

static bool host_has_room(void *self, sio_str nsp, sio_str room)
{
    (void)self;
    (void)nsp;
    (void)room;
    return true;
}

static const sio_cluster_host host = { .size = sizeof host,
                                       .log = host_log,
                                       .execute = host_execute,
                                       .forget = host_forget,
                                       .has_room = host_has_room };

/* What the server's question hears. */
static bool forgets, asks_again;
static int ask(sio_cluster_type type, void *user);

static void on_client_count(void *user, size_t count)
{
    add("%s: %zu clients|", (const char *)user, count);
    if (forgets)
        cl_forget(&node, user);
}

static void on_ack(void *user, const sio_value *value)
{
    add("%s: ack", (const char *)user);
    add_values(value, value ? 1 : 0);
    add("|");
    if (forgets)
        cl_forget(&node, user);
}

static void on_sockets(void *user, const sio_cluster_socket *sockets,
                       size_t count)
{
    add("%s: %zu sockets", (const char *)user, count);
    for (size_t i = 0; i < count; i++) {
        add_names(" ", &sockets[i].id, 1);
        add_values(&sockets[i].data, 1);
    }
    add("|");
    if (forgets)
        cl_forget(&node, user);
}

static void on_complete(void *user, int status)
{
    add("%s: complete %d|", (const char *)user, status);
    if (asks_again) {
        asks_again = false;
        CHECK(ask(SIO_CLUSTER_FETCH_SOCKETS, user) == SIO_OK, "asks again");
    }
}

static const sio_cluster_answers answers = {
    .on_client_count = on_client_count,
    .on_ack = on_ack,
    .on_sockets = on_sockets,
    .on_complete = on_complete,
};

/* ------------------------------------------------------------------ set-up */

static uint64_t fake_clock(void *self)
{
    return *(uint64_t *)self;
}

static void move(uint64_t ms)
{
    now += ms;
    net_loop_poll(&loop);
}

static void begin(void)
{
    struct net_loop_config config = { .clock = fake_clock, .clock_self = &now };

    now = 1000;
    told[0] = 0;
    is_ready = true;
    publish_result = count_result = add_result = execute_result = SIO_OK;
    removes = forgets = asks_again = false;
    on_count = NULL;
    transport.needs_asker = false;
    CHECK(net_loop_init(&loop, &config) == SIO_OK, "no loop");
    CHECK(cl_node_init(&node, &host, &loop, &transport, NULL, 5000) == SIO_OK,
          "no node");
    CHECK(cl_add_namespace(&node, STR("/")) == SIO_OK, "no namespace");
    root = cl_nsp_find(&node, STR("/"));
}

static void end(void)
{
    cl_node_close(&node);
    counted(SIO_E_STATE, 0);
    CHECK(loop.alarm_count == 0, "%zu alarms are left", loop.alarm_count);
    CHECK(node.foreign_count == 0, "questions of others are left");
    CHECK(!node.pending.nodes && !node.asked.nodes, "questions are left");
    net_loop_destroy(&loop);
}

static sio_cluster_stats stats(void)
{
    sio_cluster_stats s = { 0 };

    cl_get_stats(&node, &s);
    return s;
}

static const sio_value one = { .kind = SIO_INT, .integer = 1 };
static const sio_str r1[] = { { "r1", 2 }, { "r2", 2 } };

#define NAME(text) ((void *)(uintptr_t)(text))

static int ask(sio_cluster_type type, void *user)
{
    const sio_cluster_request q = { .type = type,
                                    .nsp = STR("/"),
                                    .event = STR("ev"),
                                    .values = &one,
                                    .value_count = 1,
                                    .timeout_ms =
                                        type == SIO_CLUSTER_BROADCAST ? 800 : 0,
                                    .answers = &answers,
                                    .user = user };

    return cl_send(&node, &q);
}

static struct pr_message reply(enum pr_type type, const char *uid)
{
    return (struct pr_message){ .type = type,
                                .uid = str_of(uid),
                                .nsp = STR("/"),
                                .request_id = { last_id, CL_UID_LEN },
                                .values = &one };
}

static void receive(struct pr_message m)
{
    cl_receive(root, &m);
}

static struct pr_message from_peer(enum pr_type type)
{
    return (struct pr_message){ .type = type,
                                .uid = STR("peer"),
                                .nsp = STR("/"),
                                .event = type == PR_BROADCAST || type == PR_EMIT
                                             ? STR("ev")
                                             : (sio_str){ NULL, 0 } };
}

static struct pr_message question(enum pr_type type)
{
    struct pr_message m = from_peer(type);

    m.request_id = STR("q");
    return m;
}

/* --------------------------------------------------------- without answers */

static void test_sending(void)
{
    sio_cluster_request q = { .type = SIO_CLUSTER_BROADCAST,
                              .nsp = STR("/"),
                              .options = { r1, 1, r1 + 1, 1,
                                           SIO_FLAG_VOLATILE |
                                               SIO_FLAG_NO_COMPRESS },
                              .event = STR("ev"),
                              .values = &one,
                              .value_count = 1 };

    T_CASE("R05: a broadcast goes to the other nodes");
    begin();
    CHECK(cl_send(&node, &q) == SIO_OK, "not sent");
    check_told("BROADCAST in r1 except r2 f2 f1 'ev' 1>|");
    q.options.flags = 0;
    q.timeout_ms = 100;
    q.single = true;
    CHECK(cl_send(&node, &q) == SIO_OK, "not sent");
    check_told("BROADCAST in r1 except r2 f3 f4 'ev' 1>|");
    CHECK(stats().sent == 2, "%d", (int)stats().sent);
    end();

    T_CASE("R36: join, leave and disconnect");
    begin();
    q = (sio_cluster_request){ .type = SIO_CLUSTER_SOCKETS_JOIN,
                               .nsp = STR("/"),
                               .options = { r1, 1, NULL, 0, 0 },
                               .rooms = r1,
                               .room_count = 2 };
    cl_send(&node, &q);
    q.type = SIO_CLUSTER_SOCKETS_LEAVE;
    cl_send(&node, &q);
    q.type = SIO_CLUSTER_DISCONNECT_SOCKETS;
    q.room_count = 0;
    q.close = true;
    cl_send(&node, &q);
    check_told("JOIN in r1 names r1,r2>|LEAVE in r1 names r1,r2>|"
               "DISCONNECT in r1 close>|");
    end();

    T_CASE("node: what is not sent is counted");
    begin();
    publish_result = SIO_E_LIMIT;
    CHECK(cl_send(&node, &q) == SIO_E_LIMIT, "sent");
    cl_published(&node, SIO_OK);
    cl_published(&node, SIO_E_TIMEOUT);
    CHECK(stats().dropped == 2 && stats().sent == 0, "%d dropped",
          (int)stats().dropped);
    q.nsp = STR("/other");
    CHECK(cl_send(&node, &q) == SIO_E_STATE, "a namespace that is not here");
    q.nsp = STR("/");
    q.type = SIO_CLUSTER_FETCH_SOCKETS;
    CHECK(cl_send(&node, &q) == SIO_E_INVAL, "a fetch without answers");
    end();
}

static void test_receiving(void)
{
    struct pr_message m;

    T_CASE("R04 R10: a broadcast of another node is delivered");
    begin();
    m = from_peer(PR_BROADCAST);
    m.rooms = (struct pr_names){ r1, 1 };
    m.except = (struct pr_names){ r1 + 1, 1 };
    m.values = &one;
    m.count = 1;
    pr_set_volatile(&m.flags);
    pr_set_compress(&m.flags, false);
    receive(m);
    check_told("do broadcast in r1 except r2 flags 5 'ev' 1|");
    end();

    T_CASE("R13 R14: flags that a broadcast may have");
    begin();
    m = from_peer(PR_BROADCAST);
    pr_set_compress(&m.flags, true);
    pr_set_timeout(&m.flags, 0.5);
    receive(m);
    check_told("do broadcast 'ev' 1ms|");
    end();

    T_CASE("R06: its own messages are dropped");
    begin();
    m = from_peer(PR_BROADCAST);
    m.uid = cl_uid(&node);
    receive(m);
    check_told("");
    CHECK(stats().received == 0 && stats().refused == 0, "counted");
    end();

    T_CASE("R18: those for another namespace are refused, and logged once");
    begin();
    m = from_peer(PR_BROADCAST);
    m.nsp = STR("/chat");
    receive(m);
    receive(m);
    check_told("log 'cluster: a message for / was refused: it is another "
               "namespace's (1 so far)'|");
    move(CL_WARN_MS);
    cl_refuse(&node, STR("/"), "no");
    check_told("log 'cluster: a message for / was refused: no (2 so far)'|");
    CHECK(stats().received == 3 && stats().refused == 3, "%d",
          (int)stats().refused);
    end();

    T_CASE("node: what the host refuses is counted, and the reason logged");
    begin();
    execute_result = SIO_E_INVAL;
    receive(from_peer(PR_BROADCAST));
    check_told("do broadcast 'ev'|log 'cluster: a message for / was refused: "
               "invalid argument (1 so far)'|");
    receive(question(PR_BROADCAST));
    check_told("do broadcast 'ev' 5000ms?|CLIENT_COUNT#q 0>peer|forget|");
    execute_result = SIO_E_STATE; /* it stops */
    receive(from_peer(PR_BROADCAST));
    check_told("do broadcast 'ev'|");
    CHECK(stats().received == 3 && stats().refused == 2, "%d",
          (int)stats().refused);
    end();

    T_CASE("node: ids that are too long to be kept are refused");
    for (size_t i = 0; i < 4; i++) {
        static char text[CL_ID_MAX + 1];
        const sio_str id = { text, CL_ID_MAX + (i > 0) };

        begin();
        memset(text, 'x', sizeof text);
        m = question(i == 3 ? PR_LEAVE : PR_BROADCAST);
        if (i < 2)
            m.request_id = id;
        else if (i == 2)
            m.uid = id;
        else
            m.sid = id;
        receive(m);
        if (i == 0)
            CHECK(strncmp(told, "do broadcast", 12) == 0, "%s", told);
        else
            CHECK(strncmp(told, "log ", 4) == 0 &&
                      strstr(told, "an id is too long"),
                  "%s", told);
        CHECK(stats().refused == (i > 0), "%d", (int)stats().refused);
        end();
    }

    T_CASE("R35 R37: join, leave, disconnect, with a uid or without");
    begin();
    m = from_peer(PR_JOIN);
    m.names = (struct pr_names){ r1, 2 };
    m.rooms = (struct pr_names){ r1, 1 };
    receive(m);
    m.type = PR_LEAVE;
    m.uid.n = 0;
    receive(m);
    m = from_peer(PR_DISCONNECT);
    m.close = true;
    m.uid.n = 0;
    receive(m);
    check_told("do join in r1 rooms r1,r2|do leave in r1 rooms r1,r2|"
               "do disconnect close|");
    end();

    T_CASE("R28: an event between servers");
    begin();
    receive(from_peer(PR_EMIT));
    check_told("do emit 'ev'|");
    end();

    T_CASE("R50: what this node does not know is passed over");
    begin();
    receive(question(PR_HEARTBEAT));
    receive(question(PR_CLOSE));
    receive(question(PR_DONE));
    receive(question(PR_FETCH_REPLY));
    receive(question(PR_ACK));
    check_told("");
    CHECK(stats().refused == 2, "%d", (int)stats().refused);
    end();

    T_CASE("node: the namespace may go within what is received");
    begin();
    removes = true;
    receive(from_peer(PR_DISCONNECT));
    check_told("do disconnect|");
    CHECK(!cl_nsp_find(&node, STR("/")), "it is there");
    end();
}

/* --------------------------------------------------------------- questions */

static void test_fetching(void)
{
    const struct pr_socket found[] = {
        { .id = { "s1", 2 }, .data = { .kind = SIO_INT, .integer = 7 } },
        { .id = { "s2", 2 } }
    };
    struct pr_message m;

    T_CASE("R31: sockets of every node, then complete");
    begin();
    CHECK(ask(SIO_CLUSTER_FETCH_SOCKETS, NAME("f")) == SIO_OK, "not asked");
    check_told("FETCH? 'ev' 1>|");
    CHECK(stats().pending == 1, "%zu", stats().pending);
    counted(SIO_OK, 3);
    m = reply(PR_FETCH_REPLY, "b");
    m.sockets = found;
    m.socket_count = 2;
    receive(m);
    check_told("f: 2 sockets s1 7 s2 {}|");
    receive(reply(PR_FETCH_REPLY, "c"));
    check_told("f: 0 sockets|f: complete 0|");
    CHECK(stats().pending == 0, "%zu", stats().pending);
    receive(reply(PR_FETCH_REPLY, "d"));
    check_told("");
    end();

    T_CASE("R31: the count may come behind the answers");
    begin();
    ask(SIO_CLUSTER_FETCH_SOCKETS, NAME("f"));
    receive(reply(PR_FETCH_REPLY, ""));
    receive(reply(PR_FETCH_REPLY, ""));
    told[0] = 0;
    counted(SIO_OK, 2);
    check_told("f: complete 0|");
    end();

    T_CASE("R31: nobody else is there");
    begin();
    ask(SIO_CLUSTER_FETCH_SOCKETS, NAME("f"));
    told[0] = 0;
    counted(SIO_OK, 1);
    check_told("f: complete 0|");
    ask(SIO_CLUSTER_FETCH_SOCKETS, NAME("f"));
    told[0] = 0;
    counted(SIO_OK, 0);
    check_told("f: complete 0|");
    end();

    T_CASE("R61: one node that answers twice is one");
    begin();
    ask(SIO_CLUSTER_FETCH_SOCKETS, NAME("f"));
    counted(SIO_OK, 4);
    told[0] = 0;
    receive(reply(PR_FETCH_REPLY, "b"));
    receive(reply(PR_FETCH_REPLY, "b"));
    receive(reply(PR_FETCH_REPLY, "c"));
    receive(reply(PR_FETCH_REPLY, "c"));
    check_told("f: 0 sockets|f: 0 sockets|");
    receive(reply(PR_FETCH_REPLY, "d"));
    check_told("f: 0 sockets|f: complete 0|");
    end();

    T_CASE("R48: a node that is silent ends in a timeout");
    begin();
    ask(SIO_CLUSTER_FETCH_SOCKETS, NAME("f"));
    counted(SIO_OK, 3);
    receive(reply(PR_FETCH_REPLY, "b"));
    told[0] = 0;
    move(4999);
    check_told("");
    move(1);
    check_told("f: complete -8|");
    receive(reply(PR_FETCH_REPLY, "c"));
    check_told("");
    end();

    T_CASE("node: complete, and asked again from within");
    begin();
    ask(SIO_CLUSTER_FETCH_SOCKETS, NAME("f"));
    asks_again = true;
    told[0] = 0;
    counted(SIO_OK, 1);
    check_told("f: complete 0|FETCH? 'ev' 1>|");
    CHECK(stats().pending == 1, "%zu", stats().pending);
    counted(SIO_OK, 1);
    end();

    T_CASE("node: forgotten from within an answer");
    begin();
    forgets = true;
    ask(SIO_CLUSTER_FETCH_SOCKETS, NAME("f"));
    receive(reply(PR_FETCH_REPLY, "b"));
    counted(SIO_OK, 2);
    check_told("FETCH? 'ev' 1>|f: 0 sockets|");
    CHECK(stats().pending == 0, "%zu", stats().pending);
    end();
}

static void test_notifying(void)
{
    struct pr_message m;

    T_CASE("R29 R30: an answer of each server, or none");
    begin();
    ask(SIO_CLUSTER_SERVER_SIDE_EMIT, NAME("e"));
    check_told("EMIT? 'ev' 1>|");
    counted(SIO_OK, 3);
    m = reply(PR_EMIT_REPLY, "b");
    m.count = 1;
    receive(m);
    receive(reply(PR_EMIT_REPLY, "c"));
    check_told("e: ack 1|e: ack|e: complete 0|");
    end();
}

static void test_asking(void)
{
    struct pr_message m;

    T_CASE("R40: counts of all nodes, then their clients' answers");
    begin();
    ask(SIO_CLUSTER_BROADCAST, NAME("b"));
    check_told("BROADCAST? f3 'ev' 1>|");
    counted(SIO_OK, 3);
    m = reply(PR_CLIENT_COUNT, "b");
    m.client_count = 1;
    receive(m);
    m = reply(PR_ACK, "b");
    m.count = 1;
    receive(m);
    check_told("b: 1 clients|b: ack 1|");
    m = reply(PR_CLIENT_COUNT, "c");
    m.client_count = 2;
    receive(m);
    check_told("b: 2 clients|b: complete 0|");
    receive(reply(PR_ACK, "c"));
    m = reply(PR_CLIENT_COUNT, "d");
    receive(m);
    receive(reply(PR_ACK, "c"));
    check_told("b: ack|b: ack|");
    receive(reply(PR_ACK, "c"));
    check_told("");
    CHECK(stats().pending == 1, "%zu", stats().pending);
    cl_forget(&node, NAME("b"));
    CHECK(stats().pending == 0, "%zu", stats().pending);
    receive(reply(PR_ACK, "c"));
    check_told("");
    end();

    T_CASE("R43: counts that do not come, and acknowledgements that do");
    begin();
    ask(SIO_CLUSTER_BROADCAST, NAME("b"));
    counted(SIO_OK, 3);
    told[0] = 0;
    move(5000);
    check_told("b: complete -8|");
    receive(reply(PR_ACK, "c"));
    check_told("b: ack|");
    m = reply(PR_CLIENT_COUNT, "c");
    receive(m);
    check_told("");
    cl_forget(&node, NAME("b"));
    end();

    T_CASE("node: an answer of another kind is none");
    begin();
    ask(SIO_CLUSTER_BROADCAST, NAME("b"));
    counted(SIO_OK, 2);
    told[0] = 0;
    receive(reply(PR_FETCH_REPLY, "b"));
    receive(reply(PR_EMIT_REPLY, "b"));
    check_told("");
    CHECK(stats().refused == 2, "%d", (int)stats().refused);
    end();
    check_told("b: complete -4|");
}

static void test_not_asked(void)
{
    T_CASE("node: not asked when answers would not come");
    begin();
    is_ready = false;
    CHECK(ask(SIO_CLUSTER_FETCH_SOCKETS, NAME("f")) == SIO_E_STATE, "asked");
    is_ready = true;
    count_result = SIO_E_LIMIT;
    CHECK(ask(SIO_CLUSTER_FETCH_SOCKETS, NAME("f")) == SIO_E_LIMIT, "asked");
    count_result = SIO_OK;
    publish_result = SIO_E_LIMIT;
    CHECK(ask(SIO_CLUSTER_FETCH_SOCKETS, NAME("f")) == SIO_E_LIMIT, "asked");
    counted(SIO_OK, 2);
    publish_result = SIO_OK;
    CHECK(ask(SIO_CLUSTER_SOCKETS_JOIN, NAME("f")) == SIO_E_INVAL, "asked");
    check_told("");
    CHECK(stats().pending == 0, "%zu", stats().pending);
    end();

    T_CASE("node: the count does not come");
    begin();
    ask(SIO_CLUSTER_FETCH_SOCKETS, NAME("f"));
    told[0] = 0;
    counted(SIO_E_TIMEOUT, 0);
    check_told("f: complete -8|");
    ask(SIO_CLUSTER_FETCH_SOCKETS, NAME("f"));
    told[0] = 0;
    counted(SIO_E_SYS, 0);
    check_told("f: complete -4|");
    end();

    T_CASE("node: one user asks once at a time");
    begin();
    CHECK(ask(SIO_CLUSTER_BROADCAST, NAME("f")) == SIO_OK, "not asked");
    CHECK(ask(SIO_CLUSTER_BROADCAST, NAME("f")) == SIO_E_INVAL, "asked");
    end();

    T_CASE("node: so many questions, and one more");
    begin();
    for (uintptr_t i = 1; i <= CL_PENDING_MAX; i++) {
        told[0] = 0;
        CHECK(ask(SIO_CLUSTER_BROADCAST, (void *)i) == SIO_OK, "%d", (int)i);
        counted(SIO_OK, 2);
    }
    CHECK(ask(SIO_CLUSTER_BROADCAST, NAME("f")) == SIO_E_LIMIT, "asked");
    for (uintptr_t i = 1; i <= CL_PENDING_MAX; i++)
        cl_forget(&node, (void *)i);
    end();

    T_CASE("node: the namespace goes, questions end");
    begin();
    ask(SIO_CLUSTER_FETCH_SOCKETS, NAME("f"));
    counted(SIO_OK, 2);
    ask(SIO_CLUSTER_BROADCAST, NAME("b"));
    told[0] = 0;
    cl_remove_namespace(&node, STR("/"));
    check_told("f: complete -4|b: complete -4|");
    end();
}

/* ---------------------------------------------------- questions of others */

static const sio_str in_rooms[] = {
    { "s1", 2 }, { "a", 1 }, { "s2", 2 }, { "a", 1 }
};
static const sio_cluster_socket here[] = {
    { .id = { "s1", 2 }, .rooms = in_rooms, .room_count = 2 },
    { .id = { "s2", 2 }, .rooms = in_rooms + 2, .room_count = 2 },
};

/* What was executed last finds them. */
static void find(size_t count)
{
    const sio_cluster_request q = executed;

    q.answers->on_sockets(q.user, here, count);
    q.answers->on_complete(q.user, SIO_OK);
}

static void test_fetched(void)
{
    struct pr_message m;

    T_CASE("R31 R32: this node's sockets");
    begin();
    m = question(PR_FETCH);
    m.rooms = (struct pr_names){ r1, 1 };
    receive(m);
    check_told("do fetch in r1 5000ms?|");
    find(2);
    check_told("FETCH_REPLY#q sockets s1;s2>peer|forget|");
    end();

    T_CASE("R34: their ids");
    begin();
    m = question(PR_SOCKETS);
    m.rooms = (struct pr_names){ r1, 1 };
    receive(m);
    find(2);
    check_told("do fetch in r1 5000ms?|SOCKETS_REPLY#q names s1,s2>peer|"
               "forget|");
    end();

    T_CASE("R33: all rooms, each once");
    begin();
    receive(question(PR_ROOMS));
    find(2);
    check_told("do fetch 5000ms?|ROOMS_REPLY#q names s1,a,s2>peer|forget|");
    receive(question(PR_ROOMS));
    find(0);
    check_told("do fetch 5000ms?|ROOMS_REPLY#q>peer|forget|");
    end();

    T_CASE("R31: the host cannot, or has nothing to say: an empty answer");
    begin();
    execute_result = SIO_E_STATE;
    receive(question(PR_FETCH));
    check_told("do fetch 5000ms?|FETCH_REPLY#q>peer|forget|");
    execute_result = SIO_OK;
    receive(question(PR_FETCH));
    executed.answers->on_complete(executed.user, SIO_E_NOMEM);
    check_told("do fetch 5000ms?|FETCH_REPLY#q>peer|forget|");
    end();

    T_CASE("R38: one socket by its id: its owner does it, and says so");
    begin();
    m = question(PR_JOIN);
    m.sid = STR("s2");
    m.names = (struct pr_names){ r1, 1 };
    receive(m);
    check_told("do fetch in s2 5000ms?|");
    find(2);
    check_told("DONE#q>peer|do join in s2 rooms r1|forget|");
    m = question(PR_DISCONNECT);
    m.sid = STR("s2");
    m.close = true;
    receive(m);
    find(1);
    check_told("do fetch in s2 5000ms?|forget|");
    receive(m);
    told[0] = 0;
    removes = true; /* it was the last one in its namespace */
    executed.answers->on_sockets(executed.user, here, 2);
    check_told("DONE#q>peer|do disconnect in s2 close|forget|");
    end();
}

static void count_clients(size_t count)
{
    executed.answers->on_client_count(executed.user, count);
    executed.answers->on_complete(executed.user, SIO_OK);
}

static void test_asked(void)
{
    struct pr_message m;

    T_CASE("R39 R41: clients are counted, and their answers passed on");
    begin();
    m = question(PR_BROADCAST);
    pr_set_timeout(&m.flags, 200);
    pr_set_single(&m.flags);
    receive(m);
    check_told("do broadcast 'ev' single 200ms?|");
    count_clients(2);
    check_told("CLIENT_COUNT#q 2>peer|");
    executed.answers->on_ack(executed.user, &one);
    executed.answers->on_ack(executed.user, NULL);
    check_told("ACK#q 1>peer|ACK#q>peer|forget|");
    end();

    T_CASE("R39: nobody is there: the count is 0");
    begin();
    receive(question(PR_BROADCAST));
    count_clients(0);
    check_told("do broadcast 'ev' 5000ms?|CLIENT_COUNT#q 0>peer|forget|");
    execute_result = SIO_E_STATE;
    receive(question(PR_BROADCAST));
    check_told("do broadcast 'ev' 5000ms?|CLIENT_COUNT#q 0>peer|forget|");
    end();

    T_CASE("R42: an answer before the count");
    begin();
    receive(question(PR_BROADCAST));
    executed.answers->on_ack(executed.user, NULL);
    told[0] = 0;
    count_clients(1);
    check_told("CLIENT_COUNT#q 1>peer|forget|");
    end();

    T_CASE("R43: forgotten when its clients have had their time");
    begin();
    m = question(PR_BROADCAST);
    pr_set_timeout(&m.flags, 1e12);
    receive(m);
    count_clients(1);
    receive(question(PR_BROADCAST));
    count_clients(1);
    told[0] = 0;
    move(4999);
    check_told("");
    move(1);
    check_told("forget|");
    move(CL_ANSWER_MAX_MS - 5001);
    check_told("");
    move(1);
    check_told("forget|");
    end();

    T_CASE(
        "R46: one with a short deadline is not forgotten before it is asked");
    begin();
    m = question(PR_BROADCAST);
    pr_set_timeout(&m.flags, 1);
    receive(m);
    check_told("do broadcast 'ev' 1ms?|");
    move(999);
    check_told("");
    move(1);
    check_told("forget|");
    end();

    T_CASE("R46: its own question is not asked again");
    begin();
    m = question(PR_BROADCAST);
    m.uid = cl_uid(&node);
    receive(m);
    check_told("");
    end();
}

static void test_notified(void)
{
    T_CASE("R29 R30: the first answer of this server, or none");
    begin();
    receive(question(PR_EMIT));
    executed.answers->on_ack(executed.user, &one);
    executed.answers->on_ack(executed.user, &one);
    executed.answers->on_complete(executed.user, SIO_OK);
    check_told("do emit 'ev' 5000ms?|EMIT_REPLY#q 1>peer|forget|");
    receive(question(PR_EMIT));
    executed.answers->on_complete(executed.user, SIO_OK);
    check_told("do emit 'ev' 5000ms?|forget|");
    receive(question(PR_EMIT));
    told[0] = 0;
    move(5000);
    check_told("forget|");
    end();
}

static void test_odd_questions(void)
{
    struct pr_message m;

    T_CASE("R37: nobody to answer to: it is done all the same");
    begin();
    transport.needs_asker = true;
    m = question(PR_BROADCAST);
    m.uid.n = 0;
    receive(m);
    m = question(PR_EMIT);
    m.uid.n = 0;
    receive(m);
    m = question(PR_FETCH);
    m.uid.n = 0;
    receive(m);
    check_told("do broadcast 'ev' 5000ms|do emit 'ev' 5000ms|");
    end();

    T_CASE("node: so many questions of others, and one more");
    begin();
    for (int i = 0; i < CL_FOREIGN_MAX; i++) {
        told[0] = 0;
        receive(question(PR_EMIT));
    }
    told[0] = 0;
    receive(question(PR_FETCH));
    check_told("");
    receive(question(PR_BROADCAST));
    check_told("CLIENT_COUNT#q 0>peer|do broadcast 'ev' 5000ms|");
    CHECK(stats().refused == 2, "%d", (int)stats().refused);
    end();

    T_CASE("node: the namespace goes within a question, and with one open");
    begin();
    receive(question(PR_BROADCAST));
    told[0] = 0;
    removes = true;
    receive(question(PR_FETCH));
    check_told("do fetch 5000ms?|forget|forget|");
    end();
}

/* ---------------------------------------------------------- out of memory */

/* Everything once, with `m` and the answers to it. */
static void go_through(void)
{
    struct pr_message m = reply(PR_FETCH_REPLY, "b");
    const struct pr_socket found = { .id = { "s1", 2 } };

    (void)cl_add_namespace(&node, STR("/chat"));
    (void)ask(SIO_CLUSTER_FETCH_SOCKETS, NAME("f"));
    m.sockets = &found;
    m.socket_count = 1;
    receive(m);
    counted(SIO_OK, 2);
    receive(question(PR_BROADCAST));
    if (executed.answers)
        count_clients(0);
    executed.answers = NULL;
    for (enum pr_type type = PR_SOCKETS; type <= PR_ROOMS; type += 2) {
        receive(question(type));
        if (executed.answers)
            find(2);
        executed.answers = NULL;
    }
    receive(question(PR_FETCH));
    if (executed.answers)
        find(2);
    executed.answers = NULL;
}

static void test_oom(void)
{
    T_CASE("node: every allocation fails once");
    for (long n = 0; n < 1000; n++) {
        bool failed;

        begin();
        executed.answers = NULL;
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

static void test_namespaces(void)
{
    T_CASE("node: namespaces, once each");
    begin();
    CHECK(cl_add_namespace(&node, STR("/")) == SIO_OK, "again");
    add_result = SIO_E_NOMEM;
    CHECK(cl_add_namespace(&node, STR("/x")) == SIO_E_NOMEM, "added");
    CHECK(!cl_nsp_find(&node, STR("/x")), "it is there");
    cl_remove_namespace(&node, STR("/x"));
    end();
    CHECK(cl_add_namespace(&node, STR("/")) == SIO_E_STATE, "closed");
}

int main(void)
{
    test_sending();
    test_receiving();
    test_fetching();
    test_notifying();
    test_asking();
    test_not_asked();
    test_fetched();
    test_asked();
    test_notified();
    test_odd_questions();
    test_oom();
    test_namespaces();
    return t_done();
}
