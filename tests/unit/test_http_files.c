/*
 * test_http_files.c -- files below a folder, and everything that is not there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/files.h"
#include "tests/unit/http_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

static char folder[] = "/tmp/libsio-files-XXXXXX";
static char site[100]; /* the folder that is served */
static const char *prefix;

static void on_request(void *self, struct http_exchange *ex)
{
    (void)self;
    if (!http_serve_file(ex, prefix, site))
        http_respond(ex, &(struct http_response){ .status = 404 });
}

static void on_refused(void *self, const struct net_address *peer, int status,
                       const char *why)
{
    fx_on_refused(self, peer, status, why);
}

static const struct http_server_ops ops = { .on_request = on_request,
                                            .on_refused = on_refused };

/* ------------------------------------------------------------- the folder */

static const char *path_of(const char *name)
{
    static char path[200];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void make_file(const char *name, const char *text)
{
    FILE *f = fopen(path_of(name), "w");

    if (f) {
        fputs(text, f);
        fclose(f);
    }
}

static const char *const files[] = {
    "secret.txt",     "site/index.html",     "site/a.txt",
    "site/a b.js",    "site/x.unknown",      "site/noext",
    "site/.hidden",   "site/dir/index.html", "site/dir/.env",
    "site/empty.css", "site/UPPER.PNG",
};

static void make_site(void)
{
    if (!mkdtemp(folder))
        exit(1);
    snprintf(site, sizeof site, "%s/site", folder);
    mkdir(site, 0700);
    mkdir(path_of("site/dir"), 0700);
    mkdir(path_of("site/none"), 0700);
    mkdir(path_of("site2"), 0700);
    for (size_t i = 0; i < COUNT(files); i++)
        make_file(files[i], files[i]);
    make_file("site/empty.css", "");
    make_file("site2/b.txt", "elsewhere");
    mkfifo(path_of("site/pipe"), 0600);
    if (symlink("a.txt", path_of("site/link.txt")) < 0 ||
        symlink("../secret.txt", path_of("site/out.txt")) < 0 ||
        symlink("../site2", path_of("site/out")) < 0)
        exit(1);
}

static void remove_site(void)
{
    static const char *const rest[] = { "site2/b.txt", "site/pipe",
                                        "site/link.txt", "site/out.txt",
                                        "site/out" };
    static const char *const folders[] = { "site/dir", "site/none", "site",
                                           "site2" };

    for (size_t i = 0; i < COUNT(files); i++)
        unlink(path_of(files[i]));
    for (size_t i = 0; i < COUNT(rest); i++)
        unlink(path_of(rest[i]));
    for (size_t i = 0; i < COUNT(folders); i++)
        rmdir(path_of(folders[i]));
    rmdir(folder);
}

/* ------------------------------------------------------------------- files */

static void ask(const char *method, const char *target, const char *field)
{
    char request[6000];

    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n",
             method, target, field);
    fx_say(request);
}

static void test_found(void)
{
    static const struct {
        const char *prefix, *target, *type, *body;
    } rows[] = {
        { "/", "/", "text/html; charset=utf-8", "site/index.html" },
        { "/", "/index.html", "text/html; charset=utf-8", "site/index.html" },
        { "/", "/a.txt", "text/plain; charset=utf-8", "site/a.txt" },
        { "/", "/a.txt?v=1", "text/plain; charset=utf-8", "site/a.txt" },
        { "/", "/%61.txt", "text/plain; charset=utf-8", "site/a.txt" },
        { "/", "/a%20b.js", "text/javascript; charset=utf-8", "site/a b.js" },
        { "/", "/x.unknown", "application/octet-stream", "site/x.unknown" },
        { "/", "/noext", "application/octet-stream", "site/noext" },
        { "/", "/dir/", "text/html; charset=utf-8", "site/dir/index.html" },
        { "/", "/empty.css", "text/css; charset=utf-8", "" },
        { "/", "/UPPER.PNG", "image/png", "site/UPPER.PNG" },
        { "/", "/link.txt", "text/plain; charset=utf-8", "site/a.txt" },
        { "/static", "/static/a.txt", "text/plain; charset=utf-8",
          "site/a.txt" },
        { "/static/", "/static/a.txt", "text/plain; charset=utf-8",
          "site/a.txt" },
        { "", "/a.txt", "text/plain; charset=utf-8", NULL },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char head[200];
        const char *got;

        T_CASE("file: %s below '%s'", rows[i].target, rows[i].prefix);
        prefix = rows[i].prefix;
        ask("GET", rows[i].target, "");
        got = fx_receive();
        if (!rows[i].body) {
            CHECK(strncmp(got, "HTTP/1.1 404 ", 13) == 0, "got %s", got);
            continue;
        }
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
                 "Content-Length: %zu\r\nCache-Control: no-cache\r\nETag: \"",
                 rows[i].type, strlen(rows[i].body));
        CHECK(strncmp(got, head, strlen(head)) == 0, "got %s", got);
        CHECK(strstr(got, "\r\nLast-Modified: "), "no Last-Modified");
        CHECK(strstr(got, "\r\nX-Content-Type-Options: nosniff\r\n"), "sniff");
        got = strstr(got, "\r\n\r\n");
        CHECK(got && strcmp(got + 4, rows[i].body) == 0, "body %s", got);
    }
}

static void test_not_found(void)
{
    static const char *const rows[] = {
        "/nothing",
        "/.hidden",
        "/%2ehidden",
        "/dir/.env",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/dir/../a.txt",
        "/dir/../../secret.txt",
        "/./a.txt",
        "//a.txt",
        "/dir//index.html",
        "/a.txt/",
        "/a.txt%00.html",
        "/..%5csecret.txt",
        "/dir\\index.html",
        "/%252e%252e/secret.txt",
        "/out.txt",
        "/out/b.txt",
        "/out/",
        "/out",
        "/pipe",
        "/none/",
        "/%2e%2e/site2/b.txt",
    };
    char longest[5000];

    prefix = "/";
    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("file: %s is not there", rows[i]);
        ask("GET", rows[i], "");
        fx_check_answers("404|");
    }
    T_CASE("file: a path longer than any");
    memset(longest, 'a', sizeof longest);
    longest[0] = '/';
    longest[sizeof longest - 1] = 0;
    ask("GET", longest, "");
    fx_check_answers("404|");

    T_CASE("file: outside the prefix");
    prefix = "/static";
    ask("GET", "/statics/a.txt", "");
    ask("GET", "/static", "");
    ask("GET", "/a.txt", "");
    fx_check_answers("404|404|404|");

    T_CASE("file: other methods");
    prefix = "/";
    ask("DELETE", "/a.txt", "");
    fx_check_answers("404|");
}

static void test_cached(void)
{
    char etag[100] = "", field[300];
    const char *at, *got;

    T_CASE("file: HEAD has the length and no body");
    prefix = "/";
    ask("HEAD", "/a.txt", "");
    got = fx_receive();
    CHECK(strstr(got, "Content-Length: 10\r\n"), "got %s", got);
    CHECK(strcmp(strstr(got, "\r\n\r\n"), "\r\n\r\n") == 0, "a body");
    at = strstr(got, "ETag: ");
    if (at)
        snprintf(etag, sizeof etag, "%.*s", (int)strcspn(at + 6, "\r"), at + 6);

    T_CASE("file: 304 when the tag is known, also weak and in a list");
    snprintf(field, sizeof field, "If-None-Match: %s\r\n", etag);
    ask("GET", "/a.txt", field);
    snprintf(field, sizeof field, "If-None-Match: \"x\", W/%s\r\n", etag);
    ask("GET", "/a.txt", field);
    ask("GET", "/a.txt", "If-None-Match: *\r\n");
    fx_check_answers("304|304|304|");

    T_CASE("file: 200 when it is not");
    ask("GET", "/a.txt", "If-None-Match: \"x\", y\r\n");
    fx_check_answers("200 site/a.txt|");

    T_CASE("file: a changed file has another tag");
    make_file("site/a.txt", "site/a.TXT");
    snprintf(field, sizeof field, "If-None-Match: %s\r\n", etag);
    ask("GET", "/a.txt", field);
    fx_check_answers("200 site/a.TXT|");
    make_file("site/a.txt", "site/a.txt");

    T_CASE("file: a folder is redirected to its slash, the query stays");
    ask("GET", "/dir?a=b", "");
    got = fx_receive();
    CHECK(strncmp(got, "HTTP/1.1 301 ", 13) == 0, "got %s", got);
    CHECK(strstr(got, "\r\nLocation: /dir/?a=b\r\n"), "got %s", got);
}

int main(void)
{
    make_site();
    fx_begin();
    fx_server.ops = &ops;
    test_found();
    test_not_found();
    test_cached();
    fx_end();
    remove_site();
    return t_done();
}
