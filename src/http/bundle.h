/*
 * bundle.h -- the client bundle: socket.io.js and its siblings, as Node serves
 * them.
 *
 * A file is read when it is first asked for and kept, and so is each coding
 * (brotli, gzip, deflate) of it: made once, never per request. A file that was
 * replaced is read anew.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_HTTP_BUNDLE_H
#define SRC_HTTP_BUNDLE_H

#include "src/http/compress.h"
#include "src/http/exchange.h"

#include <sys/stat.h>

#define HTTP_BUNDLE_FILES 8
#define HTTP_BUNDLE_FIELDS 8 /* fields that a caller may add */
#define HTTP_BUNDLE_TAG 48   /* bytes of an ETag, with its quotes */

struct http_bundle_file {
    struct buf *forms[HTTP_NCODINGS]; /* NULL: not made yet, or not shorter */
    bool tried[HTTP_NCODINGS];
    char tag[HTTP_BUNDLE_TAG];
    size_t tag_len;  /* 0: it names no version */
    struct stat was; /* what was read */
};

struct http_bundle {
    char *folder;
    struct http_bundle_file files[HTTP_BUNDLE_FILES];
};

/* `folder` is copied. SIO_OK or SIO_E_NOMEM. */
int http_bundle_open(struct http_bundle *b, const char *folder);
void http_bundle_close(struct http_bundle *b);

/* Is it the name of one of the 8? Never so before http_bundle_open(). */
bool http_is_bundle(const struct http_bundle *b, sio_str name);

/*
 * Answer `ex` with the file `name`: content type, ETag of the bundle's version,
 * 304, any method, the coding that the client likes best. `fields` are added.
 * False, with ex untouched, when `name` is none of the 8 or the file is not
 * there.
 */
bool http_serve_bundle(struct http_bundle *b, struct http_exchange *ex,
                       sio_str name, const struct http_field *fields,
                       size_t field_count);

#endif
