/*
 * options.h -- reading a caller's sio_options.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_SERVER_OPTIONS_H
#define SRC_SERVER_OPTIONS_H

#include <sio/server.h>

#include "protocol/base/arena.h"
#include "src/engine/engine.h"

/* Defaults, overlaid with the fields that the caller was built with. */
void options_read(sio_options *out, const sio_options *given);

/* NULL, or what is wrong: "field: what it must be". */
const char *options_check(const sio_options *options);

/* What the engine needs of them, every string copied into `strings`. SIO_OK,
 * SIO_E_NOMEM, or SIO_E_INVAL with *wrong as options_check() says it. Of
 * out->cors, patterns is the caller's to free when the engine is gone. */
int options_for_engine(const sio_options *options, struct arena *strings,
                       struct eng_options *out, const char **wrong);

#endif
