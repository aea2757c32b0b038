/*
 * json.h -- the only place that knows cJSON: trees on demand for handlers that
 * want one, and trees of applications written as text.
 *
 * cJSON's own parser and printer are put right here: text is validated by
 * scan.h first, numbers are printed as JavaScript prints them. What a tree
 * cannot hold stays so: a string is cut at U+0000; a lone surrogate and a
 * number of more than 63 characters are refused.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_SOCKETIO_JSON_H
#define PROTOCOL_SOCKETIO_JSON_H

#include "protocol/base/grow.h"

struct cJSON;

/* The caller frees it with json_tree_free(). NULL: out of memory, or the text
 * holds what a tree cannot. `text` was validated before. */
struct cJSON *json_tree_parse(sio_str text);
void json_tree_free(struct cJSON *tree);

/* Append the tree as compact JSON. SIO_E_INVAL: deeper than JSON_DEPTH_LIMIT,
 * invalid UTF-8, or an invalid node; SIO_E_LIMIT, SIO_E_NOMEM. */
int json_tree_append(struct grow *out, const struct cJSON *tree);

#endif
