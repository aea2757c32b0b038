/*
 * test_files.c -- static files and the client bundle through the whole server:
 * what is served, and what does not exist however it is spelled.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/flow/world.h"

#define BUNDLE "/*!\n * Socket.IO v4.8.4\n * (c) test\n */\nbundle"

static struct world w;
static char root[] = P_tmpdir "/sio-files-XXXXXX";

/* In the order of making; removed in the opposite one. NULL: a folder; with
 * "->" first: a link. */
static const struct {
    const char *path, *text;
} tree[] = {
    { "", NULL },
    { "/secret.txt", "secret" },
    { "/site", NULL },
    { "/site/index.html", "home" },
    { "/site/a.txt", "text" },
    { "/site/a b.txt", "blank" },
    { "/site/style.css", "css" },
    { "/site/unknown.xyz", "bytes" },
    { "/site/empty.html", "" },
    { "/site/.hidden", "hidden" },
    { "/site/.git", NULL },
    { "/site/.git/config", "config" },
    { "/site/dir", NULL },
    { "/site/dir/index.html", "page" },
    { "/site/dir/b.js", "js" },
    { "/site/bare", NULL },
    { "/site/inside.txt", "->a.txt" },
    { "/site/outside.txt", "->../secret.txt" },
    { "/site/up", "->.." },
    { "/client", NULL },
    { "/client/socket.io.js", BUNDLE },
    { "/client/socket.io.js.map", "{\"map\":1}" },
    { "/client/socket.io.min.js", BUNDLE },
    { "/client/socket.io.min.js.map", "{\"map\":2}" },
    { "/client/socket.io.msgpack.min.js", BUNDLE },
    { "/client/socket.io.msgpack.min.js.map", "{\"map\":3}" },
    { "/client/socket.io.esm.min.js", BUNDLE },
    { "/client/socket.io.esm.min.js.map", "{\"map\":4}" },
    { "/client/socket.io.esm.js", "not one of the 8" },
    { "/client/package.json", "not one of the 8" },
};

static const char *at(const char *path)
{
    static char full[256];

    snprintf(full, sizeof full, "%s%s", root, path);
    return full;
}

static bool make(const char *path, const char *text)
{
    FILE *f;

    if (!text)
        return !*path || mkdir(at(path), 0755) == 0;
    if (strncmp(text, "->", 2) == 0)
        return symlink(text + 2, at(path)) == 0;
    f = fopen(at(path), "w");
    if (!f)
        return false;
    fputs(text, f);
    return fclose(f) == 0;
}

static bool make_tree(void)
{
    bool ok = mkdtemp(root) != NULL;

    for (size_t i = 0; ok && i < COUNT(tree); i++)
        ok = make(tree[i].path, tree[i].text);
    return ok;
}

static void remove_tree(void)
{
    for (size_t i = COUNT(tree); i--;)
        if (!tree[i].text)
            rmdir(at(tree[i].path));
        else
            unlink(at(tree[i].path));
}

static void open_server(const char *prefix, const char *cors)
{
    char client[256];
    sio_options o;

    sio_options_init(&o);
    snprintf(client, sizeof client, "%s", at("/client"));
    o.client_dir = client;
    o.cors_origin = cors;
    CHECK(world_open(&w, &o), "no server");
    if (prefix)
        CHECK(sio_serve_files(w.server, prefix, at("/site")) == SIO_OK,
              "no files");
}

static const char *get(const char *target)
{
    return world_raw(&w, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target);
}

/* ---------------------------------------------------------------- files -- */

static void test_served(void)
{
    static const struct {
        const char *target, *type, *body;
    } rows[] = {
        { "/", "text/html; charset=utf-8", "home" },
        { "/?x=1", "text/html; charset=utf-8", "home" },
        { "/index.html", "text/html; charset=utf-8", "home" },
        { "/a.txt", "text/plain; charset=utf-8", "text" },
        { "/a%20b.txt", "text/plain; charset=utf-8", "blank" },
        { "/%61.txt", "text/plain; charset=utf-8", "text" },
        { "/style.css", "text/css; charset=utf-8", "css" },
        { "/unknown.xyz", "application/octet-stream", "bytes" },
        { "/empty.html", "text/html; charset=utf-8", "" },
        { "/dir/", "text/html; charset=utf-8", "page" },
        { "/dir/b.js", "text/javascript; charset=utf-8", "js" },
        { "/inside.txt", "text/plain; charset=utf-8", "text" },
    };

    open_server("/", NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char want[512];

        T_CASE("served: %s", rows[i].target);
        snprintf(want, sizeof want,
                 "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
                 "Content-Length: %zu\r\nCache-Control: no-cache\r\n"
                 "ETag: \"*\"\r\nLast-Modified: * GMT\r\n"
                 "X-Content-Type-Options: nosniff\r\n*\r\n\r\n%s",
                 rows[i].type, strlen(rows[i].body), rows[i].body);
        CHECK_MATCH(get(rows[i].target), want);
    }
    world_check_empty(&w);
    world_close(&w);
}

/* None of these may bring anything but 404 (or 400). */
static void test_not_there(void)
{
    /* clang-format off */
    static const char *const rows[] = {
        "/nothing", "/nothing/", "/a.txt/", "/a.txt/x", "/dir/nothing",
        "/bare/", "/A.TXT",
        "/../secret.txt", "/dir/../../secret.txt", "/..", "/../", "/./a.txt",
        "/dir/../a.txt", "/%2e%2e/secret.txt", "/%2e%2e%2fsecret.txt",
        "/..%2fsecret.txt", "/..%5csecret.txt", "/..\\secret.txt",
        "/%252e%252e/secret.txt", "/dir/%2e%2e/%2E%2E/secret.txt",
        "//a.txt", "//etc/passwd", "/dir//b.js", "/%2f/etc/passwd",
        "/outside.txt", "/up/secret.txt", "/up/", 
        "/.hidden", "/%2ehidden", "/.git/config", "/dir/.", "/.",
        "/a.txt%00", "/a.txt%00.html", "/%00", "/a%2etxt%2f..%2f..%2fsecret.txt",
        "/secret.txt", "/site/a.txt", "/client/socket.io.js",
    };
    /* clang-format on */

    open_server("/", NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *got;

        T_CASE("not there: %s", rows[i]);
        got = get(rows[i]);
        CHECK(world_match(got, "HTTP/1.1 404 *") ||
                  world_match(got, "HTTP/1.1 400 *"),
              "got %s", got);
        CHECK(!strstr(got, "secret") && !strstr(got, "root:"), "got %s", got);
    }
    world_check_empty(&w);
    world_close(&w);
}

static void test_methods(void)
{
    static const char *const refused[] = { "POST", "PUT", "DELETE", "OPTIONS",
                                           "PATCH" };
    char etag[64], first[600];
    const char *p;

    open_server("/", NULL);
    T_CASE("HEAD: the fields of GET, no body");
    snprintf(first, sizeof first, "%s", get("/a.txt"));
    world_raw(&w, "HEAD /a.txt HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(strncmp(first, w.got, strlen(w.got)) == 0, "got %s", w.got);
    CHECK(strlen(first) == strlen(w.got) + 4, "got %s", w.got);

    for (size_t i = 0; i < COUNT(refused); i++) {
        T_CASE("%s of a file is 404", refused[i]);
        CHECK_MATCH(
            world_raw(&w, "%s /a.txt HTTP/1.1\r\nHost: x\r\n\r\n", refused[i]),
            "HTTP/1.1 404 *");
    }

    T_CASE("If-None-Match: 304 without a body");
    p = strstr(first, "ETag: ");
    CHECK(p, "no ETag: %s", first);
    snprintf(etag, sizeof etag, "%.*s", p ? (int)strcspn(p + 6, "\r") : 0,
             p ? p + 6 : "");
    for (size_t i = 0; i < 4; i++) {
        static const char *const before[] = { "", "W/", "\"x\", ", "*, " };

        CHECK_MATCH(world_raw(&w,
                              "GET /a.txt HTTP/1.1\r\nHost: x\r\n"
                              "If-None-Match: %s%s\r\n\r\n",
                              before[i], etag),
                    "HTTP/1.1 304 Not Modified\r\n*\r\n\r\n");
    }
    CHECK_MATCH(world_raw(&w, "GET /a.txt HTTP/1.1\r\nHost: x\r\n"
                              "If-None-Match: \"other\"\r\n\r\n"),
                "HTTP/1.1 200 OK\r\n*text");

    T_CASE("a folder is redirected, its query kept");
    CHECK_MATCH(get("/dir"), "HTTP/1.1 301 *\r\nLocation: /dir/\r\n*");
    CHECK_MATCH(get("/dir?a=b"), "HTTP/1.1 301 *\r\nLocation: /dir/?a=b\r\n*");
    world_check_empty(&w);
    world_close(&w);
}

static void test_prefix(void)
{
    static const struct {
        const char *prefix, *target;
        int status;
    } rows[] = {
        { "/static", "/static/a.txt", 200 },
        { "/static", "/a.txt", 404 },
        { "/static", "/statics/a.txt", 404 },
        { "/static", "/static", 404 },
        { "/static", "/static/", 200 },
        { "/static/", "/static/a.txt", 200 },
        { "/static", "/static/../secret.txt", 404 },
        { "/static", "/Static/a.txt", 404 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char want[32];

        T_CASE("prefix %s, request %s", rows[i].prefix, rows[i].target);
        open_server(rows[i].prefix, NULL);
        snprintf(want, sizeof want, "HTTP/1.1 %d *", rows[i].status);
        CHECK_MATCH(get(rows[i].target), want);
        world_check_empty(&w);
        world_close(&w);
    }

    T_CASE("sio_serve_files: what cannot be served is told");
    open_server(NULL, NULL);
    CHECK(sio_serve_files(w.server, "/", at("/missing")) == SIO_E_SYS, "ok?");
    CHECK(sio_serve_files(w.server, "x", at("/site")) == SIO_E_INVAL, "ok?");
    CHECK_MATCH(get("/a.txt"), "HTTP/1.1 404 *");
    world_close(&w);
}

/* The engine's path is its own, whatever lies below "/". */
static void test_beside_engine(void)
{
    int fd;

    T_CASE("files at / beside Socket.IO");
    open_server("/", NULL);
    fd = world_client(&w);
    CHECK(fd >= 0, "no client");
    CHECK_MATCH(get("/a.txt"), "HTTP/1.1 200 OK\r\n*text");
    CHECK_MATCH(get("/socket.io/a.txt"), "HTTP/1.1 400 *{\"code\":0,*");
    world_hang_up(&w, fd);
    world_check_empty(&w);
    world_close(&w);
}

/* --------------------------------------------------------------- bundle -- */

static void test_bundle(void)
{
    static const char *const names[] = { "socket.io.js", "socket.io.min.js",
                                         "socket.io.msgpack.min.js",
                                         "socket.io.esm.min.js" };
    char want[512];

    open_server(NULL, NULL);
    for (size_t i = 0; i < COUNT(names); i++) {
        T_CASE("E205 %s and its map", names[i]);
        snprintf(want, sizeof want,
                 "HTTP/1.1 200 OK\r\nContent-Type: application/javascript; "
                 "charset=utf-8\r\nContent-Length: %zu\r\n"
                 "Vary: Accept-Encoding\r\nCache-Control: public, "
                 "max-age=0\r\nETag: \"4.8.4\"\r\n"
                 "*\r\n\r\n" BUNDLE,
                 strlen(BUNDLE));
        CHECK_MATCH(world_raw(&w,
                              "GET /socket.io/%s?x HTTP/1.1\r\n"
                              "Host: x\r\n\r\n",
                              names[i]),
                    want);
        CHECK(!strstr(w.got, "ourcemap") && !strstr(w.got, "ourceMap"),
              "got %s", w.got);
        CHECK_MATCH(world_raw(&w,
                              "GET /socket.io/%s.map HTTP/1.1\r\n"
                              "Host: x\r\n\r\n",
                              names[i]),
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json; "
                    "charset=utf-8\r\n*ETag: \"4.8.4\"\r\n*{\"map\":*}");
    }
    world_check_empty(&w);
    world_close(&w);
}

static void test_not_of_bundle(void)
{
    static const char *const others[] = {
        "socket.io.esm.js",        "package.json",
        "../secret.txt",           "../client/socket.io.js",
        "%73ocket.io.js",          "%2e%2e/secret.txt",
        "sub/socket.io.js",        "socket.io.js/",
        "socket.io.js.map.map",    "Socket.io.js",
        "./socket.io.js",          "socket.io.min.js%00",
        "socket.io.msgpack.min.j",
    };

    open_server(NULL, NULL);
    for (size_t i = 0; i < COUNT(others); i++) {
        T_CASE("E209 not of the bundle: %s", others[i]);
        CHECK_MATCH(world_raw(&w,
                              "GET /socket.io/%s HTTP/1.1\r\n"
                              "Host: x\r\n\r\n",
                              others[i]),
                    "HTTP/1.1 400 *");
        CHECK(!strstr(w.got, "secret"), "got %s", w.got);
    }
    world_check_empty(&w);
    world_close(&w);

    T_CASE("S15 E209 without client_dir there is no bundle");
    CHECK(world_open(&w, NULL), "no server");
    CHECK_MATCH(get("/socket.io/socket.io.js"), "HTTP/1.1 400 *{\"code\":0,*");
    CHECK_MATCH(get("/"), "HTTP/1.1 404 *Content-Length: 0\r\n*\r\n\r\n");
    world_check_empty(&w);
    world_close(&w);
}

static void test_bundle_requests(void)
{
    char want[32];

    open_server(NULL, NULL);
    T_CASE("9 any method; HEAD has no body");
    CHECK_MATCH(world_raw(&w, "POST /socket.io/socket.io.js HTTP/1.1\r\n"
                              "Host: x\r\nContent-Length: 0\r\n\r\n"),
                "HTTP/1.1 200 OK\r\n*bundle");
    CHECK_MATCH(world_raw(&w, "HEAD /socket.io/socket.io.js HTTP/1.1\r\n"
                              "Host: x\r\n\r\n"),
                "HTTP/1.1 200 OK\r\n*ETag: \"4.8.4\"\r\n*\r\n\r\n");

    for (int i = 0; i < 4; i++) {
        static const struct {
            const char *tag;
            int status;
        } tags[] = { { "\"4.8.4\"", 304 },
                     { "W/\"4.8.4\"", 304 },
                     { "\"4.8.3\"", 200 },
                     { "*", 200 } };

        T_CASE("E208 If-None-Match: %s", tags[i].tag);
        snprintf(want, sizeof want, "HTTP/1.1 %d *", tags[i].status);
        CHECK_MATCH(world_raw(&w,
                              "GET /socket.io/socket.io.js HTTP/1.1\r\n"
                              "Host: x\r\nIf-None-Match: %s\r\n\r\n",
                              tags[i].tag),
                    want);
        if (tags[i].status == 304)
            CHECK(!strstr(w.got, "ETag") && !strstr(w.got, "Cache-Control"),
                  "got %s", w.got);
    }
    world_check_empty(&w);
    world_close(&w);

    T_CASE("S8 E207 the bundle has the CORS fields");
    open_server(NULL, "http://a.b");
    CHECK_MATCH(get("/socket.io/socket.io.js"),
                "HTTP/1.1 200 OK\r\n*Access-Control-Allow-Origin: http://a.b"
                "\r\n*bundle");
    world_check_empty(&w);
    world_close(&w);
}

int main(void)
{
    bool ok = make_tree();

    T_CASE("a tree to serve");
    CHECK(ok, "cannot make %s", root);
    if (ok) {
        test_served();
        test_not_there();
        test_methods();
        test_prefix();
        test_beside_engine();
        test_bundle();
        test_not_of_bundle();
        test_bundle_requests();
    }
    remove_tree();
    return t_done();
}
