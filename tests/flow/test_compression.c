/*
 * test_compression.c -- compressed polls through the whole server: which, and
 * which not. Checklist of Engine.IO, 11.8.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include "tests/flow/world.h"

#include <zlib.h>

/* ["size",n]: an event of n bytes of text; with "plain": not to be compressed;
 * with "all": to the namespace. */
static void on_size(sio_socket *socket, sio_event *event, void *user)
{
    static char text[5000];
    int64_t n = 0;
    const char *how = "";

    (void)user;
    memset(text, 'x', sizeof text);
    sio_arg_int(event, 0, &n);
    sio_arg_string(event, 1, &how, NULL);
    /* 42["e","xxx"] is 10 bytes longer than the text */
    if (strcmp(how, "plain") == 0)
        sio_emit(sio_compress(socket, false), "e",
                 sio_stringn(text, (size_t)n - 10));
    else if (strcmp(how, "all plain") == 0)
        sio_emit(sio_compress(sio_namespace_of(socket), false), "e",
                 sio_stringn(text, (size_t)n - 10));
    else if (strcmp(how, "all") == 0)
        sio_emit(sio_namespace_of(socket), "e",
                 sio_stringn(text, (size_t)n - 10));
    else
        sio_emit(socket, "e", sio_stringn(text, (size_t)n - 10));
}

/* The body of the last answer; its length into *n. */
static const char *body_of(const struct world *w, long got, size_t *n)
{
    const char *at = strstr(w->got, "\r\n\r\n");

    *n = at ? (size_t)(got - (at + 4 - w->got)) : 0;
    return at ? at + 4 : "";
}

/* bits: 31 gzip, 15 deflate. The length of what comes out, -1: broken. */
static long inflated(const char *body, size_t n, int bits)
{
    static uint8_t text[10000];
    z_stream z = { 0 };
    int r;

    if (inflateInit2(&z, bits) != Z_OK)
        return -1;
    z.next_in = (Bytef *)(uintptr_t)body;
    z.avail_in = (uInt)n;
    z.next_out = text;
    z.avail_out = sizeof text;
    r = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    return r == Z_STREAM_END ? (long)z.total_out : -1;
}

static const struct row {
    const char *name, *accept, *event;
    bool off;
    size_t threshold;
    const char *coding; /* NULL: none */
    long len;           /* of the body, inflated */
} rows[] = {
    { "E135 S119 gzip", "gzip, deflate", "42[\"size\",1024]", false, 1024,
      "gzip", 1024 },
    { "E136 deflate", "deflate", "42[\"size\",1024]", false, 1024, "deflate",
      1024 },
    { "E137 no threshold", "gzip", "42[\"size\",100]", false, 0, "gzip", 100 },
    { "E138 off", "gzip", "42[\"size\",2000]", true, 1024, NULL, 2000 },
    { "S55 to all", "gzip", "42[\"size\",2000,\"all\"]", false, 1024, "gzip",
      2000 },
    { "S56 to all, compress(false)", "gzip", "42[\"size\",2000,\"all plain\"]",
      false, 1024, NULL, 2000 },
    { "E139 S120 compress(false)", "gzip", "42[\"size\",2000,\"plain\"]", false,
      1024, NULL, 2000 },
    { "one of two does not mind", "gzip",
      "42[\"size\",2000,\"plain\"]\x1e"
      "42[\"size\",11]",
      false, 1024, "gzip", 2012 },
    { "E140 below the threshold", "gzip", "42[\"size\",1023]", false, 1024,
      NULL, 1023 },
    { "nobody asks", NULL, "42[\"size\",2000]", false, 1024, NULL, 2000 },
    { "br only", "br", "42[\"size\",2000]", false, 1024, NULL, 2000 },
};

static long poll_accepting(struct world *w, const char *sid, const char *accept)
{
    char head[512];
    int fd = world_connect(w);
    int n = snprintf(head, sizeof head,
                     "GET /socket.io/?EIO=4&transport=polling&sid=%s "
                     "HTTP/1.1\r\nHost: t\r\n%s%s%s\r\n",
                     sid, accept ? "Accept-Encoding: " : "",
                     accept ? accept : "", accept ? "\r\n" : "");
    long got;

    world_write(w, fd, head, (size_t)n);
    got = world_read(w, fd);
    world_hang_up(w, fd);
    return got;
}

static void check_row(struct world *w, const struct row *row, long got)
{
    char line[64];
    size_t n;
    const char *body = body_of(w, got, &n);

    snprintf(line, sizeof line, "Content-Encoding: %s\r\n",
             row->coding ? row->coding : "");
    CHECK(!strstr(w->got, row->coding ? line : "Content-Encoding") ==
              !row->coding,
          "%.300s", w->got);
    if (row->coding)
        CHECK(inflated(body, n, row->coding[0] == 'g' ? 31 : 15) == row->len,
              "%ld bytes from %zu", inflated(body, n, 47), n);
    else
        CHECK((long)n == row->len, "%zu bytes", n);
}

int main(void)
{
    static struct world w;

    for (size_t i = 0; i < COUNT(rows); i++) {
        char sid[24], query[128];
        sio_options o;

        T_CASE("compression: %s", rows[i].name);
        sio_options_init(&o);
        o.http_compression = !rows[i].off;
        o.http_compression_threshold = rows[i].threshold;
        CHECK(world_open(&w, &o), "no server");
        sio_on(sio_of(w.server, "/"), "size", on_size, NULL);
        CHECK(world_session(&w, sid), "no session");
        snprintf(query, sizeof query, "EIO=4&transport=polling&sid=%s", sid);
        CHECK_MATCH(world_post(&w, query, "40"), "ok");
        CHECK_MATCH(world_get(&w, query), "40{*}");
        CHECK_MATCH(world_post(&w, query, rows[i].event), "ok");
        check_row(&w, &rows[i], poll_accepting(&w, sid, rows[i].accept));
        CHECK_MATCH(world_post(&w, query, "1"), "ok");
        world_check_empty(&w);
        world_close(&w);
    }
    return t_done();
}
