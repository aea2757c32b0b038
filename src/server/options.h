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
#include "src/net/network.h"

/* Defaults, overlaid with the fields that the caller was built with. False:
 * `given` was never filled by sio_options_init(). */
bool options_read(sio_options *out, const sio_options *given);

/* NULL, or what is wrong: "field: what it must be". */
const char *options_check(const sio_options *options);

/* How many loops it is to have. */
size_t options_loops(const sio_options *options);

/* As the cookie spells them, whatever the case of letters; NULL: none such. */
const char *options_priority(const char *given);
const char *options_same_site(const char *given);

/* What the engine needs of them, every string copied into `strings`. SIO_OK,
 * SIO_E_NOMEM, or SIO_E_INVAL with *wrong as options_check() says it. Of
 * out->cors, patterns is the caller's to free when the engine is gone. */
int options_for_engine(const sio_options *options, struct arena *strings,
                       struct eng_options *out, const char **wrong);

/* The options' path as it begins requests, with a "/" at its end or without. */
sio_str options_path(const sio_options *options, struct arena *strings,
                     bool slash, int *r);

/* Add the trusted proxies to *out, which the caller frees also after a failure.
 * Results as above. */
int options_for_proxies(const sio_options *options, struct net_networks *out,
                        const char **wrong);

#endif
