/*
 * files.h -- static files below a folder.
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

#include <sys/stat.h>

#define HTTP_FILE_MAX (64u << 20) /* bytes; larger files do not exist */

/*
 * Answer `ex` from `folder` if its path begins with `prefix` and names a file:
 * "/" at the end stands for index.html, a folder without it is redirected. Only
 * GET and HEAD match.
 * Returns false, with ex untouched, when there is no such file.
 */
bool http_serve_file(struct http_exchange *ex, const char *prefix,
                     const char *folder);

/* A regular file, whole, and what it is. NULL: there is none, or it is larger
 * than HTTP_FILE_MAX, or out of memory. */
struct buf *http_read_file(const char *path, struct stat *st);

#endif
