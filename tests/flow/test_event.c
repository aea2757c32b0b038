/*
 * test_event.c -- reading the arguments of an event, every reader on every kind
 * of value.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cjson/cJSON.h>
#include <sio/sio.h>

#include "tests/flow/world.h"

#include <math.h>

static int called;

/* 42["kinds",null,true,7,-1.5,"h\u00e9\u0000x",[1],{"a":"b"},1e400] */
static void on_kinds(sio_socket *socket, sio_event *event, void *user)
{
    static const sio_kind kinds[] = { SIO_NULL,   SIO_BOOL, SIO_INT, SIO_NUMBER,
                                      SIO_STRING, SIO_JSON, SIO_JSON };

    (void)socket;
    (void)user;
    called++;
    CHECK(sio_arg_count(event) == COUNT(kinds), "%zu", sio_arg_count(event));
    CHECK(strcmp(sio_event_name(event), "kinds") == 0, "name");
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const char *text = NULL;
        int64_t integer = 99;
        double number = 99;
        bool boolean = true;
        const void *bytes = NULL;
        size_t n;
        int want;

        CHECK(sio_arg_kind(event, i) == kinds[i], "kind of %zu", i);
        want = kinds[i] == SIO_STRING ? SIO_OK : SIO_E_TYPE;
        CHECK(sio_arg_string(event, i, &text, NULL) == want, "string %zu", i);
        CHECK((text != NULL) == (want == SIO_OK), "out %zu", i);
        want = kinds[i] == SIO_INT      ? SIO_OK
               : kinds[i] == SIO_NUMBER ? SIO_E_RANGE
                                        : SIO_E_TYPE;
        CHECK(sio_arg_int(event, i, &integer) == want, "int %zu", i);
        CHECK((integer == 7) == (want == SIO_OK), "out %zu", i);
        want =
            kinds[i] == SIO_INT || kinds[i] == SIO_NUMBER ? SIO_OK : SIO_E_TYPE;
        CHECK(sio_arg_number(event, i, &number) == want, "number %zu", i);
        CHECK(fabs(number) < 10 || want != SIO_OK, "out %zu", i);
        want = kinds[i] == SIO_BOOL ? SIO_OK : SIO_E_TYPE;
        CHECK(sio_arg_bool(event, i, &boolean) == want, "bool %zu", i);
        CHECK(sio_arg_binary(event, i, &bytes, &n) == SIO_E_TYPE, "binary %zu",
              i);
    }
}

static void on_text(sio_socket *socket, sio_event *event, void *user)
{
    const char *text = NULL;
    size_t n = 0;

    (void)socket;
    (void)user;
    called++;
    CHECK(sio_arg_string(event, 0, &text, &n) == SIO_OK, "string");
    CHECK(n == 5 && memcmp(text, "h\xc3\xa9\0x", 6) == 0, "%zu bytes", n);
}

static void on_tree(sio_socket *socket, sio_event *event, void *user)
{
    const struct cJSON *tree = NULL, *again = NULL;

    (void)socket;
    (void)user;
    called++;
    CHECK(sio_arg_json(event, 0, &tree) == SIO_OK, "tree");
    CHECK(cJSON_GetArraySize(tree) == 2, "size");
    CHECK(sio_arg_json(event, 0, &again) == SIO_OK && again == tree,
          "made twice");
    CHECK(sio_arg_json(event, 1, &again) == SIO_E_TYPE, "a lone surrogate");
    CHECK(sio_arg_json(event, 2, &again) == SIO_E_RANGE, "no such argument");
}

static void on_none(sio_socket *socket, sio_event *event, void *user)
{
    const struct cJSON *tree;
    const char *text;
    const void *bytes;
    int64_t integer;
    double number;
    bool boolean;
    sio_str raw;
    size_t n;

    (void)socket;
    (void)user;
    called++;
    CHECK(sio_arg_count(event) == 0, "%zu", sio_arg_count(event));
    CHECK(sio_arg_kind(event, 0) == SIO_NULL, "kind");
    CHECK(sio_arg_string(event, 0, &text, &n) == SIO_E_RANGE, "string");
    CHECK(sio_arg_int(event, 0, &integer) == SIO_E_RANGE, "int");
    CHECK(sio_arg_number(event, 0, &number) == SIO_E_RANGE, "number");
    CHECK(sio_arg_bool(event, 0, &boolean) == SIO_E_RANGE, "bool");
    CHECK(sio_arg_binary(event, 0, &bytes, &n) == SIO_E_RANGE, "binary");
    CHECK(sio_arg_raw(event, 0, &raw) == SIO_E_RANGE, "raw");
    CHECK(sio_arg_json(event, 0, &tree) == SIO_E_RANGE, "tree");
    CHECK(sio_attachment(event, 0, &bytes, &n) == SIO_E_RANGE, "attachment");
    CHECK(sio_arg(event, 0).kind == SIO_NULL, "value");
    CHECK(!sio_wants_ack(event), "no ack was asked for");
    CHECK(sio_ack(event) == SIO_E_STATE, "acknowledged all the same");
    CHECK(sio_ack_later(event) == NULL, "acknowledged all the same");
}

/* More arguments than slices are kept: the rest is found again. */
static void on_many(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket;
    (void)user;
    called++;
    CHECK(sio_arg_count(event) == 40, "%zu", sio_arg_count(event));
    for (size_t i = 0; i < 40; i++) {
        int64_t got = -1;

        CHECK(sio_arg_int(event, i, &got) == SIO_OK && got == (int64_t)i,
              "argument %zu is %d", i, (int)got);
    }
    for (size_t i = 40; i-- > 0;) {
        int64_t got = -1;

        CHECK(sio_arg_int(event, i, &got) == SIO_OK && got == (int64_t)i,
              "argument %zu is %d, read backwards", i, (int)got);
    }
    CHECK(sio_arg_kind(event, 40) == SIO_NULL, "behind the last");
}

static void on_binary(sio_socket *socket, sio_event *event, void *user)
{
    const void *bytes = NULL;
    size_t n = 0;
    sio_str raw;

    (void)socket;
    (void)user;
    called++;
    CHECK(sio_arg_kind(event, 0) == SIO_BINARY, "kind");
    CHECK(sio_arg_binary(event, 0, &bytes, &n) == SIO_OK && n == 2 &&
              memcmp(bytes, "ab", 2) == 0,
          "bytes");
    CHECK(sio_arg_kind(event, 1) == SIO_JSON, "kind");
    CHECK(sio_arg_binary(event, 1, &bytes, &n) == SIO_E_TYPE, "inside");
    CHECK(sio_arg_raw(event, 1, &raw) == SIO_OK &&
              str_eq(raw, STR("{\"x\":{\"_placeholder\":true,\"num\":1}}")),
          "raw");
    CHECK(sio_attachment_count(event) == 2, "%zu", sio_attachment_count(event));
    CHECK(sio_attachment(event, 1, &bytes, &n) == SIO_OK && n == 1 &&
              memcmp(bytes, "c", 1) == 0,
          "attachment");
}

static void on_unhandled(sio_socket *socket, sio_event *event, void *user)
{
    called++;
    sio_emit(socket, "unhandled", sio_string(sio_event_name(event)),
             sio_string(user));
}

static int begin(struct world *w)
{
    static char tag[] = "tag";
    sio_namespace *nsp;

    called = 0;
    CHECK(world_open(w, NULL), "no server");
    nsp = sio_of(w->server, NULL);
    sio_on(nsp, "kinds", on_kinds, NULL);
    sio_on(nsp, "text", on_text, NULL);
    sio_on(nsp, "tree", on_tree, NULL);
    sio_on(nsp, "none", on_none, NULL);
    sio_on(nsp, "many", on_many, NULL);
    sio_on(nsp, "binary", on_binary, NULL);
    sio_on(nsp, "1.5", on_none, NULL);
    sio_on_unhandled(nsp, on_unhandled, tag);
    CHECK(sio_on(nsp, "disconnect", on_none, NULL) == SIO_E_RESERVED,
          "a reserved name");
    return world_client(w);
}

static void end(struct world *w, int fd)
{
    world_hang_up(w, fd);
    world_check_empty(w);
    world_close(w);
}

static void test_readers(struct world *w)
{
    static const struct {
        const char *name, *text;
    } rows[] = {
        { "every kind",
          "42[\"kinds\",null,true,7,-1.5,\"s\",[1],{\"a\":\"b\"}]" },
        { "escapes and NUL in a string", "42[\"text\",\"h\\u00e9\\u0000x\"]" },
        { "a tree", "42[\"tree\",[1,{\"a\":2}],\"\\ud800\"]" },
        { "no arguments", "42[\"none\"]" },
        { "an escaped event name", "42[\"n\\u006fne\"]" },
        { "a number as event name", "42[1.5]" },
        { "more arguments than slices",
          "42[\"many\",0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,"
          "22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39]" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        int fd;

        T_CASE("event: %s", rows[i].name);
        fd = begin(w);
        world_send_text(w, fd, rows[i].text);
        CHECK(called == 1, "%d calls", called);
        end(w, fd);
    }
}

int main(void)
{
    static struct world w;
    int fd;

    test_readers(&w);

    T_CASE("event: attachments, as an argument and inside one");
    fd = begin(&w);
    world_send_text(&w, fd,
                    "452-[\"binary\",{\"_placeholder\":true,\"num\":0},"
                    "{\"x\":{\"_placeholder\":true,\"num\":1}}]");
    world_send_binary(&w, fd, "ab", 2);
    world_send_binary(&w, fd, "c", 1);
    CHECK(called == 1, "%d calls", called);
    end(&w, fd);

    T_CASE("CVE-2024-38355 event: no handler of its own, named error");
    fd = begin(&w);
    world_send_text(&w, fd, "42[\"error\"]");
    CHECK_FRAMES(&w, fd, "T:42[\"unhandled\",\"error\",\"tag\"]|");
    end(&w, fd);
    return t_done();
}
