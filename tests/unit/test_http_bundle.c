/*
 * test_http_bundle.c -- the client bundle: the 8 files and no other, their
 * ETags, their codings, each made once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/bundle.h"
#include "tests/unit/http_fixture.h"

#include <zlib.h>

#define HEAD "/*!\n * Socket.IO v4.8.4\n */"
#define LONG_SIZE 5000 /* bytes of socket.io.min.js, which compresses well */

static char folder[] = "/tmp/libsio-bundle-XXXXXX";
static char long_script[LONG_SIZE + 1];
static struct http_bundle bundle;

static const char *const names[] = { "socket.io.js", "socket.io.js.map",
                                     "socket.io.min.js",
                                     "socket.io.msgpack.min.js" };

static const char *path_of(const char *name)
{
    static char path[200];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void make_file(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "w");

    CHECK(f && fputs(text, f) >= 0, "cannot write %s", name);
    if (f)
        fclose(f);
}

static void make_folder(void)
{
    if (!mkdtemp(folder))
        exit(1);
    memset(long_script, 'x', LONG_SIZE);
    memcpy(long_script, HEAD, strlen(HEAD));
    make_file("socket.io.js", HEAD);
    make_file("socket.io.js.map", "{\"map\":1}");
    make_file("socket.io.min.js", long_script);
    make_file("socket.io.msgpack.min.js", "no version");
}

static void remove_folder(void)
{
    for (size_t i = 0; i < COUNT(names); i++)
        unlink(path_of(names[i]));
    rmdir(folder);
}

static void on_request(void *self, struct http_exchange *ex)
{
    static const struct http_field cors = {
        { "Access-Control-Allow-Origin", 27 }, { "*", 1 }
    };
    sio_str name = { ex->request->path.p + 1, ex->request->path.n - 1 };

    (void)self;
    if (!http_serve_bundle(&bundle, ex, name, &cors, 1))
        http_respond(ex, &(struct http_response){ .status = 404 });
}

static void on_refused(void *self, const struct net_address *peer, int status,
                       const char *why)
{
    fx_on_refused(self, peer, status, why);
}

static const struct http_server_ops ops = { .on_request = on_request,
                                            .on_refused = on_refused };

static void say(const char *method, const char *target, const char *field)
{
    char request[6000];

    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n",
             method, target, field);
    fx_say(request);
}

static const char *ask(const char *method, const char *target,
                       const char *field)
{
    say(method, target, field);
    return fx_receive();
}

/* The answer byte for byte: compressed ones are no text. */
static const char *ask_bytes(const char *target, const char *field)
{
    static char got[LONG_SIZE * 2];
    ssize_t n;

    say("GET", target, field);
    net_loop_poll(&fx_loop);
    n = recv(fx_peer, got, sizeof got - 1, MSG_DONTWAIT);
    got[n > 0 ? n : 0] = 0;
    return got;
}

static void test_files(void)
{
    const char *got;

    T_CASE("bundle: the bytes that Node sends, those of the caller, and Vary");
    got = ask("GET", "/socket.io.js", "");
    CHECK(strcmp(got, "HTTP/1.1 200 OK\r\n"
                      "Content-Type: application/javascript; charset=utf-8\r\n"
                      "Content-Length: 27\r\nAccess-Control-Allow-Origin: *\r\n"
                      "Vary: Accept-Encoding\r\n"
                      "Cache-Control: public, max-age=0\r\nETag: \"4.8.4\"\r\n"
                      "Date: *\r\nConnection: keep-alive\r\n"
                      "Keep-Alive: timeout=5\r\n\r\n" HEAD) == 0,
          "got %s", got);

    T_CASE("bundle: a map has the version of its script");
    got = ask("GET", "/socket.io.js.map?x", "");
    CHECK(strstr(got, "application/json; charset=utf-8\r\n"), "got %s", got);
    CHECK(strstr(got, "ETag: \"4.8.4\"\r\n"), "got %s", got);

    T_CASE("bundle: any method; HEAD without the body");
    got = ask("POST", "/socket.io.js", "");
    CHECK(strstr(got, "HTTP/1.1 200 OK") == got, "got %s", got);
    got = ask("HEAD", "/socket.io.js", "");
    CHECK(strstr(got, "HTTP/1.1 200 OK") == got, "got %s", got);
    CHECK(strcmp(got + strlen(got) - 4, "\r\n\r\n") == 0, "a body");

    T_CASE("bundle: a script that does not name its version has no tag");
    got = ask("GET", "/socket.io.msgpack.min.js", "");
    CHECK(strncmp(got, "HTTP/1.1 200 ", 13) == 0, "got %s", got);
    CHECK(!strstr(got, "ETag"), "got %s", got);
}

static void test_tags(void)
{
    static const struct {
        const char *tag;
        int status;
    } rows[] = {
        { "\"4.8.4\"", 304 },        { "W/\"4.8.4\"", 304 },
        { "\"4.8.4\", \"x\"", 200 }, { "*", 200 },
        { "\"4.8.3\"", 200 },        { "4.8.4", 200 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char field[100], want[20];
        const char *got;

        T_CASE("E208 bundle: If-None-Match: %s", rows[i].tag);
        snprintf(field, sizeof field, "If-None-Match: %s\r\n", rows[i].tag);
        snprintf(want, sizeof want, "HTTP/1.1 %d ", rows[i].status);
        got = ask("GET", "/socket.io.js", field);
        CHECK(strncmp(got, want, strlen(want)) == 0, "got %s", got);
        CHECK(strstr(got, "Vary: Accept-Encoding\r\n"), "got %s", got);
        CHECK(strstr(got, "Access-Control-Allow-Origin: *"), "got %s", got);
        if (rows[i].status == 304)
            CHECK(!strstr(got, "ETag") && !strstr(got, "Cache-Control"),
                  "got %s", got);
    }
}

static void test_others(void)
{
    static const char *const others[] = {
        "/socket.io.esm.js",     "/socket.io.js.map.map", "/",
        "/socket.io.jsx",        "/SOCKET.IO.JS",         "/socket%2eio.js",
        "/../x/socket.io.js",    "/socket.io.js.mapx",    "/socket.io.js.ma",
        "/socket.io.esm.min.js", /* of the bundle, but not there */
    };

    for (size_t i = 0; i < COUNT(others); i++) {
        const char *got;

        T_CASE("E209 bundle: %s is none of it, or not there", others[i]);
        got = ask("GET", others[i], "");
        CHECK(strncmp(got, "HTTP/1.1 404 ", 13) == 0, "got %s", got);
    }
}

/* ------------------------------------------------------------------ codings */

/* The body, undone; its length. */
static size_t inflated(const char *body, size_t n, uint8_t out[LONG_SIZE * 2])
{
    z_stream z = { .next_in = (Bytef *)(uintptr_t)body,
                   .avail_in = (uInt)n,
                   .next_out = out,
                   .avail_out = LONG_SIZE * 2 };
    size_t done = 0;

    /* 47: gzip or zlib, as its head says */
    if (inflateInit2(&z, 47) == Z_OK && inflate(&z, Z_FINISH) == Z_STREAM_END)
        done = z.total_out;
    inflateEnd(&z);
    return done;
}

static const struct row {
    const char *accept, *coding; /* NULL: as it is */
    enum http_coding number;
} rows[] = {
    { "gzip,br,deflate", "gzip", HTTP_GZIP },
    { "deflate, gzip", "deflate", HTTP_DEFLATE },
    { "deflate;q=0.5, gzip", "gzip", HTTP_GZIP },
#ifdef SIO_WITH_BROTLI
    { "br", "br", HTTP_BROTLI },
    { "*", "br", HTTP_BROTLI },
    { "br, gzip", "br", HTTP_BROTLI },
#endif
    { "identity", NULL, HTTP_IDENTITY },
    { "gzip;q=0", NULL, HTTP_IDENTITY },
    { "zstd", NULL, HTTP_IDENTITY },
};

static void check_coding(const struct row *row, const char *got)
{
    const char *body = strstr(got, "\r\n\r\n") + 4;
    const struct http_bundle_file *f = &bundle.files[2];
    struct buf *form = f->forms[row->number];
    uint8_t out[LONG_SIZE * 2];
    char want[100];

    CHECK(strncmp(got, "HTTP/1.1 200 ", 13) == 0, "got %.100s", got);
    CHECK(strstr(got, "ETag: \"4.8.4\"\r\n"), "got %.300s", got);
    snprintf(want, sizeof want, "\r\nContent-Encoding: %s\r\n",
             row->coding ? row->coding : "");
    CHECK(!strstr(got, "Content-Encoding") == !row->coding, "%.300s", got);
    CHECK(!row->coding || strstr(got, want), "got %.300s", got);
    CHECK(form && memcmp(body, form->data, form->len) == 0, "another body");
    if (row->number != HTTP_IDENTITY)
        CHECK(form && form->len < 200, "not compressed");
    if (form && (row->number == HTTP_GZIP || row->number == HTTP_DEFLATE))
        CHECK(inflated(body, form->len, out) == LONG_SIZE &&
                  memcmp(out, long_script, LONG_SIZE) == 0,
              "not the script");
}

static void test_codings(void)
{
    for (int round = 0; round < 2; round++) {
        struct buf *forms[HTTP_NCODINGS];

        memcpy(forms, bundle.files[2].forms, sizeof forms);
        for (size_t i = 0; i < COUNT(rows); i++) {
            char field[100];

            T_CASE("E206 bundle: Accept-Encoding: %s (%s time)", rows[i].accept,
                   round ? "second" : "first");
            snprintf(field, sizeof field, "Accept-Encoding: %s\r\n",
                     rows[i].accept);
            check_coding(&rows[i], ask_bytes("/socket.io.min.js", field));
        }
        T_CASE("E206 bundle: a coding is made once, round %d", round);
        CHECK(!round ==
                  (memcmp(forms, bundle.files[2].forms, sizeof forms) != 0),
              "not made, or made again");
    }

    T_CASE("bundle: what would not get shorter stays as it is");
    CHECK(!strstr(ask("GET", "/socket.io.js.map", "Accept-Encoding: gzip\r\n"),
                  "Content-Encoding"),
          "compressed");
}

static void test_replaced(void)
{
    const char *got;

    T_CASE("bundle: a file that was replaced is read anew, its codings made "
           "anew");
    ask("GET", "/socket.io.js", "Accept-Encoding: gzip\r\n");
    make_file("socket.io.js", "/*!\n * Socket.IO v4.9.0\n */ other");
    got = ask("GET", "/socket.io.js", "");
    CHECK(strstr(got, "ETag: \"4.9.0\"\r\n") && strstr(got, "other"), "got %s",
          got);
    got = ask("GET", "/socket.io.js", "If-None-Match: \"4.8.4\"\r\n");
    CHECK(strncmp(got, "HTTP/1.1 200 ", 13) == 0, "got %s", got);

    T_CASE("bundle: a file that was removed is not there");
    unlink(path_of("socket.io.js"));
    got = ask("GET", "/socket.io.js", "");
    CHECK(strncmp(got, "HTTP/1.1 404 ", 13) == 0, "got %s", got);
}

int main(void)
{
    make_folder();
    fx_begin();
    fx_server.ops = &ops;
    CHECK(http_bundle_open(&bundle, folder) == SIO_OK, "no bundle");
    test_files();
    test_tags();
    test_others();
    test_codings();
    test_replaced();
    fx_end();
    http_bundle_close(&bundle);
    remove_folder();
    return t_done();
}
