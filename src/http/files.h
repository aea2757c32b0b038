/*
 * files.h -- static files below a folder, and the client bundle.
 *
 * Meant for the page of a demo or a small site: a file is read whole, with
 * blocking calls, when it is asked for. ETag and Last-Modified are set, a
 * matching If-None-Match is answered 304. Hidden files and everything outside
 * the folder do not exist.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_HTTP_FILES_H
#define SRC_HTTP_FILES_H

#include "src/http/exchange.h"

#define HTTP_FILE_MAX (64u << 20) /* bytes; larger files do not exist */
#define HTTP_BUNDLE_FIELDS 8      /* fields that a caller may add */

/*
 * Answer `ex` from `folder` if its path begins with `prefix` and names a file:
 * "/" at the end stands for index.html, a folder without it is redirected. Only
 * GET and HEAD match.
 * Returns false, with ex untouched, when there is no such file.
 */
bool http_serve_file(struct http_exchange *ex, const char *prefix,
                     const char *folder);

/*
 * The 8 files of the client bundle (socket.io.js, .min.js, ...) as Node serves
 * them: content type, ETag of the bundle's version, 304, any method. `name` is
 * the file's name within the request. False when `name` is none of the 8 or the
 * file is not in `folder`.
 */
bool http_serve_bundle(struct http_exchange *ex, sio_str name,
                       const char *folder, const struct http_field *fields,
                       size_t field_count);

#endif
