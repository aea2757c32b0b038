/*
 * test_parser.c -- a parser that the program brings: <sio/parser.h>, shown by
 * toy.c. What handlers see and do is the same, and what the library refuses it
 * refuses there, too.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cjson/cJSON.h>
#include <sio/sio.h>

#include "tests/flow/tell.h"
#include "tests/flow/toy.h"
#include "tests/flow/world.h"
#include "tests/unit/oom.h"

#define US "\x1f"
#define P(num) "{\"_placeholder\":true,\"num\":" num "}"

static struct world w;

/* ------------------------------------------------------------ the handlers */

static size_t all_args(const sio_event *event, sio_value values[32])
{
    size_t n = sio_arg_count(event);

    for (size_t i = 0; i < n && i < 32; i++)
        values[i] = sio_arg(event, i);
    return n < 32 ? n : 32;
}

static void on_tell(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket;
    (void)user;
    tell_event(event);
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

/* Every kind that a program can send. */
static void on_kinds(sio_socket *socket, sio_event *event, void *user)
{
    static const char raw[] = "[" P("0") "]";
    static const sio_str bytes = { "xy", 2 };
    cJSON *tree = cJSON_Parse("{\"a\":[1]}");

    (void)event;
    (void)user;
    sio_emit(socket, "kinds", sio_null(), sio_bool(true), sio_int(-7),
             sio_number(0.5), sio_string("s"), sio_binary("b", 1),
             sio_json(tree), sio_raw_json("[2]", 3),
             sio_raw_json_binary(raw, sizeof raw - 1, &bytes, 1),
             sio_raw_msgpack("\x92\xc4\x01m\x03", 5));
    cJSON_Delete(tree);
}

/* What is not valid never comes to the parser. */
static void on_invalid(sio_socket *socket, sio_event *event, void *user)
{
    (void)event;
    (void)user;
    tell("%d %d %d %d %d\n", sio_emit(socket, "x", sio_stringn("\xff", 1)),
         sio_emit(socket, "\xff"), sio_emit(socket, "x", sio_raw_json("[", 1)),
         sio_emit(socket, "x", sio_raw_msgpack("\xc1", 1)),
         sio_emit(socket, "disconnect"));
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
    const sio_value data = sio_binary("no", 2);
    char token[8] = "";

    (void)user;
    tell("auth %.*s\n", (int)auth.n, auth.p);
    if (sio_auth_string(socket, "token", token, sizeof token) > 0)
        sio_next_ok(next);
    else
        sio_next_error(next, "no token", &data);
}

static sio_server *open_server(const sio_parser *parser)
{
    static const struct {
        const char *name;
        sio_event_fn fn;
    } handlers[] = { { "tell", on_tell }, { "echo", on_echo },
                     { "all", on_all },   { "kinds", on_kinds },
                     { "ask", on_ask },   { "ask all", on_ask_all },
                     { "bye", on_bye },   { "invalid", on_invalid } };
    sio_namespace *nsp;
    sio_options o;

    sio_options_init(&o);
    o.parser = parser;
    o.max_json_depth = 8;
    o.max_attachments = 2;
    story[0] = 0;
    toy_forgotten = 0;
    if (!world_open(&w, &o))
        return NULL;
    nsp = sio_of(w.server, "/");
    for (size_t i = 0; i < COUNT(handlers); i++)
        sio_on(nsp, handlers[i].name, handlers[i].fn, NULL);
    sio_on_disconnect(nsp, on_disconnect, NULL);
    sio_use(sio_of(w.server, "/private"), check_auth, NULL);
    return w.server;
}

/* A message in the toy's words, '~' standing for US. */
static void say(int fd, const char *text)
{
    char message[512] = "4";
    size_t n = strlen(text);

    for (size_t i = 0; i <= n; i++)
        message[1 + i] = text[i] == '~' ? '\x1f' : text[i];
    world_send_text(&w, fd, message);
}

/* The frames that have come, '~' standing for US. */
static const char *heard(int fd)
{
    static char text[4096];

    snprintf(text, sizeof text, "%s", world_frames(&w, fd));
    for (char *at = text; *at; at++)
        if (*at == '\x1f')
            *at = '~';
    return text;
}

#define CHECK_HEARD(fd, pattern) CHECK_MATCH(heard(fd), pattern)

static int client(void)
{
    int fd = world_websocket(&w, "EIO=4&transport=websocket");

    say(fd, "0/~~~#0");
    CHECK_HEARD(fd, "T:0{*}|T:40/~~~j{\"sid\":\"*\"}~#0|");
    return fd;
}

static int begin(void)
{
    CHECK(open_server(toy_parser()), "no server");
    return client();
}

static void end(int fd)
{
    world_hang_up(&w, fd);
    world_check_empty(&w);
    world_close(&w);
    CHECK(toy_pending == 0, "%zu packets are still there", toy_pending);
}

/* ----------------------------------------------------------------- the same */

static void test_same(void)
{
    static const struct {
        const char *name, *json, *toy;
        int attachments;
    } rows[] = {
        { "every kind",
          "[\"tell\",null,true,false,7,-1.5,\"s\",[1],{\"a\":\"b\"}]",
          "2/~~tell~n~t~f~i7~d-1.5~ss~j[1]~j{\"a\":\"b\"}~#0", 0 },
        { "no arguments", "[\"tell\"]", "2/~~tell~#0", 0 },
        { "numbers as the other kind, or beyond 2^53",
          "[\"tell\",5,9007199254740992,-9007199254740991]",
          "2/~~tell~d5~d9007199254740992~i-9007199254740991~#0", 0 },
        { "raw text of plain values", "[\"tell\",null,true,7,0.5,\"\\n\"]",
          "2/~~tell~jnull~jtrue~j7~j0.5~j\"\\n\"~#0", 0 },
        { "more arguments than slices are kept",
          "[\"tell\",0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,\"x\"]",
          "2/~~tell~i0~i1~i2~i3~i4~i5~i6~i7~i8~i9~i10~i11~i12~i13~i14~i15~i16~"
          "sx~#0",
          0 },
        { "binary", "[\"tell\"," P("0") "," P("1") "]", "2/~~tell~b0~b1~#2",
          2 },
        { "binary inside", "[\"tell\",1,{\"x\":[" P("0") "]}," P("1") "]",
          "2/~~tell~i1~j{\"x\":[" P("0") "]}~b1~#2", 2 },
    };
    static char told[sizeof story];

    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[512];
        int fd;

        T_CASE("parser: a handler is told the same: %s", rows[i].name);
        CHECK(open_server(NULL), "no server");
        fd = world_client(&w);
        if (rows[i].attachments)
            snprintf(text, sizeof text, "45%d-%s", rows[i].attachments,
                     rows[i].json);
        else
            snprintf(text, sizeof text, "42%s", rows[i].json);
        world_send_text(&w, fd, text);
        for (int k = 0; k < rows[i].attachments; k++)
            world_send_binary(&w, fd, k ? "c" : "ab", k ? 1 : 2);
        strcpy(told, story);
        end(fd);
        fd = begin();
        say(fd, rows[i].toy);
        for (int k = 0; k < rows[i].attachments; k++)
            world_send_binary(&w, fd, k ? "c" : "ab", k ? 1 : 2);
        CHECK(*told && strcmp(told, story) == 0, "got %s, want %s", story,
              told);
        end(fd);
    }
}

/* ----------------------------------------------------------------- the flow */

static void test_flow(void)
{
    int fd, other;

    T_CASE("parser: passed on, binary included");
    fd = begin();
    say(fd, "2/~~echo~sx~b0~j[" P("1") "]~#2");
    world_send_binary(&w, fd, "ab", 2);
    CHECK_HEARD(fd, "");
    world_send_binary(&w, fd, "c", 1);
    CHECK_HEARD(fd, "T:42/~~echo~sx~b0~j[*]~#2|B:6162|B:63|");

    T_CASE("parser: all kinds of values");
    say(fd, "2/~~kinds~#0");
    CHECK_HEARD(fd, "T:42/~~kinds~n~t~i-7~d0.5~ss~b0~j{\"a\":[1]}~j[2]~"
                    "j[{\"_placeholder\":true,\"num\":1}]~"
                    "j[{\"_placeholder\":true,\"num\":2},3]~#3|"
                    "B:62|B:7879|B:6d|");

    T_CASE("parser: what is not valid is not sent");
    story[0] = 0;
    say(fd, "2/~~invalid~#0");
    CHECK_MATCH(story, "-2 -2 -2 -2 -9\n");
    CHECK_HEARD(fd, "");

    T_CASE("parser: acknowledgements both ways");
    say(fd, "2/~12~echo~i1~#0");
    CHECK_HEARD(fd, "T:43/~12~~i1~#0|");
    story[0] = 0;
    say(fd, "2/~~ask~#0");
    CHECK_HEARD(fd, "T:42/~0~question~i1~#0|");
    say(fd, "3/~0~~b0~i2~#1");
    world_send_binary(&w, fd, "ab", 2);
    CHECK_MATCH(story, "reply 0: , 2 arguments\n0: kind 5 *1 attachments: "
                       "ab\n");

    T_CASE("parser: a broadcast, with answers");
    other = client();
    say(fd, "2/~~all~b0~#1");
    world_send_binary(&w, fd, "ab", 2);
    CHECK_HEARD(fd, "T:42/~~all~b0~#1|B:6162|");
    CHECK_HEARD(other, "T:42/~~all~b0~#1|B:6162|");
    story[0] = 0;
    say(fd, "2/~~ask all~#0");
    say(other, "3/~1~~j[" P("0") "]~#1");
    world_send_binary(&w, other, "c", 1);
    say(fd, "3/~1~~n~#0");
    CHECK_MATCH(story, "reply 0: , 2 arguments\n0: kind 6 *1 attachments: c\n");
    world_hang_up(&w, other);

    T_CASE("parser: leaving, by either side");
    world_frames(&w, fd);
    story[0] = 0;
    say(fd, "2/~~bye~#0");
    CHECK_HEARD(fd, "T:41/~~~#0|");
    say(fd, "0/~~~#0");
    CHECK_HEARD(fd, "T:40/~~~j*");
    say(fd, "1/~~~#0");
    CHECK_MATCH(story,
                "*server namespace disconnect\nclient namespace disconnect\n");
    end(fd);
}

static void test_connect(void)
{
    int fd = begin();

    T_CASE("parser: namespaces: not there, refused with binary, let in");
    say(fd, "0/no~~~#0");
    CHECK_HEARD(fd, "T:44/no~~~j{\"message\":\"Invalid namespace\"}~#0|");
    say(fd, "0/private~~~j {}~#0");
    CHECK_HEARD(fd, "T:44/private~~~j{\"message\":\"no token\",\"data\":" P(
                        "0") "}~#1|B:6e6f|");
    story[0] = 0;
    say(fd, "0/private~~~j  {\"token\":\"x\"}~#0");
    CHECK_HEARD(fd, "T:40/private~~~j{\"sid\":\"*\"}~#0|");
    CHECK_MATCH(story, "auth {\"token\":\"x\"}\n");
    end(fd);
}

/* -------------------------------------------------------------- what is not */

static void test_refused(void)
{
    static const struct {
        const char *name, *toy, *why;
    } rows[] = {
        { "the parser itself refuses it", "2/~~x~?~#0", "toy: bad value" },
        { "a reserved name", "2/~~connect~#0", "toy: bad packet" },
        { "raw text that is no JSON", "2/~~x~j[1~#0", "toy: bad packet" },
        { "raw text, too deep", "2/~~x~j[[[[[[[[[]]]]]]]]]~#0",
          "toy: bad packet" },
        { "an acknowledgement's id below 0", "2/~-5~x~#0", "toy: bad packet" },
        { "an acknowledgement's id over 2^53", "2/~9007199254740992~x~#0",
          "toy: bad packet" },
        { "auth is an array", "0/no~~~j[]~#0", "toy: bad packet" },
        { "auth is a string", "0/no~~~sx~#0", "toy: bad packet" },
        { "auth is two values", "0/no~~~j{}~j{}~#0", "toy: bad packet" },
        { "DISCONNECT with a value", "1/~~~n~#0", "toy: bad packet" },
        { "what only a server sends", "4/~~~sx~#0", "toy: bad packet" },
        { "no type at all", "9/~~~#0", "toy: bad packet" },
        { "a namespace not joined", "2/no~~x~#0",
          "event for a namespace not joined" },
        { "more attachments than max_attachments", "2/~~x~#3",
          "toy: too many attachments" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char why[100];
        int fd, other;

        T_CASE("parser: refused, only its sender pays: %s", rows[i].name);
        fd = begin();
        other = client();
        say(fd, rows[i].toy);
        CHECK_HEARD(fd, "C|*");
        snprintf(why, sizeof why, "*%s\n*", rows[i].why);
        CHECK_MATCH(w.log, why);
        world_hang_up(&w, fd);
        say(other, "2/~~echo~#0");
        CHECK_HEARD(other, "T:42/~~echo~#0|");
        end(other);
    }
}

static void test_times(void)
{
    int fd;

    T_CASE("parser: an attachment has a minute to come, and each one has");
    fd = begin();
    say(fd, "2/~~echo~b0~b1~#2");
    world_advance(&w, 15000);
    CHECK_HEARD(fd, "");
    world_advance(&w, 11000);
    CHECK_HEARD(fd, "T:2|");
    world_send_text(&w, fd, "3");
    world_advance(&w, 25000);
    CHECK_HEARD(fd, "T:2|");
    world_send_text(&w, fd, "3");
    world_send_binary(&w, fd, "a", 1);
    world_advance(&w, 26000);
    CHECK_HEARD(fd, "T:2|");
    world_send_text(&w, fd, "3");
    world_send_binary(&w, fd, "b", 1);
    CHECK_HEARD(fd, "T:42/~~echo~b0~b1~#2|B:61|B:62|");
    say(fd, "2/~~echo~b0~#1");
    for (int i = 0; i < 2; i++) {
        world_advance(&w, 26000);
        CHECK_HEARD(fd, "T:2|");
        world_send_text(&w, fd, "3");
    }
    world_advance(&w, 10000);
    CHECK_HEARD(fd, "C|*");
    CHECK_MATCH(w.log, "*an attachment took too long\n*");
    world_hang_up(&w, fd);
    world_turn(&w);
    world_check_empty(&w);
    world_close(&w);
    T_CASE("parser: a packet under way does not put off joining");
    CHECK(open_server(toy_parser()), "no server");
    fd = world_websocket(&w, "EIO=4&transport=websocket");
    CHECK_HEARD(fd, "T:0{*}|");
    world_advance(&w, 24000);
    say(fd, "2/~~echo~b0~#1");
    world_advance(&w, 2000);
    CHECK_HEARD(fd, "T:2|");
    world_send_text(&w, fd, "3");
    world_advance(&w, 20000);
    CHECK_HEARD(fd, "C|*");
    CHECK_MATCH(w.log, "*no namespace joined in time\n*");
    world_hang_up(&w, fd);
    world_turn(&w);
    world_check_empty(&w);
    world_close(&w);
}

static void test_unfinished(void)
{
    int fd = begin();

    T_CASE("parser: binary that no packet waits for");
    world_send_binary(&w, fd, "x", 1);
    CHECK_HEARD(fd, "C|*");
    end(fd);

    T_CASE("parser: a placeholder without attachment");
    fd = begin();
    say(fd, "2/~~x~j" P("1") "~#1");
    world_send_binary(&w, fd, "x", 1);
    CHECK_HEARD(fd, "C|*");
    end(fd);

    T_CASE("parser: what it keeps for a client is given back");
    fd = begin();
    say(fd, "2/~~x~b0~#1");
    CHECK(toy_pending == 1 && toy_forgotten == 0, "%zu", toy_pending);
    world_hang_up(&w, fd);
    world_turn(&w);
    CHECK(toy_pending == 0 && toy_forgotten == 1, "%zu", toy_forgotten);
    world_check_empty(&w);
    world_close(&w);
}

static void test_options(void)
{
    static const sio_parser parts[] = {
        { .size = sizeof(sio_parser), .name = "x" },
        { .size = 8, .name = "x" },
    };
    sio_parser p = *toy_parser();
    sio_options o;

    T_CASE("parser: one that is not whole is refused");
    for (size_t i = 0; i < COUNT(parts); i++) {
        sio_options_init(&o);
        o.parser = &parts[i];
        CHECK(!sio_server_new(&o), "%zu", i);
    }
    p.name = NULL;
    sio_options_init(&o);
    o.parser = &p;
    CHECK(!sio_server_new(&o), "without a name");
    T_CASE("parser: those that come with the library have names");
    CHECK(strcmp(sio_json_parser()->name, "json") == 0, "json");
    CHECK(strcmp(sio_msgpack_parser()->name, "msgpack") == 0, "msgpack");
    T_CASE("parser: sio_json_parser() is the default");
    CHECK(open_server(sio_json_parser()), "no server");
    end(world_client(&w));
}

/* An encoder that fails, or ignores a failure; one that is binary. */
static int encode_error(sio_encoder *e, const sio_parser_packet *p, void *user)
{
    int *error = user;

    sio_encoder_write(e, "~", 1);
    sio_encoder_attach(e, "x", 1);
    if (p->type != SIO_PARSER_EVENT)
        return SIO_OK;
    if (*error == SIO_E_LIMIT) {
        char large[2048] = { 0 };

        for (int i = 0; i < 5; i++)
            sio_encoder_write(e, large, sizeof large);
        return SIO_OK;
    }
    return *error;
}

static const char *decode_any(sio_decoder *d, bool binary, const void *data,
                              size_t n, void *user)
{
    sio_parser_packet p = { .type = SIO_PARSER_CONNECT, .nsp = { "/", 1 } };
    const sio_str name = { data, n };

    (void)user;
    if (!binary)
        return "text";
    p.ack_id = SIO_NO_ACK_ID;
    if (n) {
        p.type = SIO_PARSER_EVENT;
        p.event = name;
    }
    if (sio_decoder_packet(d, &p) != SIO_OK)
        return "refused";
    return sio_decoder_packet(d, &p) == SIO_E_STATE ? NULL : "twice";
}

static void on_event(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    tell("%s: %d %d\n", sio_event_name(event), sio_emit(socket, "x"),
         sio_emit(sio_namespace_of(socket), "x"));
}

static void test_encoder(void)
{
    static const int errors[] = { SIO_OK, SIO_E_INVAL, SIO_E_LIMIT };

    for (size_t i = 0; i < COUNT(errors); i++) {
        int error = errors[i], fd;
        const sio_parser p = { .size = sizeof p,
                               .name = "x",
                               .binary = true,
                               .decode = decode_any,
                               .encode = encode_error,
                               .user = &error };
        char want[40];
        sio_options o;

        T_CASE("parser: binary, its encoder says %d", error);
        sio_options_init(&o);
        o.parser = &p;
        o.max_buffered_amount = 8192;
        story[0] = 0;
        CHECK(world_open(&w, &o), "no server");
        sio_on(sio_of(w.server, "/"), "e", on_event, NULL);
        fd = world_websocket(&w, "EIO=4&transport=websocket");
        world_send_binary(&w, fd, "", 0);
        CHECK_FRAMES(&w, fd, "T:0{*}|B:7e|B:78|");
        world_send_binary(&w, fd, "e", 1);
        CHECK_FRAMES(&w, fd, error ? "" : "B:7e|B:78|B:7e|B:78|");
        snprintf(want, sizeof want, "e: %d %d\n", error, error);
        CHECK_MATCH(story, want);
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
    say(fd, "0/~~~#0");
    say(fd, "0/private~~~j{\"a\":1}~#0");
    say(fd, "2/~~tell~b0~j[" P("0") "]~sx~#1");
    world_send_binary(&w, fd, "ab", 2);
    say(fd, "2/~~all~j[" P("0") "]~#1");
    world_send_binary(&w, fd, "ab", 2);
    say(fd, "2/~~kinds~#0");
    say(fd, "2/~~ask all~#0");
    say(fd, "3/~0~~b0~#1");
    world_send_binary(&w, fd, "ab", 2);
    say(fd, "2/~~x~b0~#2");
    world_frames(&w, fd);
    world_hang_up(&w, fd);
}

static void test_oom(void)
{
    long n;
    bool failed = true;

    T_CASE("parser: each allocation of a life fails once");
    for (n = 0; n < 2000 && failed; n++) {
        CHECK(open_server(toy_parser()), "no server");
        oom_arm(n);
        live();
        failed = oom_disarm();
        world_advance(&w, 60000);
        world_check_empty(&w);
        world_close(&w);
        CHECK(toy_pending == 0, "%zu packets are still there", toy_pending);
    }
    CHECK(n > 20 && n < 2000, "%ld allocations", n);
}

int main(void)
{
    test_same();
    test_flow();
    test_connect();
    test_refused();
    test_times();
    test_unfinished();
    test_options();
    test_encoder();
    test_oom();
    return t_done();
}
