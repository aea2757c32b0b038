/*
 * test_pr_message.c -- cluster messages made from values, as a node makes them,
 * against what Node published for the same calls; and what a hostile one finds.
 * R and a number in a name is an item of the list of tests with Node's
 * adapters.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/redis/classic.h"
#include "protocol/redis/cluster.h"
#include "protocol/redis/stream.h"
#include "tests/unit/exact.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <math.h>
#include <sio/value.h>

/* clang-format off */
#define S(literal) { literal, sizeof(literal) - 1 }
#define NAMES(...) { (const sio_str[]){ __VA_ARGS__ },             \
        sizeof((sio_str[]){ __VA_ARGS__ }) / sizeof(sio_str) }
#define VALUES(...) .values = (const sio_value[]){ __VA_ARGS__ },  \
        .count = sizeof((sio_value[]){ __VA_ARGS__ }) / sizeof(sio_value)
#define RAW(text) sio_raw_json(text, sizeof(text) - 1)
/* clang-format on */

static int encode_classic(struct grow *out, const struct pr_message *m)
{
    return pr_classic_encode(out, m);
}

static int encode_sharded(struct grow *out, const struct pr_message *m)
{
    return pr_cluster_encode(out, PR_JSON_OR_MSGPACK, m);
}

static int encode_streams(struct grow *out, const struct pr_message *m)
{
    return pr_cluster_encode(out, PR_MSGPACK, m);
}

static int encode_entry(struct grow *out, const struct pr_message *m)
{
    struct pr_entry entry;

    return pr_entry_encode(out, m, false, &entry);
}

static int encode_plain(struct grow *out, const struct pr_message *m)
{
    struct pr_entry entry;

    return pr_entry_encode(out, m, true, &entry);
}

typedef int encode_fn(struct grow *out, const struct pr_message *m);

static void check(const char *name, encode_fn *encode,
                  const struct pr_message *m, sio_str want)
{
    struct grow out;
    int r;

    T_CASE("%s", name);
    grow_init(&out, SIZE_MAX);
    r = encode(&out, m);
    CHECK(r == SIO_OK, "%d", r);
    CHECK(str_eq(grow_str(&out), want), "%s", shown((char *)out.data, out.len));
    grow_free(&out);
    for (size_t max = 0; max < want.n; max++) {
        grow_init(&out, max);
        r = encode(&out, m);
        CHECK(r == SIO_E_LIMIT && out.len == 0, "%zu: %d", max, r);
        grow_free(&out);
    }
    r = SIO_E_NOMEM;
    for (long n = 0; n < 100 && r == SIO_E_NOMEM; n++) {
        grow_init(&out, SIZE_MAX);
        oom_arm(n);
        r = encode(&out, m);
        CHECK(oom_disarm() == (r == SIO_E_NOMEM) && (r == 0 || out.len == 0),
              "%ld: %d", n, r);
        grow_free(&out);
    }
}

/* ------------------------------------------------- as Node publishes them --
 */

/* clang-format off */
static void test_classic(void)
{
    struct pr_message m = {
        .type = PR_BROADCAST, .uid = S("dZKCo4"), .nsp = S("/"),
        .event = S("hello"),
        VALUES(sio_int(1), sio_string("2"), RAW("{\"a\":[null,true]}")),
    };
    const struct pr_message sockets = {
        .type = PR_FETCH_REPLY, .request_id = S("dhTmVK"),
        .sockets = &(const struct pr_socket){
            .id = S("foreign-socket-000001"),
            .rooms = NAMES(STR("foreign-socket-000001"), STR("fr")) },
        .socket_count = 1,
    };

    check("R5 R19: a broadcast, made of values", encode_classic, &m, STR(
        "\x93\xa6" "dZKCo4\x83\xa4type\x02\xa4" "data\x94\xa5hello\x01\xa1" "2"
        "\x81\xa1" "a\x92\xc0\xc3\xa3nsp\xa1/"
        "\x83\xa5rooms\x90\xa6" "except\x90\xa5" "flags\x80"));
    m.values = (const sio_value[]){ sio_binary("\0\1\2\xff", 4) };
    m.count = 1;
    m.rooms = (struct pr_names)NAMES(STR("r1"));
    pr_set_compress(&m.flags, false);
    pr_set_volatile(&m.flags);
    pr_set_compress(&m.flags, false);
    check("R12 R13: binary, a room, flags in the order they were set",
        encode_classic, &m, STR(
        "\x93\xa6" "dZKCo4\x83\xa4type\x02\xa4" "data\x92\xa5hello\xc4\x04"
        "\0\1\2\xff\xa3nsp\xa1/\x83\xa5rooms\x91\xa2r1\xa6" "except\x90\xa5"
        "flags\x82\xa8" "compress\xc2\xa8volatile\xc3"));
    m.values = (const sio_value[]){ sio_number(1e300), sio_number(NAN),
                                    RAW("[1e300,2.5]") };
    m.count = 3;
    m.flags = (struct pr_flags){ .order = { 0 } };
    m.rooms.count = 0;
    check("R27: what is no integer of 53 bits is a double", encode_classic, &m,
        STR("\x93\xa6" "dZKCo4\x83\xa4type\x02\xa4" "data\x94\xa5hello"
        "\xcb\x7e\x37\xe4\x3c\x88\0\x75\x9c" "\xcb\x7f\xf8\0\0\0\0\0\0"
        "\x92\xcb\x7e\x37\xe4\x3c\x88\0\x75\x9c\xcb\x40\x04\0\0\0\0\0\0"
        "\xa3nsp\xa1/\x83\xa5rooms\x90\xa6" "except\x90\xa5" "flags\x80"));
    m.values = (const sio_value[]){ sio_raw_msgpack(
        "\x92\xd4\0\0\xd7\0\0\0\x01\x8b\xcf\xe5\x68\0", 14) };
    m.count = 1;
    check("R22: what came from a client that speaks MessagePack",
        encode_classic, &m, STR(
        "\x93\xa6" "dZKCo4\x83\xa4type\x02\xa4" "data\x92\xa5hello"
        "\x92\xc0\xd6\xff\x65\x53\xf1\0"
        "\xa3nsp\xa1/\x83\xa5rooms\x90\xa6" "except\x90\xa5" "flags\x80"));
    m.request_id = STR("ND4Y41");
    m.event = STR("q");
    m.values = (const sio_value[]){ sio_string("payload") };
    pr_set_timeout(&m.flags, 2000);
    check("R40: a broadcast with answers", encode_classic, &m, STR(
        "\x85\xa3uid\xa6" "dZKCo4\xa9requestId\xa6ND4Y41\xa4type\x07\xa6packet"
        "\x83\xa4type\x02\xa4" "data\x92\xa1q\xa7payload\xa3nsp\xa1/\xa4opts"
        "\x83\xa5rooms\x90\xa6" "except\x90\xa5" "flags\x81\xa7timeout\xcd\x07\xd0"));
    m.uid = STR("");
    m.flags = (struct pr_flags){ .order = { 0 } };
    check("a broadcast with answers of nobody", encode_classic, &m, STR(
        "\x85\xa3uid\xa0\xa9requestId\xa6ND4Y41\xa4type\x07\xa6packet"
        "\x83\xa4type\x02\xa4" "data\x92\xa1q\xa7payload\xa3nsp\xa1/\xa4opts"
        "\x83\xa5rooms\x90\xa6" "except\x90\xa5" "flags\x80"));
    check("R31: a socket of which only the id is known", encode_classic,
        &sockets, STR("{\"requestId\":\"dhTmVK\",\"sockets\":[{\"id\":\""
        "foreign-socket-000001\",\"handshake\":{\"headers\":{}},\"rooms\":[\""
        "foreign-socket-000001\",\"fr\"],\"data\":{}}]}"));
}

static void test_classic_json(void)
{
    struct pr_message m = { .type = PR_EMIT, .uid = S("dZKCo4"),
        .event = S("sse"), VALUES(sio_binary("\1\2\xff", 3)) };

    check("R28: an event between servers, its binary a Buffer", encode_classic,
        &m, STR("{\"uid\":\"dZKCo4\",\"type\":6,\"data\":[\"sse\","
        "{\"type\":\"Buffer\",\"data\":[1,2,255]}]}"));
    m = (struct pr_message){ .type = PR_EMIT_REPLY, .request_id = S("2wy9oR"),
        VALUES(sio_string("pong")) };
    check("R29: its answer", encode_classic, &m, STR(
        "{\"type\":6,\"requestId\":\"2wy9oR\",\"data\":\"pong\"}"));
    m.count = 0;
    check("R30: no answer", encode_classic, &m,
        STR("{\"type\":6,\"requestId\":\"2wy9oR\"}"));
    m.type = PR_ACK;
    check("R42: an empty ack", encode_classic, &m,
        STR("\x82\xa4type\x09\xa9requestId\xa6" "2wy9oR"));
    m = (struct pr_message){ .type = PR_SOCKETS, .uid = S("u"),
        .request_id = S("q"), .rooms = NAMES(STR("r1")) };
    check("R34: ids are asked for", encode_classic, &m, STR(
        "{\"uid\":\"u\",\"requestId\":\"q\",\"type\":0,\"rooms\":[\"r1\"]}"));
    m = (struct pr_message){ .type = PR_JOIN, .uid = S("dZKCo4"),
        .rooms = NAMES(STR("r1")), .except = NAMES(STR("r2")),
        .names = NAMES(STR("j1"), STR("j2")) };
    check("R36: sockets join", encode_classic, &m, STR(
        "{\"uid\":\"dZKCo4\",\"type\":2,\"opts\":{\"rooms\":[\"r1\"],"
        "\"except\":[\"r2\"]},\"rooms\":[\"j1\",\"j2\"]}"));
    m.uid = STR(PR_EMITTER);
    check("R52: an emitter's has no uid", encode_classic, &m, STR(
        "{\"type\":2,\"opts\":{\"rooms\":[\"r1\"],"
        "\"except\":[\"r2\"]},\"rooms\":[\"j1\",\"j2\"]}"));
}

static void test_cluster(void)
{
    struct pr_message m = {
        .type = PR_BROADCAST, .uid = S("3fa88212ef0ba0bc"), .nsp = S("/"),
        .event = S("hello"), VALUES(sio_string("r")),
        .rooms = NAMES(STR("r1")),
    };

    check("R60: sharded, JSON", encode_sharded, &m, STR(
        "{\"type\":3,\"data\":{\"packet\":{\"type\":2,\"data\":[\"hello\","
        "\"r\"]},\"opts\":{\"rooms\":[\"r1\"],\"except\":[],\"flags\":{}}},"
        "\"uid\":\"3fa88212ef0ba0bc\",\"nsp\":\"/\"}"));
    check("R64: the data of an entry", encode_entry, &m, STR(
        "{\"packet\":{\"type\":2,\"data\":[\"hello\","
        "\"r\"]},\"opts\":{\"rooms\":[\"r1\"],\"except\":[],\"flags\":{}}}"));
    m.values = (const sio_value[]){ sio_raw_json_binary(
        "[{\"_placeholder\":true,\"num\":0}]", 31, &STR("\1\2\xff"), 1) };
    check("R60: sharded, binary in JSON text", encode_sharded, &m, STR(
        "\x84\xa4type\x03\xa4" "data\x82\xa6packet\x82\xa4type\x02\xa4" "data"
        "\x92\xa5hello\x91\xc4\x03\1\2\xff\xa4opts\x83\xa5rooms\x91\xa2r1\xa6"
        "except\x90\xa5" "flags\x80\xa3uid\xb0" "3fa88212ef0ba0bc\xa3nsp\xa1/"));
    m.values = (const sio_value[]){ sio_binary("\1\2\xff", 3) };
    check("R65: the data of an entry, binary", encode_entry, &m, STR(
        "gqZwYWNrZXSCpHR5cGUCpGRhdGGSpWhlbGxvxAMBAv+kb3B0c4Olcm9vbXORonIxpmV4"
        "Y2VwdJClZmxhZ3OA"));
    check("the same, only as text", encode_plain, &m, STR(
        "{\"packet\":{\"type\":2,\"data\":[\"hello\",{\"type\":\"Buffer\","
        "\"data\":[1,2,255]}]},\"opts\":{\"rooms\":[\"r1\"],\"except\":[],"
        "\"flags\":{}}}"));
    m = (struct pr_message){ .type = PR_ACK, .uid = S("u"), .nsp = S("/"),
        .request_id = S("q") };
    check("R42: streams, an empty ack", encode_streams, &m, STR("\x84\xa4type"
        "\x0c\xa4" "data\x82\xa9requestId\xa1q\xa6packet\xc0\xa3uid\xa1u\xa3"
        "nsp\xa1/"));
    check("R42: sharded, an empty ack", encode_sharded, &m, STR(
        "{\"type\":12,\"data\":{\"requestId\":\"q\"},\"uid\":\"u\",\"nsp\":\"/\"}"));
    m.type = PR_CLOSE;
    check("R75: a node goes", encode_sharded, &m,
        STR("{\"type\":13,\"uid\":\"u\",\"nsp\":\"/\"}"));
    m = (struct pr_message){ .type = PR_FETCH_REPLY, .uid = S("u"),
        .nsp = S("/"), .request_id = S("q"),
        .sockets = &(const struct pr_socket){ .id = S("i"),
            .data = sio_binary("x", 1) }, .socket_count = 1 };
    check("R60: sharded, binary in a socket's data", encode_sharded, &m, STR(
        "\x84\xa4type\x08\xa4" "data\x82\xa9requestId\xa1q\xa7sockets\x91\x84"
        "\xa2id\xa1i\xa9handshake\x81\xa7headers\x80\xa5rooms\x90\xa4" "data"
        "\xc4\x01x\xa3uid\xa1u\xa3nsp\xa1/"));
}
/* clang-format on */

static void test_refused(void)
{
    const sio_value bad = RAW("{"), packed = sio_raw_msgpack("\x91", 1);
    struct pr_message m = {
        .type = PR_EMIT, .event = S("connection"), .uid = S("u"), .nsp = S("/")
    };
    struct grow out;

    grow_init(&out, SIZE_MAX);
    T_CASE("no name that is reserved is sent");
    CHECK(pr_classic_encode(&out, &m) == SIO_E_RESERVED, "classic");
    CHECK(encode_sharded(&out, &m) == SIO_E_RESERVED, "sharded");
    CHECK(encode_entry(&out, &m) == SIO_E_RESERVED, "entry");
    m.type = PR_BROADCAST;
    CHECK(pr_classic_encode(&out, &m) == SIO_OK, "to clients it is none");
    out.len = 0;
    m.event = STR("disconnect");
    CHECK(pr_classic_encode(&out, &m) == SIO_E_RESERVED, "disconnect");
    T_CASE("no value that is not valid is sent");
    m.event = STR("e");
    m.count = 1;
    m.values = &bad;
    CHECK(pr_classic_encode(&out, &m) == SIO_E_INVAL && out.len == 0, "JSON");
    CHECK(encode_sharded(&out, &m) == SIO_E_INVAL && out.len == 0, "JSON");
    CHECK(encode_entry(&out, &m) == SIO_E_INVAL && out.len == 0, "JSON");
    m.values = &packed;
    CHECK(pr_classic_encode(&out, &m) == SIO_E_INVAL && out.len == 0, "packed");
    m.count = 0;
    m.event = STR("\xff");
    CHECK(pr_classic_encode(&out, &m) == SIO_E_INVAL && out.len == 0, "UTF-8");
    CHECK(encode_sharded(&out, &m) == SIO_E_INVAL && out.len == 0, "UTF-8");
    T_CASE("no adapter sends what it has no type for");
    m.type = PR_CLOSE;
    CHECK(pr_classic_encode(&out, &m) == SIO_E_INVAL && out.len == 0, "close");
    m.type = PR_ROOMS;
    CHECK(encode_sharded(&out, &m) == SIO_E_INVAL && out.len == 0, "rooms");
    CHECK(encode_entry(&out, &m) == SIO_E_INVAL && out.len == 0, "rooms");
    grow_free(&out);
}

/* ----------------------------------------------------------------- reading --
 */

/* clang-format off */
#define PACKET "\"packet\":{\"type\":2,\"data\":[\"e\"]}"
#define OPTS "\"opts\":{}"
#define IDS "\"uid\":\"u\",\"nsp\":\"/\""

/* A cluster message as JSON text, and why it is refused. */
static const struct {
    const char *text;
    enum pr_error error;
} cluster_rows[] = {
    { "{" IDS ",\"type\":3,\"data\":{" PACKET "," OPTS "}}", PR_E_OK },
    { " {" IDS ",\"type\":3,\"data\":{" PACKET "," OPTS "}}", PR_E_FORM },
    { "{" IDS ",\"type\":3,\"data\":{" PACKET "," OPTS "}} \n", PR_E_OK },
    { "{" IDS ",\"type\":3,\"data\":{" PACKET "," OPTS "}}x", PR_E_FORM },
    { "{\"type\":3,\"data\":{" PACKET "," OPTS "}}", PR_E_OK },
    { "{\"uid\":null,\"nsp\":null,\"type\":1}", PR_E_OK },
    { "{\"uid\":7,\"type\":1}", PR_E_UID },
    { "{\"nsp\":[],\"type\":1}", PR_E_UID },
    { "{}", PR_E_TYPE },
    { "{\"type\":0}", PR_E_TYPE },
    { "{\"type\":14}", PR_E_TYPE },
    { "{\"type\":-1}", PR_E_TYPE },
    { "{\"type\":1.5}", PR_E_TYPE },
    { "{\"type\":1e99}", PR_E_TYPE },
    { "{\"type\":\"3\"}", PR_E_TYPE },
    { "{\"type\":3}", PR_E_SHAPE },
    { "{\"type\":3,\"data\":null}", PR_E_SHAPE },
    { "{\"type\":3,\"data\":[]}", PR_E_SHAPE },
    { "{\"type\":3,\"data\":{" PACKET "}}", PR_E_OPTIONS },
    { "{\"type\":3,\"data\":{" PACKET ",\"opts\":[]}}", PR_E_OPTIONS },
    { "{\"type\":3,\"data\":{" OPTS "}}", PR_E_PACKET },
    { "{\"type\":3,\"data\":{" OPTS ",\"packet\":[]}}", PR_E_PACKET },
    { "{\"type\":3,\"data\":{" OPTS ",\"packet\":{\"data\":[\"e\"]}}}", PR_E_PACKET },
    { "{\"type\":3,\"data\":{" OPTS ",\"packet\":{\"type\":2}}}", PR_E_PACKET },
    { "{\"type\":3,\"data\":{" OPTS ",\"packet\":{\"type\":2,\"data\":[]}}}", PR_E_PACKET },
    { "{\"type\":3,\"data\":{" OPTS ",\"packet\":{\"type\":2,\"data\":[null]}}}", PR_E_PACKET },
    { "{\"type\":3,\"data\":{" OPTS ",\"packet\":{\"type\":2,\"data\":{}}}}", PR_E_PACKET },
    { "{\"type\":3,\"data\":{" OPTS ",\"packet\":{\"type\":2,\"data\":[\"connect\"]}}}", PR_E_PACKET },
    { "{\"type\":3,\"data\":{" OPTS ",\"packet\":{\"type\":1,\"data\":[\"e\"]}}}", PR_E_PACKET },
    { "{\"type\":3,\"data\":{" OPTS ",\"packet\":{\"type\":5,\"data\":[\"e\"]}}}", PR_E_OK },
    { "{\"type\":3,\"data\":{" OPTS ",\"packet\":{\"type\":2,\"data\":[7]}}}", PR_E_OK },
    { "{\"type\":3,\"data\":{" PACKET ",\"opts\":{\"rooms\":null,\"except\":null,\"flags\":null}}}", PR_E_OK },
    { "{\"type\":3,\"data\":{" PACKET ",\"opts\":{\"rooms\":\"r1\"}}}", PR_E_ROOMS },
    { "{\"type\":3,\"data\":{" PACKET ",\"opts\":{\"rooms\":{}}}}", PR_E_ROOMS },
    { "{\"type\":3,\"data\":{" PACKET ",\"opts\":{\"except\":[null]}}}", PR_E_ROOMS },
    { "{\"type\":3,\"data\":{" PACKET ",\"opts\":{\"rooms\":[[]]}}}", PR_E_ROOMS },
    { "{\"type\":3,\"data\":{" PACKET "," OPTS ",\"requestId\":5}}", PR_E_REQUEST },
    { "{\"type\":4,\"data\":{" OPTS "}}", PR_E_OK },
    { "{\"type\":4,\"data\":{" OPTS ",\"rooms\":7}}", PR_E_ROOMS },
    { "{\"type\":5,\"data\":{\"rooms\":[]}}", PR_E_OPTIONS },
    { "{\"type\":6,\"data\":{" OPTS "}}", PR_E_OK },
    { "{\"type\":6,\"data\":{}}", PR_E_OPTIONS },
    { "{\"type\":7,\"data\":{" OPTS "}}", PR_E_REQUEST },
    { "{\"type\":7,\"data\":{\"requestId\":\"q\"}}", PR_E_OPTIONS },
    { "{\"type\":8,\"data\":{\"sockets\":[]}}", PR_E_REQUEST },
    { "{\"type\":8,\"data\":{\"requestId\":\"\",\"sockets\":[]}}", PR_E_REQUEST },
    { "{\"type\":8,\"data\":{\"requestId\":\"q\"}}", PR_E_SOCKETS },
    { "{\"type\":8,\"data\":{\"requestId\":\"q\",\"sockets\":[7]}}", PR_E_SOCKETS },
    { "{\"type\":8,\"data\":{\"requestId\":\"q\",\"sockets\":[{}]}}", PR_E_SOCKETS },
    { "{\"type\":8,\"data\":{\"requestId\":\"q\",\"sockets\":[{\"id\":7}]}}", PR_E_SOCKETS },
    { "{\"type\":8,\"data\":{\"requestId\":\"q\",\"sockets\":[{\"id\":\"i\",\"rooms\":7}]}}", PR_E_ROOMS },
    { "{\"type\":8,\"data\":{\"requestId\":\"q\",\"sockets\":[{\"id\":\"i\"}]}}", PR_E_OK },
    { "{\"type\":9,\"data\":{\"packet\":{}}}", PR_E_PACKET },
    { "{\"type\":9,\"data\":{\"packet\":[\"connection\"]}}", PR_E_PACKET },
    { "{\"type\":9,\"data\":{\"packet\":[\"disconnect\"]}}", PR_E_OK },
    { "{\"type\":10,\"data\":{\"packet\":1}}", PR_E_REQUEST },
    { "{\"type\":11,\"data\":{\"requestId\":\"q\"}}", PR_E_COUNT },
    { "{\"type\":11,\"data\":{\"requestId\":\"q\",\"clientCount\":-1}}", PR_E_COUNT },
    { "{\"type\":11,\"data\":{\"requestId\":\"q\",\"clientCount\":\"1\"}}", PR_E_COUNT },
    { "{\"type\":12,\"data\":{\"requestId\":\"q\"}}", PR_E_OK },
    { "{\"type\":13}", PR_E_OK },
    { "{\"type\":1,\"uid\":\"\xff\"}", PR_E_FORM },
    { "[1]", PR_E_FORM },
    { "", PR_E_FORM },
    { "\xa1\xff", PR_E_SHAPE },
    { "\x81\xa4type\xcb\x3f\xf8\1\1\1\1\1\1", PR_E_TYPE },
    { "{\"type\":5,\"uid\":\"\\u0041\",\"data\":{\"opts\":{\"rooms\":[\"\\n\",7]}}}", PR_E_OK },
    { "\x81\xa4type\x01", PR_E_OK },
    { "\x81\xa4type\x01\x01", PR_E_FORM },
    { "\x82\xa4type\x01\xa1\xff\x01", PR_E_OK },
    { "\x82\xa4type\x01\x91\x01\x01", PR_E_FORM },
};

static const struct {
    enum pr_place place;
    const char *text;
    enum pr_error error;
    enum pr_type type;
} classic_rows[] = {
    { PR_BASE, "\x93\xa1u\x82\xa4type\x02\xa4" "data\x91\xa1" "e\x80", PR_E_OK, PR_BROADCAST },
    { PR_NAMED, "\x94\xc0\x82\xa4type\x02\xa4" "data\x91\xa1" "e\x80\x05", PR_E_OK, PR_BROADCAST },
    { PR_BASE, "\x90", PR_E_SHAPE, 0 },
    { PR_BASE, "\x91\xa1u", PR_E_SHAPE, 0 },
    { PR_BASE, "\x92\xa1u\x80", PR_E_OPTIONS, 0 },
    { PR_BASE, "\x93\xa1u\x80\x80", PR_E_PACKET, 0 },
    { PR_BASE, "\x93\x05\x80\x80", PR_E_UID, 0 },
    { PR_BASE, "[\"u\",{\"type\":2,\"data\":[\"e\"]},{}]", PR_E_FORM, 0 },
    { PR_REQUEST, "{\"type\":0,\"requestId\":\"q\",\"rooms\":[1,\"1\"]}", PR_E_OK, PR_SOCKETS },
    { PR_REQUEST, "{\"type\":0}", PR_E_REQUEST, 0 },
    { PR_REQUEST, "{\"type\":1,\"requestId\":\"q\"}", PR_E_OK, PR_ROOMS },
    { PR_REQUEST, "{\"type\":2,\"opts\":{},\"rooms\":[\"j\"]}", PR_E_OK, PR_JOIN },
    { PR_REQUEST, "{\"type\":2,\"opts\":null,\"rooms\":[\"j\"]}", PR_E_OPTIONS, 0 },
    { PR_REQUEST, "{\"type\":2,\"opts\":7,\"rooms\":[\"j\"]}", PR_E_OPTIONS, 0 },
    { PR_REQUEST, "{\"type\":2,\"sid\":\"s\",\"room\":\"j\"}", PR_E_REQUEST, 0 },
    { PR_REQUEST, "{\"type\":2,\"sid\":\"s\",\"requestId\":\"q\"}", PR_E_ROOMS, 0 },
    { PR_REQUEST, "{\"type\":3,\"sid\":\"s\",\"requestId\":\"q\",\"room\":7}", PR_E_OK, PR_LEAVE },
    { PR_REQUEST, "{\"type\":4,\"sid\":\"s\",\"requestId\":\"q\",\"close\":true}", PR_E_OK, PR_DISCONNECT },
    { PR_REQUEST, "{\"type\":5,\"requestId\":\"q\"}", PR_E_OPTIONS, 0 },
    { PR_REQUEST, "{\"type\":5,\"opts\":{}}", PR_E_REQUEST, 0 },
    { PR_REQUEST, "{\"type\":6,\"data\":\"sse\"}", PR_E_PACKET, 0 },
    { PR_REQUEST, "{\"type\":6}", PR_E_PACKET, 0 },
    { PR_REQUEST, "{\"type\":6,\"data\":[\"new_namespace\"]}", PR_E_PACKET, 0 },
    { PR_REQUEST, "{\"type\":7,\"requestId\":\"q\"," PACKET "}", PR_E_OPTIONS, 0 },
    { PR_REQUEST, "{\"type\":7,\"requestId\":\"q\"," OPTS "}", PR_E_PACKET, 0 },
    { PR_REQUEST, "{\"type\":7," PACKET "," OPTS "}", PR_E_REQUEST, 0 },
    { PR_REQUEST, "{\"type\":7,\"requestId\":\"q\"," PACKET "," OPTS "}", PR_E_OK, PR_BROADCAST },
    { PR_REQUEST, "{\"type\":8,\"requestId\":\"q\"}", PR_E_TYPE, 0 },
    { PR_REQUEST, "{}", PR_E_TYPE, 0 },
    { PR_REQUEST, "{\"uid\":7,\"type\":1,\"requestId\":\"q\"}", PR_E_UID, 0 },
    { PR_REQUEST, "{\"type\":1,\"requestId\":7}", PR_E_REQUEST, 0 },
    { PR_REQUEST, "{\"type\":4,\"opts\":{},\"close\":\"yes\"}", PR_E_OK, PR_DISCONNECT },
    { PR_REQUEST, "\x05", PR_E_SHAPE, 0 },
    { PR_RESPONSE, "{}", PR_E_REQUEST, 0 },
    { PR_RESPONSE, "{\"requestId\":\"q\"}", PR_E_OK, PR_DONE },
    { PR_RESPONSE, "{\"requestId\":\"q\",\"sockets\":null}", PR_E_OK, PR_DONE },
    { PR_RESPONSE, "{\"requestId\":\"q\",\"sockets\":[\"a\",7]}", PR_E_OK, PR_SOCKETS_REPLY },
    { PR_RESPONSE, "{\"requestId\":\"q\",\"sockets\":[\"a\",{}]}", PR_E_ROOMS, 0 },
    { PR_RESPONSE, "{\"requestId\":\"q\",\"sockets\":[{\"id\":\"a\"},\"a\"]}", PR_E_SOCKETS, 0 },
    { PR_RESPONSE, "{\"requestId\":\"q\",\"sockets\":[]}", PR_E_OK, PR_FETCH_REPLY },
    { PR_RESPONSE, "{\"requestId\":\"q\",\"rooms\":[\"a\"]}", PR_E_OK, PR_ROOMS_REPLY },
    { PR_RESPONSE, "{\"requestId\":\"q\",\"type\":6}", PR_E_OK, PR_EMIT_REPLY },
    { PR_RESPONSE, "{\"requestId\":\"q\",\"type\":8}", PR_E_COUNT, 0 },
    { PR_OWN_RESPONSE, "{\"requestId\":\"q\",\"type\":9,\"packet\":null}", PR_E_OK, PR_ACK },
    { PR_OWN_RESPONSE, "{\"requestId\":\"q\",\"type\":99}", PR_E_OK, PR_DONE },
};
/* clang-format on */

typedef enum pr_error decode_fn(struct arena *a, int how, sio_str bytes,
                                struct pr_message *out);

static enum pr_error decode_classic(struct arena *a, int how, sio_str bytes,
                                    struct pr_message *out)
{
    return pr_classic_decode(a, (enum pr_place)how, bytes, out);
}

static enum pr_error decode_cluster(struct arena *a, int how, sio_str bytes,
                                    struct pr_message *out)
{
    return pr_cluster_decode(a, bytes, (enum pr_form)how, out);
}

/* Once, and with each allocation failing. */
static void check_read(decode_fn *decode, int how, sio_str text,
                       enum pr_error want, struct pr_message *m)
{
    char *copy = exact_copy(text.p, text.n);
    enum pr_error e = PR_E_NOMEM;
    struct arena a;

    arena_init(&a);
    e = decode(&a, how, (sio_str){ copy, text.n }, m);
    CHECK(e == want, "%s", pr_error_text(e));
    arena_free(&a);
    e = PR_E_NOMEM;
    for (long n = 0; n < 10 && e == PR_E_NOMEM; n++) {
        oom_arm(n);
        e = decode(&a, how, (sio_str){ copy, text.n }, m);
        CHECK(oom_disarm() == (e == PR_E_NOMEM), "%ld: %d", n, e);
        arena_free(&a);
    }
    CHECK(e == want, "%s", pr_error_text(e));
    free(copy);
}

static void test_cluster_rows(void)
{
    struct pr_message m;

    for (size_t i = 0; i < COUNT(cluster_rows); i++) {
        const sio_str text = str_of(cluster_rows[i].text);

        T_CASE("R49 R50: a cluster message: %s", shown(text.p, text.n));
        check_read(decode_cluster, PR_JSON_OR_MSGPACK, text,
                   cluster_rows[i].error, &m);
    }
}

static void test_classic_rows(void)
{
    struct pr_message m;

    for (size_t i = 0; i < COUNT(classic_rows); i++) {
        const sio_str text = str_of(classic_rows[i].text);

        T_CASE("R49 R50: a classic message, %d: %s", classic_rows[i].place,
               shown(text.p, text.n));
        check_read(decode_classic, classic_rows[i].place, text,
                   classic_rows[i].error, &m);
        CHECK(classic_rows[i].error || m.type == classic_rows[i].type, "%s",
              pr_type_name(m.type));
    }
}

static void test_read(void)
{
    static const char text[] =
        "{\"nsp\":\"\\/x\",\"type\":3.0,\"x\":1,\"data\":{\"opts\":{\"flags\":"
        "{\"timeout\":1.5,\"volatile\":true,\"compress\":null,"
        "\"expectSingleResponse\":true,\"local\":true},"
        "\"except\":[\"a\\u0000\",\"\\ud83d\\ude00\"],"
        "\"rooms\":[42,-0,1.5,1e21]},\"packet\":{\"nsp\":\"/y\",\"data\":[7,"
        " {\"k\": [1 ]} ,\"x\"],\"type\":2}},\"uid\":\"emitter\"}";
    static const char *const rooms[] = { "42", "0", "1.5", "1e+21" };
    struct pr_message m;
    struct arena a;

    arena_init(&a);
    T_CASE("R16 R44: foreign order, escapes, numbers for rooms, flags");
    CHECK(pr_cluster_decode(&a, STR(text), PR_JSON_OR_MSGPACK, &m) == PR_E_OK,
          "refused");
    CHECK(m.type == PR_BROADCAST && pr_is_emitter(&m), "%d", m.type);
    CHECK(str_eq(m.nsp, STR("/x")), "%.*s", (int)m.nsp.n, m.nsp.p);
    for (size_t i = 0; i < COUNT(rooms); i++)
        CHECK(m.rooms.count == 4 && str_eq(m.rooms.items[i], str_of(rooms[i])),
              "%.*s", (int)m.rooms.items[i].n, m.rooms.items[i].p);
    CHECK(m.except.count == 2 && str_eq(m.except.items[0], STR("a\0")) &&
              str_eq(m.except.items[1], STR("\xf0\x9f\x98\x80")),
          "%zu", m.except.count);
    CHECK(pr_has_flag(&m.flags, PR_VOLATILE) &&
              pr_has_flag(&m.flags, PR_SINGLE) &&
              pr_has_flag(&m.flags, PR_TIMEOUT) && m.flags.timeout_ms == 1.5 &&
              !pr_has_flag(&m.flags, PR_COMPRESS),
          "flags %d %d %d", m.flags.order[0], m.flags.order[1],
          m.flags.order[2]);
    CHECK(str_eq(m.event, STR("7")) && m.count == 2 &&
              m.values[0].kind == SIO_RAW_JSON && m.values[0].size == 11,
          "%zu", m.count);
    CHECK(m.request_id.n == 0, "a request");
    arena_free(&a);
    T_CASE("R41: MessagePack is passed as MessagePack");
    CHECK(pr_cluster_decode(&a,
                            STR("\x82\xa4type\x0c\xa4"
                                "data\x82\xa9requestId\xa1q\xa6packet\xc4\1x"),
                            PR_MSGPACK, &m) == PR_E_OK,
          "refused");
    CHECK(m.count == 1 && m.values[0].kind == SIO_RAW_MSGPACK &&
              m.values[0].size == 3,
          "%zu", m.count);
    arena_free(&a);
    T_CASE("R66: where it has to be MessagePack, JSON is none");
    CHECK(pr_cluster_decode(&a, STR("{\"type\":1}"), PR_MSGPACK, &m) ==
              PR_E_FORM,
          "accepted");
    arena_free(&a);
}

/* ------------------------------------------------------------------ limits --
 */

static void add(struct grow *out, sio_str text, size_t times)
{
    for (size_t i = 0; i < times; i++)
        grow_append(out, text.p, text.n);
}

static enum pr_error read_and_free(struct grow *text)
{
    struct pr_message m;
    struct arena a;
    enum pr_error e;

    arena_init(&a);
    e = pr_cluster_decode(&a, grow_str(text), PR_JSON_OR_MSGPACK, &m);
    arena_free(&a);
    grow_free(text);
    return e;
}

static enum pr_error read_rooms(size_t count)
{
    struct grow text;

    grow_init(&text, SIZE_MAX);
    add(&text, STR("{\"type\":4,\"data\":{\"opts\":{},\"rooms\":[\"\""), 1);
    add(&text, STR(",\"\""), count - 1);
    add(&text, STR("]}}"), 1);
    return read_and_free(&text);
}

static enum pr_error read_sockets(size_t count)
{
    struct grow text;

    grow_init(&text, SIZE_MAX);
    add(&text, STR("{\"type\":8,\"data\":{\"requestId\":\"q\",\"sockets\":["),
        1);
    add(&text, STR("{\"id\":\"i\"},"), count - 1);
    add(&text, STR("{\"id\":\"i\"}]}}"), 1);
    return read_and_free(&text);
}

/* An event of so many elements, in a list of 32 bits. */
static enum pr_error read_values(size_t count)
{
    const char length[] = { 0, (char)(count >> 16), (char)(count >> 8),
                            (char)count };
    struct grow text;

    grow_init(&text, SIZE_MAX);
    add(&text,
        STR("\x82\xa4type\x09\xa4"
            "data\x81\xa6packet\xdd"),
        1);
    add(&text, (sio_str){ length, 4 }, 1);
    add(&text, STR("\1"), count);
    return read_and_free(&text);
}

/* An argument of so many levels; three more are around it. */
static enum pr_error read_deep(size_t depth, bool msgpack)
{
    struct grow text;

    grow_init(&text, SIZE_MAX);
    if (msgpack) {
        add(&text,
            STR("\x82\xa4type\x09\xa4"
                "data\x81\xa6packet\x92\x01"),
            1);
        add(&text, STR("\x91"), depth - 1);
        add(&text, STR("\x90"), 1);
    } else {
        add(&text, STR("{\"type\":9,\"data\":{\"packet\":[1,"), 1);
        add(&text, STR("["), depth);
        add(&text, STR("]"), depth);
        add(&text, STR("]}}"), 1);
    }
    return read_and_free(&text);
}

static void test_limits(void)
{
    T_CASE("rooms, arguments, depth: on the limit, and one past it");
    CHECK(read_rooms(PR_NAMES_MAX) == PR_E_OK, "rooms");
    CHECK(read_rooms(PR_NAMES_MAX + 1) == PR_E_LIMIT, "one more");
    CHECK(read_sockets(PR_SOCKETS_MAX) == PR_E_OK, "sockets");
    CHECK(read_sockets(PR_SOCKETS_MAX + 1) == PR_E_LIMIT, "one more");
    CHECK(read_values(PR_VALUES_MAX) == PR_E_OK, "arguments");
    CHECK(read_values(PR_VALUES_MAX + 1) == PR_E_LIMIT, "one more");
    for (int msgpack = 0; msgpack < 2; msgpack++) {
        CHECK(read_deep(PR_DEPTH_MAX - 3, msgpack) == PR_E_OK, "deep");
        CHECK(read_deep(PR_DEPTH_MAX - 2, msgpack) == PR_E_FORM, "deeper");
    }
}

/* ---------------------------------------------------------------- streams --
 */

static void test_entries(void)
{
    const sio_str odd[] = { STR("data"), STR("{}"), STR("nsp") };
    const sio_str latin[] = { STR("nsp"), STR("/\xe9"), STR("type"), STR("1") };
    const sio_str strange[] = {
        STR("x"),    STR("y"),
        STR("data"), STR("{\"opts\":{},\"rooms\":[\"j\"]}"),
        STR("type"), STR("4"),
        STR("nsp"),  STR("/")
    };
    static const struct {
        const char *type, *data;
        enum pr_error error;
    } rows[] = {
        { "1", "", PR_E_OK },          { "01", "", PR_E_OK },
        { "13", "", PR_E_OK },         { "14", "", PR_E_TYPE },
        { "0", "", PR_E_TYPE },        { "", "", PR_E_TYPE },
        { "-1", "", PR_E_TYPE },       { "4294967299", "", PR_E_TYPE },
        { "3 ", "", PR_E_TYPE },       { "3", "", PR_E_FORM },
        { "3", "{", PR_E_FORM },       { "3", "{}", PR_E_OPTIONS },
        { "3", "gA==", PR_E_OPTIONS }, /* 80 */
        { "3", "gAA=", PR_E_FORM },    /* 80 00 */
        { "3", "kA==", PR_E_SHAPE },   /* 90 */
        { "3", "\"x\"", PR_E_FORM },
    };
    struct pr_message m;
    struct arena a;

    arena_init(&a);
    T_CASE("R70: entries that are refused, none of which stops the reader");
    for (size_t i = 0; i < COUNT(rows); i++) {
        const sio_str fields[] = { STR("nsp"),  STR("/"),
                                   STR("type"), str_of(rows[i].type),
                                   STR("data"), str_of(rows[i].data) };
        const enum pr_error e = pr_entry_decode(&a, fields, 6, &m);

        CHECK(e == rows[i].error, "%zu: %s", i, pr_error_text(e));
    }
    CHECK(pr_entry_decode(&a, odd, 3, &m) == PR_E_UID, "half a field");
    CHECK(pr_entry_decode(&a, NULL, 0, &m) == PR_E_UID, "none");
    CHECK(pr_entry_decode(&a, latin, 4, &m) == PR_E_UID, "no UTF-8");
    CHECK(pr_entry_decode(&a, strange, 8, &m) == PR_E_OK && m.uid.n == 0 &&
              m.names.count == 1,
          "another order");
    arena_free(&a);
}

static void test_sessions(void)
{
    const struct pr_session s = { .sid = S("s"),
                                  .pid = S("p"),
                                  .rooms = NAMES(STR("s")) };
    /* map(1) sid; sid and pid numbers; rooms "x" */
    static const char *const bad[] = { "", "x", "gaNzaWShcw==",
                                       "gqNzaWQBo3BpZAI=", "kA==" };
    struct pr_session back;
    struct grow out;
    struct arena a;
    int r = SIO_E_NOMEM;

    T_CASE("R67: a session without data comes back");
    arena_init(&a);
    grow_init(&out, SIZE_MAX);
    CHECK(pr_session_encode(&out, &s) == SIO_OK, "failed");
    CHECK(pr_session_decode(&a, grow_str(&out), &back) == PR_E_OK, "refused");
    CHECK(str_eq(back.sid, s.sid) && str_eq(back.pid, s.pid) &&
              back.rooms.count == 1 && back.data.size == 1,
          "%zu", back.data.size);
    grow_free(&out);
    T_CASE("what is no session");
    for (size_t i = 0; i < COUNT(bad); i++)
        CHECK(pr_session_decode(&a, str_of(bad[i]), &back) != PR_E_OK, "%zu",
              i);
    arena_free(&a);
    T_CASE("a session, each allocation fails once");
    for (long n = 0; n < 20 && r != SIO_OK; n++) {
        grow_init(&out, SIZE_MAX);
        oom_arm(n);
        r = pr_session_encode(&out, &s);
        CHECK(oom_disarm() == (r == SIO_E_NOMEM), "%ld: %d", n, r);
        grow_free(&out);
    }
    oom_arm(0);
    CHECK(pr_session_decode(&a, STR("gA=="), &back) == PR_E_NOMEM, "read");
    CHECK(oom_disarm(), "not asked for any");
    arena_free(&a);
}

static void test_offsets(void)
{
    static const struct pr_offset order[] = {
        { 0, 0 },
        { 0, 1 },
        { 9, 0 },
        { 10, 0 },
        { 10, UINT64_MAX },
        { UINT64_MAX, 0 },
        { UINT64_MAX, UINT64_MAX },
    };
    static const char *const bad[] = {
        "",
        "-",
        "1",
        "1-",
        "-1",
        "1-2-3",
        "1-a",
        "a-1",
        " 1-1",
        "1-1 ",
        "1--1",
        "18446744073709551616-0",
        "0-18446744073709551616",
    };
    static const struct {
        const char *offset, *next;
    } rows[] = {
        { "0-0", "0-1" },
        { "1795167447499-0", "1795167447499-1" },
        { "007-09", "7-10" },
        { "5-18446744073709551615", "6-0" },
        { "18446744073709551615-18446744073709551615",
          "18446744073709551615-18446744073709551615" },
    };
    struct grow out;

    T_CASE("R69: offsets that no entry can have");
    for (size_t i = 0; i < COUNT(bad); i++)
        CHECK(!pr_offset_valid(str_of(bad[i])), "%s", bad[i]);
    T_CASE("R68: the offset behind one");
    grow_init(&out, SIZE_MAX);
    for (size_t i = 0; i < COUNT(rows); i++) {
        CHECK(pr_offset_valid(str_of(rows[i].offset)), "%s", rows[i].offset);
        out.len = 0;
        CHECK(pr_offset_next(&out, str_of(rows[i].offset)) == SIO_OK &&
                  str_eq(grow_str(&out), str_of(rows[i].next)),
              "%.*s", (int)out.len, (char *)out.data);
    }
    CHECK(pr_offset_next(&out, STR("x")) == SIO_E_INVAL, "x");
    T_CASE("R68: which offset is the first");
    for (size_t i = 0; i + 1 < sizeof order / sizeof *order; i++) {
        CHECK(pr_offset_compare(order[i], order[i + 1]) < 0, "%zu", i);
        CHECK(pr_offset_compare(order[i + 1], order[i]) > 0, "%zu", i);
        CHECK(pr_offset_compare(order[i], order[i]) == 0, "%zu", i);
    }
    grow_free(&out);
}

static void test_small(void)
{
    struct pr_message m = { .type = PR_BROADCAST };
    struct sp_message p;

    T_CASE("names of types, texts of errors");
    CHECK(strcmp(pr_type_name(PR_ACK), "ACK") == 0, "%s", pr_type_name(PR_ACK));
    CHECK(strcmp(pr_type_name((enum pr_type)99), "?") == 0, "99");
    CHECK(strcmp(pr_error_text(PR_E_UID), "invalid uid or namespace") == 0,
          "%s", pr_error_text(PR_E_UID));
    T_CASE("what goes in the stream");
    CHECK(pr_entry_type(&m), "a broadcast");
    m.request_id = STR("q");
    CHECK(!pr_entry_type(&m), "one with answers");
    m.type = PR_LEAVE;
    CHECK(pr_entry_type(&m), "leave");
    m.type = PR_FETCH;
    CHECK(!pr_entry_type(&m), "fetch");
    T_CASE("R68: a packet with the id of its entry");
    m.event = STR("e");
    p = pr_packet(&m, 7, STR("1-0"));
    CHECK(p.id == 7 && str_eq(p.extra, STR("1-0")) && p.type == SP_EVENT,
          "%lld", (long long)p.id);
}

int main(void)
{
    test_classic();
    test_classic_json();
    test_cluster();
    test_refused();
    test_cluster_rows();
    test_classic_rows();
    test_read();
    test_limits();
    test_entries();
    test_sessions();
    test_offsets();
    test_small();
    return t_done();
}
