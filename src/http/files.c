/*
 * files.c -- see files.h.
 *
 * A path is decoded once and then taken segment by segment: what is hidden,
 * empty or leads upwards does not exist. Links may point anywhere inside the
 * folder; where one leads out of it, there is no file either.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ETAG_MAX 48 /* bytes, with quotes and NUL */

/* clang-format off */
static const struct {
    sio_str extension, type;
} types[] = {
#define TYPE(extension, type) { { extension, sizeof(extension) - 1 }, \
                                { type, sizeof(type) - 1 } },
    TYPE("html",  "text/html; charset=utf-8")
    TYPE("htm",   "text/html; charset=utf-8")
    TYPE("css",   "text/css; charset=utf-8")
    TYPE("js",    "text/javascript; charset=utf-8")
    TYPE("mjs",   "text/javascript; charset=utf-8")
    TYPE("txt",   "text/plain; charset=utf-8")
    TYPE("json",  "application/json; charset=utf-8")
    TYPE("map",   "application/json; charset=utf-8")
    TYPE("svg",   "image/svg+xml")
    TYPE("png",   "image/png")
    TYPE("jpg",   "image/jpeg")
    TYPE("jpeg",  "image/jpeg")
    TYPE("gif",   "image/gif")
    TYPE("webp",  "image/webp")
    TYPE("ico",   "image/x-icon")
    TYPE("woff2", "font/woff2")
    TYPE("wasm",  "application/wasm")
#undef TYPE
};
/* clang-format on */

static sio_str type_of(const char *path)
{
    const char *dot = strrchr(path, '.');

    if (dot)
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            if (str_eq_nocase(str_of(dot + 1), types[i].extension))
                return types[i].type;
    return STR("application/octet-stream");
}

/* ---------------------------------------------------------------- paths -- */

/* May this decoded path below the folder be looked at? */
static bool is_plain(sio_str path)
{
    if (memchr(path.p, 0, path.n) || memchr(path.p, '\\', path.n))
        return false;
    while (path.p) {
        sio_str segment = str_split(path, '/', &path);

        /* The last one may be empty: "dir/". */
        if (segment.n == 0 ? path.p != NULL : segment.p[0] == '.')
            return false;
    }
    return true;
}

/* Append to the NUL-terminated text; false when it does not fit. */
static bool join(char path[PATH_MAX], sio_str more)
{
    size_t n = strlen(path);

    if (more.n >= PATH_MAX - n)
        return false;
    memcpy(path + n, more.p, more.n);
    path[n + more.n] = 0;
    return true;
}

/* The path below `folder` that the request names, not yet looked at. */
static bool find_path(const struct http_request *r, const char *prefix,
                      const char *folder, char path[PATH_MAX])
{
    char decoded[PATH_MAX];
    sio_str rest = r->path;
    size_t skip = strlen(prefix);

    if (!str_starts(rest, str_of(prefix)))
        return false;
    rest.p += skip;
    rest.n -= skip;
    if (skip && prefix[skip - 1] != '/') {
        if (rest.n == 0 || rest.p[0] != '/')
            return false; /* "/static" is no prefix of "/statics" */
        rest.p++;
        rest.n--;
    }
    if (rest.n >= sizeof decoded)
        return false;
    rest = (sio_str){ decoded, http_percent_decode(rest, false, decoded) };
    path[0] = 0;
    return is_plain(rest) && join(path, str_of(folder)) &&
           join(path, STR("/")) && join(path, rest) &&
           (path[strlen(path) - 1] != '/' || join(path, STR("index.html")));
}

/* Replace a path by the one that it really is, if that lies below `folder`. */
static bool resolve(char path[PATH_MAX], const char *folder)
{
    char root[PATH_MAX], real[PATH_MAX];
    size_t n;

    if (!realpath(folder, root) || !realpath(path, real))
        return false;
    n = strlen(root);
    if (strncmp(real, root, n) != 0 ||
        (root[n - 1] != '/' && real[n] != '/' && real[n]))
        return false;
    memcpy(path, real, strlen(real) + 1);
    return true;
}

/* -------------------------------------------------------------- reading -- */

static bool read_exactly(int fd, uint8_t *out, size_t n)
{
    while (n) {
        ssize_t got = read(fd, out, n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        out += got;
        n -= (size_t)got;
    }
    return true;
}

static struct buf *read_open(int fd, struct stat *st)
{
    struct buf *b;

    if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode) ||
        (uintmax_t)st->st_size > HTTP_FILE_MAX)
        return NULL;
    b = buf_alloc((size_t)st->st_size);
    if (b && !read_exactly(fd, b->data, b->len)) {
        buf_unref(b);
        b = NULL;
    }
    return b;
}

struct buf *http_read_file(const char *path, struct stat *st)
{
    /* Opening a named pipe must not wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct buf *b;

    if (fd < 0)
        return NULL;
    b = read_open(fd, st);
    close(fd);
    return b;
}

/* ---------------------------------------------------------------- files -- */

/* Is `etag` in the list, compared weakly (RFC 9110 13.1.2)? */
static bool etag_matches(sio_str list, sio_str etag)
{
    while (list.p) {
        sio_str one = str_trim(str_split(list, ',', &list));

        if (str_starts(one, STR("W/"))) {
            one.p += 2;
            one.n -= 2;
        }
        if (str_eq(one, etag) || str_eq(one, STR("*")))
            return true;
    }
    return false;
}

/* A folder is asked for without its "/": relative links of its page would go
 * astray. */
static bool redirect(struct http_exchange *ex)
{
    const struct http_request *r = ex->request;
    char where[PATH_MAX] = "";
    struct http_field field;

    if (!join(where, r->path) || !join(where, STR("/")) ||
        (r->query.p && (!join(where, STR("?")) || !join(where, r->query))))
        return false;
    field = (struct http_field){ STR("Location"), str_of(where) };
    http_respond(ex, &(struct http_response){
                         .status = 301, .fields = &field, .field_count = 1 });
    return true;
}

static void respond_file(struct http_exchange *ex, const char *path,
                         struct buf *b, const struct stat *st)
{
    char etag[ETAG_MAX], modified[HTTP_TIME_TEXT];
    int n = snprintf(etag, sizeof etag, "\"%jx-%jx.%lx\"",
                     (uintmax_t)st->st_size, (uintmax_t)st->st_mtim.tv_sec,
                     (unsigned long)st->st_mtim.tv_nsec);
    struct http_field fields[] = {
        { STR("Cache-Control"), STR("no-cache") },
        { STR("ETag"), { etag, (size_t)n } },
        { STR("Last-Modified"),
          { modified, http_time_text(st->st_mtime, modified) } },
        { STR("X-Content-Type-Options"), STR("nosniff") },
    };
    sio_str known = http_field_value(ex->request, STR("if-none-match"));
    struct http_response r = { .status = 200,
                               .content_type = type_of(path),
                               .fields = fields,
                               .field_count = sizeof fields / sizeof *fields,
                               .shared = b };

    if (etag_matches(known, fields[1].value)) {
        r.status = 304;
        r.content_type = (sio_str){ NULL, 0 };
    }
    http_respond(ex, &r);
}

bool http_serve_file(struct http_exchange *ex, const char *prefix,
                     const char *folder)
{
    const struct http_request *r = ex->request;
    char path[PATH_MAX];
    struct stat st;
    struct buf *b;

    if (!str_eq(r->method, STR("GET")) && !str_eq(r->method, STR("HEAD")))
        return false;
    if (!find_path(r, prefix, folder, path) || !resolve(path, folder) ||
        stat(path, &st) < 0)
        return false;
    if (S_ISDIR(st.st_mode))
        return redirect(ex);
    b = http_read_file(path, &st);
    if (!b)
        return false;
    respond_file(ex, path, b, &st);
    buf_unref(b);
    return true;
}
