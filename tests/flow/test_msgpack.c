/*
 * test_msgpack.c -- the whole stack with MessagePack instead of JSON text: what
 * handlers see and do is the same. S1.7 in a name is the section of the
 * reference.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "protocol/base/base64.h"
#include "tests/flow/packets.h"
#include "tests/flow/tell.h"
#include "tests/unit/oom.h"

#define P(num) "{\"_placeholder\":true,\"num\":" num "}"

static struct world w;

static void on_tell(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket;
    (void)user;
    tell_event(event);
}

/* ------------------------------------------------------------ the handlers */

static size_t all_args(const sio_event *event, sio_value values[32])
{
    size_t n = sio_arg_count(event);

    for (size_t i = 0; i < n && i < 32; i++)
        values[i] = sio_arg(event, i);
    return n < 32 ? n : 32;
}

static void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    sio_value values[32];
    size_t n = all_args(event, values);

    (void)user;
    if (sio_wants_ack(event))
        sio_ack_values(event, values, n);
    else
        sio_socket_emit_values(socket, "echo", values, n);
}

static void on_all(sio_socket *socket, sio_event *event, void *user)
{
    sio_value values[32];
    size_t n = all_args(event, values);

    (void)user;
    sio_emit_values(sio_target_namespace(sio_namespace_of(socket)), "all",
                    values, n);
}

/* As a tree, which has to be made and written again. */
static void on_tree(sio_socket *socket, sio_event *event, void *user)
{
    const struct cJSON *tree = NULL;

    (void)user;
    sio_arg_json(event, 0, &tree);
    sio_emit(socket, "tree", sio_json(tree));
}

static void on_raw(sio_socket *socket, sio_event *event, void *user)
{
    sio_str raw = { NULL, 0 };
    const void *bytes = NULL;
    size_t n = 0;

    (void)user;
    sio_arg_raw(event, 0, &raw);
    if (sio_attachment(event, 0, &bytes, &n) == SIO_OK) {
        const sio_str attachment = { bytes, n };

        sio_emit(socket, "raw",
                 sio_raw_json_binary(raw.p, raw.n, &attachment, 1));
    } else {
        sio_emit(socket, "raw", sio_raw_json(raw.p, raw.n));
    }
}

static void on_reply(int error, sio_event *answers, void *user)
{
    (void)user;
    tell("reply %d: ", error);
    tell_event(answers);
}

static void on_ask(sio_socket *socket, sio_event *event, void *user)
{
    (void)event;
    (void)user;
    sio_emit_ack(socket, on_reply, NULL, "question", sio_int(1));
}

static void on_ask_all(sio_socket *socket, sio_event *event, void *user)
{
    (void)event;
    (void)user;
    sio_emit_ack(sio_timeout(sio_namespace_of(socket), 1000), on_reply, NULL,
                 "question");
}

static void on_bye(sio_socket *socket, sio_event *event, void *user)
{
    (void)event;
    (void)user;
    sio_disconnect(socket, false);
}

static void on_disconnect(sio_socket *socket, const char *reason, void *user)
{
    (void)socket;
    (void)user;
    tell("%s\n", reason);
}

static void check_auth(sio_socket *socket, sio_next *next, void *user)
{
    const sio_str auth = sio_auth(socket);
    const sio_str bytes = { "ab", 2 };
    static const char json[] = "{\"code\":1,\"b\":" P("0") "}";
    const sio_value data =
        sio_raw_json_binary(json, sizeof json - 1, &bytes, 1);
    char token[8] = "";

    (void)user;
    tell("auth %.*s\n", (int)auth.n, auth.p);
    if (sio_auth_string(socket, "token", token, sizeof token) > 0)
        sio_next_ok(next);
    else
        sio_next_error(next, "no token", &data);
}

static bool open_server(const sio_parser *parser)
{
    sio_namespace *nsp;
    sio_options o;

    sio_options_init(&o);
    o.parser = parser;
    story[0] = 0;
    if (!world_open(&w, &o))
        return false;
    nsp = sio_of(w.server, "/");
    sio_on(nsp, "tell", on_tell, NULL);
    sio_on(nsp, "5", on_tell, NULL);
    sio_on(nsp, "echo", on_echo, NULL);
    sio_on(nsp, "all", on_all, NULL);
    sio_on(nsp, "tree", on_tree, NULL);
    sio_on(nsp, "raw", on_raw, NULL);
    sio_on(nsp, "ask", on_ask, NULL);
    sio_on(nsp, "ask all", on_ask_all, NULL);
    sio_on(nsp, "bye", on_bye, NULL);
    sio_on_disconnect(nsp, on_disconnect, NULL);
    sio_use(sio_of(w.server, "/private"), check_auth, NULL);
    return true;
}

static int begin(void)
{
    CHECK(open_server(sio_msgpack_parser()), "no server");
    return packets_client(&w);
}

static void end(int fd)
{
    world_hang_up(&w, fd);
    world_check_empty(&w);
    world_close(&w);
}

/* ---------------------------------------------------------------- the same */

/* Payloads that a handler must be told the same of, whichever way they come. */
static const struct {
    const char *name, *json;
    int attachments;
} same[] = {
    { "every kind", "[\"tell\",null,true,false,7,-1.5,\"s\",[1],{\"a\":\"b\"}]",
      0 },
    { "no arguments", "[\"tell\"]", 0 },
    { "numbers",
      "[\"tell\",0,-1,255,65536,4294967296,9007199254740991,9007199254740992,"
      "-9007199254740991,1e+300,0.1,1e-7]",
      0 },
    { "NUL, escapes, astral characters",
      "[\"tell\",\"a\\u0000b\",\"\\\"\\\\\\n\",\"\xf0\x9f\x98\x80\"]", 0 },
    { "empty ones", "[\"tell\",\"\",[],{}]", 0 },
    { "deep ones", "[\"tell\",[[[[[[{\"a\":[{}]}]]]]]]]", 0 },
    { "more arguments than slices are kept",
      "[\"tell\",0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,\"x\",[20]]",
      0 },
    { "binary", "[\"tell\"," P("0") "]", 1 },
    { "binary inside", "[\"tell\",1,{\"x\":[" P("0") "]}," P("1") "]", 2 },
    { "binary first, used inside", "[\"tell\"," P("0") ",[1],[" P("1") "]]",
      2 },
    { "a number as event name", "[5,\"x\"]", 0 },
};

static void send_as_json(int fd, size_t i)
{
    char text[512];

    if (same[i].attachments)
        snprintf(text, sizeof text, "45%d-%s", same[i].attachments,
                 same[i].json);
    else
        snprintf(text, sizeof text, "42%s", same[i].json);
    world_send_text(&w, fd, text);
    if (same[i].attachments > 0)
        world_send_binary(&w, fd, "ab", 2);
    if (same[i].attachments > 1)
        world_send_binary(&w, fd, "c", 1);
}

static void test_same(void)
{
    static char told[sizeof story];
    char text[512];
    int fd;

    for (size_t i = 0; i < COUNT(same); i++) {
        T_CASE("S1.7: a handler is told the same: %s", same[i].name);
        CHECK(open_server(NULL), "no server");
        fd = world_client(&w);
        send_as_json(fd, i);
        strcpy(told, story);
        end(fd);
        fd = begin();
        snprintf(text, sizeof text, "{\"type\":2,\"nsp\":\"/\",\"data\":%s}",
                 same[i].json);
        packets_send(&w, fd, text);
        CHECK(*told && strcmp(told, story) == 0, "got %s, want %s", story,
              told);
        end(fd);
    }
}

/* ------------------------------------------------- what only MessagePack has
 */

static void test_own_types(void)
{
    int fd;

    T_CASE("S1.7: a date, undefined, ArrayBuffer, extension, NaN: read");
    fd = begin();
    packets_send_hex(&w, fd,
                     "83a47479706502a36e7370a12fa464617461"
                     "96a474656c6cd7000000018bcfe56800d40000c7020061"
                     "62d40507cb7ff8000000000000");
    CHECK_MATCH(story,
                "tell, 5 arguments\n"
                "0: kind 4 string 0 2023-11-14T22:13:20.000Z (24) * raw "
                "0 \"2023-11-14T22:13:20.000Z\" tree *\n"
                "1: kind 0 * raw 0 null tree 0 null\n"
                "2: kind 5 * binary 0 ab raw 0 " P(
                    "0") " *\n"
                         "3: kind 6 * raw 0 [5," P(
                             "1") "] *\n"
                                  "4: kind 3 * number 0 *nan* raw 0 null *"
                                  "2 attachments: ab \7\n");
    T_CASE("S1.7: the same, passed on as they came");
    packets_send_hex(&w, fd,
                     "83a47479706502a36e7370a12fa464617461"
                     "94a46563686fd7000000018bcfe56800d40000ca3fc00000");
    CHECK_FRAMES(&w, fd,
                 "B:83a47479706502a46461746194a46563686f"
                 "d7000000018bcfe56800d40000ca3fc00000a36e7370a12f|");
    end(fd);
}

static void test_written_again(void)
{
    int fd = begin();

    T_CASE("msgpack: a tree made of an argument is MessagePack again");
    packets_send(&w, fd,
                 "{\"type\":2,\"nsp\":\"/\",\"data\":[\"tree\","
                 "{\"a\":[1,-2,0.5,\"\\u00e9\",null,{}]}]}");
    CHECK_PACKETS(&w, fd,
                  "{\"type\":2,\"data\":[\"tree\",{\"a\":[1,-2,0.5,"
                  "\"\xc3\xa9\",null,{}]}],\"nsp\":\"/\"}|");
    T_CASE("msgpack: raw JSON text of an argument, its binary included");
    packets_send(
        &w, fd,
        "{\"type\":2,\"nsp\":\"/\",\"data\":[\"raw\",[" P("0") ",\"x\"]]}");
    CHECK_FRAMES(&w, fd,
                 "B:83a47479706502a46461746192a3726177"
                 "92c4026162a178a36e7370a12f|");
    end(fd);
}

/* ---------------------------------------------------------------- the flow */

static void test_flow(void)
{
    int fd, other;

    T_CASE("S1.7: acknowledgements both ways");
    fd = begin();
    packets_send(&w, fd,
                 "{\"type\":2,\"nsp\":\"/\",\"id\":5,\"data\":"
                 "[\"echo\",1,\"x\"]}");
    CHECK_PACKETS(&w, fd,
                  "{\"id\":5,\"type\":3,\"data\":[1,\"x\"],\"nsp\":\"/\"}|");
    packets_send(&w, fd, "{\"type\":2,\"nsp\":\"/\",\"data\":[\"ask\"]}");
    CHECK_PACKETS(&w, fd,
                  "{\"type\":2,\"data\":[\"question\",1],\"id\":0,"
                  "\"nsp\":\"/\"}|");
    packets_send(&w, fd,
                 "{\"type\":3,\"nsp\":\"/\",\"id\":0,\"data\":[" P("0") ",2]}");
    CHECK_MATCH(story, "reply 0: , 2 arguments\n0: kind 5 *1 attachments: "
                       "ab\n");

    T_CASE("S1.7: a broadcast, with answers");
    other = packets_client(&w);
    packets_send(&w, fd,
                 "{\"type\":2,\"nsp\":\"/\",\"data\":[\"all\"," P("0") "]}");
    CHECK_PACKETS(&w, fd,
                  "{\"type\":2,\"data\":[\"all\",{\"type\":\"Buffer\","
                  "\"data\":[97,98]}],\"nsp\":\"/\"}|");
    CHECK_PACKETS(&w, other, "{\"type\":2,\"data\":[\"all\",*");
    story[0] = 0;
    packets_send(&w, fd, "{\"type\":2,\"nsp\":\"/\",\"data\":[\"ask all\"]}");
    CHECK_PACKETS(&w, fd, "{\"type\":2,\"data\":[\"question\"],\"id\":1,*");
    CHECK_PACKETS(&w, other, "{\"type\":2,\"data\":[\"question\"],\"id\":1,*");
    packets_send(&w, other,
                 "{\"type\":3,\"nsp\":\"/\",\"id\":1,\"data\":[[" P("1") "]]}");
    packets_send(&w, fd,
                 "{\"type\":3,\"nsp\":\"/\",\"id\":1,\"data\":[\"second\"]}");
    CHECK_MATCH(story, "reply 0: , 2 arguments\n0: kind 6 * raw 0 [" P(
                           "0") "] *\n1: kind 4 * raw 0 \"second\"*"
                                "1 attachments: c\n");
    world_hang_up(&w, other);

    T_CASE("S1.7: leaving, by either side");
    story[0] = 0;
    packets_send(&w, fd, "{\"type\":2,\"nsp\":\"/\",\"data\":[\"bye\"]}");
    CHECK_PACKETS(&w, fd, "{\"type\":1,\"nsp\":\"/\"}|");
    packets_send(&w, fd, "{\"type\":0,\"nsp\":\"/\"}");
    CHECK_PACKETS(&w, fd, "{\"type\":0,*}|");
    packets_send(&w, fd, "{\"type\":1,\"nsp\":\"/\"}");
    CHECK_PACKETS(&w, fd, "");
    CHECK_MATCH(story,
                "*server namespace disconnect\nclient namespace disconnect\n");
    end(fd);
}

static void test_namespaces(void)
{
    int fd = begin();

    T_CASE("S1.7: a namespace that is not there");
    packets_send(&w, fd, "{\"type\":0,\"nsp\":\"/no\"}");
    CHECK_PACKETS(&w, fd,
                  "{\"type\":4,\"data\":{\"message\":\"Invalid "
                  "namespace\"},\"nsp\":\"/no\"}|");
    T_CASE("S1.7: refused by a middleware, with data, binary in it");
    packets_send(&w, fd, "{\"type\":0,\"nsp\":\"/private\",\"data\":{}}");
    CHECK_PACKETS(&w, fd,
                  "{\"type\":4,\"data\":{\"message\":\"no token\","
                  "\"data\":{\"code\":1,\"b\":{\"type\":\"Buffer\","
                  "\"data\":[97,98]}}},\"nsp\":\"/private\"}|");
    T_CASE("S1.7: auth is JSON text, binary in it as Node prints it");
    story[0] = 0;
    packets_send(&w, fd,
                 "{\"type\":0,\"nsp\":\"/private\",\"data\":"
                 "{\"token\":\"x\",\"b\":" P("0") "}}");
    CHECK_PACKETS(&w, fd,
                  "{\"type\":0,\"data\":{\"sid\":\"*\"},"
                  "\"nsp\":\"/private\"}|");
    CHECK_MATCH(story, "auth {\"token\":\"x\",\"b\":{\"type\":\"Buffer\","
                       "\"data\":[97,98]}}\n");
    T_CASE("S1.7: CONNECT with undefined as data");
    story[0] = 0;
    packets_send(&w, fd, "{\"type\":1,\"nsp\":\"/private\"}");
    packets_send_hex(&w, fd,
                     "83a47479706500a464617461d40000"
                     "a36e7370a82f70726976617465");
    CHECK_PACKETS(&w, fd, "{\"type\":4,*");
    CHECK_MATCH(story, "auth {}\n");
    end(fd);

    T_CASE("S1.3: in JSON text, binary in CONNECT_ERROR is what Node prints");
    CHECK(open_server(NULL), "no server");
    fd = world_client(&w);
    world_send_text(&w, fd, "40/private,");
    CHECK_FRAMES(&w, fd,
                 "T:44/private,{\"message\":\"no token\",\"data\":"
                 "{\"code\":1,\"b\":{\"type\":\"Buffer\",\"data\":"
                 "[97,98]}}}|");
    end(fd);
}

/* Over polling a packet is one "b" and its base64. */
static void test_polling(void)
{
    char sid[24], query[100], body[600], bytes[400];
    size_t n;
    int fd;

    T_CASE("S1.7: over polling");
    CHECK(open_server(sio_msgpack_parser()), "no server");
    CHECK(world_session(&w, sid), "no session");
    snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
    n = packets_bytes("{\"type\":0,\"nsp\":\"/\"}", bytes, sizeof bytes);
    body[0] = 'b';
    n = 1 + base64_encode(body + 1, bytes, n);
    body[n] = 0;
    CHECK_MATCH(world_post(&w, query, body), "ok");
    fd = world_poll(&w, sid);
    CHECK_MATCH(world_poll_answer(&w, fd), "bg6R0eXBlAKRkYXRhgaNzaWS0*");
    world_hang_up(&w, fd);
    n = packets_bytes("{\"type\":2,\"nsp\":\"/\",\"data\":[\"all\",1]}", bytes,
                      sizeof bytes);
    n = 1 + base64_encode(body + 1, bytes, n);
    body[n] = 0;
    CHECK_MATCH(world_post(&w, query, body), "ok");
    fd = world_poll(&w, sid);
    CHECK_MATCH(world_poll_answer(&w, fd), "bg6R0eXBlAqRkYXRhkqNhbGwBo25zcKEv");
    world_hang_up(&w, fd);
    world_post(&w, query, "1");
    world_check_empty(&w);
    world_close(&w);
}

/* ---------------------------------------------------------- what is refused */

static void test_refused(void)
{
    static const struct {
        const char *name, *hex, *why;
    } rows[] = {
        { "bytes behind", "82a47479706501a36e7370a12fc0", "no MessagePack" },
        { "cut short", "82a47479706501a36e7370", "no MessagePack" },
        { "type 5", "82a47479706505a36e7370a12f", "unknown packet type" },
        { "no namespace", "81a47479706501", "invalid namespace" },
        { "a reserved name",
          "83a47479706502a46461746191a7636f6e6e656374a36e7370a12f",
          "invalid payload" },
        { "id nil", "84a47479706502a46461746191a178a26964c0a36e7370a12f",
          "invalid packet id" },
        { "a packet that only a server sends",
          "83a47479706504a464617461a178a36e7370a12f",
          "packet type only a server may send" },
        { "a namespace not joined",
          "83a47479706502a46461746191a178a36e7370a22f78",
          "event for a namespace not joined" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char why[100];
        int fd, other;

        T_CASE("S1.7: refused, only its sender pays: %s", rows[i].name);
        fd = begin();
        other = packets_client(&w);
        packets_send_hex(&w, fd, rows[i].hex);
        CHECK_PACKETS(&w, fd, "C|*");
        snprintf(why, sizeof why, "*%s\n*", rows[i].why);
        CHECK_MATCH(w.log, why);
        world_hang_up(&w, fd);
        CHECK_MATCH(story, "forced*close\n");
        packets_send(&w, other,
                     "{\"type\":2,\"nsp\":\"/\",\"data\":[\"echo\"]}");
        CHECK_PACKETS(&w, other, "{\"type\":2,\"data\":[\"echo\"],*");
        end(other);
    }
    T_CASE("S1.7: a text message is refused");
    {
        int fd = begin();

        world_send_text(&w, fd, "42[\"echo\"]");
        CHECK_PACKETS(&w, fd, "C|*");
        CHECK_MATCH(w.log, "*no MessagePack\n*");
        end(fd);
    }
}

/* -------------------------------------------------------------------- costs */

static void test_costs(void)
{
    static const char *const rows[] = {
        "{\"type\":2,\"nsp\":\"/\",\"data\":[\"echo\",\"hello\"]}",
        "{\"type\":2,\"nsp\":\"/\",\"id\":1,\"data\":[\"echo\",{\"a\":[1]}]}",
        "{\"type\":2,\"nsp\":\"/\",\"data\":[\"echo\"," P("0") "]}",
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char bytes[256];
        size_t n = packets_bytes(rows[i], bytes, sizeof bytes);
        long before = 0;
        int fd;

        T_CASE("cost: %s: no allocation", rows[i]);
        fd = begin();
        for (int k = -5; k < 100; k++) {
            if (k == 0)
                before = oom_count();
            world_send_binary(&w, fd, bytes, n);
            world_frames(&w, fd);
        }
        CHECK(oom_count() == before, "%ld", oom_count() - before);
        end(fd);
    }
}

/* ------------------------------------------------------ allocations that fail
 */

static void live(void)
{
    int fd = world_websocket(&w, "EIO=4&transport=websocket");

    if (fd < 0)
        return;
    packets_send_hex(&w, fd, "82a47479706500a36e7370a12f");
    packets_send_hex(&w, fd,
                     "83a47479706500a36e7370a82f70726976617465"
                     "a46461746181a162c4016162");
    /* tell, tree, all, ask */
    packets_send_hex(&w, fd,
                     "83a47479706502a36e7370a12fa46461746193a474656c6c"
                     "91c40161d7000000018bcfe56800");
    packets_send_hex(&w, fd,
                     "83a47479706502a36e7370a12fa46461746192a474726565"
                     "81a16191a2c3a9");
    packets_send_hex(&w, fd,
                     "83a47479706502a36e7370a12fa46461746192a3616c6c"
                     "c40161");
    packets_send_hex(&w, fd,
                     "83a47479706502a36e7370a12fa46461746191a761736b20"
                     "616c6c");
    packets_send_hex(&w, fd,
                     "84a47479706503a36e7370a12fa26964"
                     "00a46461746191"
                     "91c40161");
    world_frames(&w, fd);
    world_hang_up(&w, fd);
}

static void test_oom(void)
{
    long n;
    bool failed = true;

    T_CASE("msgpack: each allocation of a life fails once");
    for (n = 0; n < 2000 && failed; n++) {
        CHECK(open_server(sio_msgpack_parser()), "no server");
        oom_arm(n);
        live();
        failed = oom_disarm();
        world_advance(&w, 60000);
        world_check_empty(&w);
        world_close(&w);
    }
    CHECK(n > 10 && n < 2000, "%ld allocations", n);
}

int main(void)
{
    test_same();
    test_own_types();
    test_written_again();
    test_flow();
    test_namespaces();
    test_polling();
    test_refused();
    test_costs();
    test_oom();
    return t_done();
}
