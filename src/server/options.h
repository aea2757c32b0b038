/*
 * options.h -- reading a caller's sio_options.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_SERVER_OPTIONS_H
#define SRC_SERVER_OPTIONS_H

#include <sio/server.h>

/* Defaults, overlaid with the fields that the caller was built with. */
void options_read(sio_options *out, const sio_options *given);

/* NULL, or what is wrong: "field: what it must be". */
const char *options_check(const sio_options *options);

/* The path with exactly one "/" at its end; free() it. NULL: out of memory. */
char *options_path(const char *path);

#endif
