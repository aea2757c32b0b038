/*
 * bundle.c -- see bundle.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/bundle.h"

#include "src/http/files.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each has a ".map". */
static const char *const scripts[HTTP_BUNDLE_FILES / 2] = {
    "socket.io.js", "socket.io.min.js", "socket.io.msgpack.min.js",
    "socket.io.esm.min.js"
};

int http_bundle_open(struct http_bundle *b, const char *folder)
{
    *b = (struct http_bundle){ .folder = strdup(folder) };
    return b->folder ? SIO_OK : SIO_E_NOMEM;
}

static void forget(struct http_bundle_file *f)
{
    for (int i = 0; i < HTTP_NCODINGS; i++)
        buf_unref(f->forms[i]);
    memset(f, 0, sizeof *f);
}

void http_bundle_close(struct http_bundle *b)
{
    for (int i = 0; i < HTTP_BUNDLE_FILES; i++)
        forget(&b->files[i]);
    free(b->folder);
    b->folder = NULL;
}

/* Scripts have even numbers, the map of each the next one; -1: none of them. */
static int file_number(sio_str name)
{
    for (int i = 0; i < HTTP_BUNDLE_FILES / 2; i++) {
        sio_str script = str_of(scripts[i]);

        if (str_eq(name, script))
            return 2 * i;
        if (name.n == script.n + 4 && str_starts(name, script) &&
            memcmp(name.p + script.n, ".map", 4) == 0)
            return 2 * i + 1;
    }
    return -1;
}

bool http_is_bundle(const struct http_bundle *b, sio_str name)
{
    return b->folder && file_number(name) >= 0;
}

static bool is_map(int number)
{
    return number % 2;
}

/* The version, in quotes, out of the comment that every script begins with:
 * " * Socket.IO v4.8.4". */
static void read_tag(struct http_bundle_file *f, const struct buf *script)
{
    sio_str mark = STR("Socket.IO v");
    const char *text = (const char *)script->data, *at;
    size_t n = script->len < 200 ? script->len : 200, len = 0;

    at = memmem(text, n, mark.p, mark.n);
    if (!at)
        return;
    at += mark.n;
    f->tag[len++] = '"';
    while (at < text + n && (unsigned char)*at > ' ' && *at != '"' &&
           len < HTTP_BUNDLE_TAG - 1)
        f->tag[len++] = *at++;
    f->tag[len++] = '"';
    f->tag_len = len > 2 ? len : 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The file as it is now; NULL: it is not there. */
static struct http_bundle_file *load(struct http_bundle *b, int number)
{
    struct http_bundle_file *f = &b->files[number], *script = NULL;
    char path[PATH_MAX];
    struct stat now;
    int n = snprintf(path, sizeof path, "%s/%s%s", b->folder,
                     scripts[number / 2], is_map(number) ? ".map" : "");

    if (n < 0 || (size_t)n >= sizeof path || stat(path, &now) < 0)
        return NULL;
    if (f->forms[HTTP_IDENTITY] && is_same(&now, &f->was))
        return f;
    forget(f);
    if (is_map(number)) /* the version stands in the script alone */
        script = load(b, number - 1);
    f->forms[HTTP_IDENTITY] = http_read_file(path, &f->was);
    if (!f->forms[HTTP_IDENTITY])
        return NULL;
    if (!is_map(number))
        read_tag(f, f->forms[HTTP_IDENTITY]);
    else if (script)
        memcpy(f->tag, script->tag, f->tag_len = script->tag_len);
    return f;
}

/* That form of the file; identity when there is none. */
static struct buf *form(struct http_bundle_file *f, enum http_coding *coding)
{
    const struct buf *plain = f->forms[HTTP_IDENTITY];
    struct http_compressor c;

    if (!f->forms[*coding] && !f->tried[*coding]) {
        f->tried[*coding] = true;
        http_compressor_init(&c);
        f->forms[*coding] = http_compress(
            &c, *coding,
            (sio_str){ (char *)(uintptr_t)plain->data, plain->len });
        http_compressor_free(&c);
    }
    if (!f->forms[*coding])
        *coding = HTTP_IDENTITY;
    return f->forms[*coding];
}

/* Exactly this tag, weak or strong: what Node compares. */
static bool tag_is(sio_str known, sio_str tag)
{
    if (str_starts(known, STR("W/"))) {
        known.p += 2;
        known.n -= 2;
    }
    return tag.n && str_eq(known, tag);
}

static void respond_file(struct http_exchange *ex, struct http_bundle_file *f,
                         bool map, struct http_field *fields, size_t n)
{
    const struct http_request *r = ex->request;
    enum http_coding coding = http_choose_coding(
        http_field_value(r, STR("accept-encoding")), HTTP_BROTLI);
    struct buf *body = form(f, &coding);

    fields[n++] =
        (struct http_field){ STR("Cache-Control"), STR("public, max-age=0") };
    if (f->tag_len)
        fields[n++] =
            (struct http_field){ STR("ETag"), { f->tag, f->tag_len } };
    if (coding != HTTP_IDENTITY)
        fields[n++] = (struct http_field){ STR("Content-Encoding"),
                                           http_coding_name(coding) };
    http_respond(ex, &(struct http_response){
                         .status = 200,
                         .content_type =
                             map ? STR("application/json; charset=utf-8")
                                 : STR("application/javascript; charset=utf-8"),
                         .fields = fields,
                         .field_count = n,
                         .shared = body });
}

bool http_serve_bundle(struct http_bundle *b, struct http_exchange *ex,
                       sio_str name, const struct http_field *fields,
                       size_t field_count)
{
    struct http_field all[HTTP_BUNDLE_FIELDS + 4];
    int number = http_is_bundle(b, name) ? file_number(name) : -1;
    struct http_bundle_file *f;
    size_t n = field_count;

    if (number < 0 || field_count > HTTP_BUNDLE_FIELDS)
        return false;
    f = load(b, number);
    if (!f)
        return false;
    if (n)
        memcpy(all, fields, n * sizeof *fields);
    /* Node does not say so, and caches in between may mix codings up. */
    all[n++] = (struct http_field){ STR("Vary"), STR("Accept-Encoding") };
    if (tag_is(http_field_value(ex->request, STR("if-none-match")),
               (sio_str){ f->tag, f->tag_len }))
        http_respond(ex, &(struct http_response){
                             .status = 304, .fields = all, .field_count = n });
    else
        respond_file(ex, f, is_map(number), all, n);
    return true;
}
