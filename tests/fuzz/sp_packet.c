/*
 * sp_packet.c -- any bytes as a Socket.IO packet: all slices lie in the text,
 * and an accepted event or ack, its arguments sent on as they came, is read as
 * the same packet again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/utf8.h"
#include "protocol/socketio/encode.h"
#include "protocol/socketio/json.h"
#include "protocol/socketio/scan.h"

#include <stdlib.h>

#define ARGS 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sp_limits limits = { SP_MAX_ATTACHMENTS, 50 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool within(sio_str part, sio_str text)
{
    return part.p >= text.p && part.p + part.n <= text.p + text.n;
}

static void check_slices(sio_str text, const struct sp_packet *p)
{
    require(within(p->nsp, text) || str_eq(p->nsp, STR("/")));
    require(p->nsp.p[0] == '/');
    require(p->json.n == 0 || within(p->json, text));
    require(p->id == SP_NO_ID || (p->id >= 0 && p->id <= SP_MAX_ID));
    for (size_t i = 0; i < p->argc && i < ARGS; i++) {
        const sio_str arg = sp_packet_arg(p, i);

        require(within(arg, text));
        require(json_check(arg, limits.max_depth) != JSON_INVALID);
        json_tree_free(json_tree_parse(arg));
    }
    require(sp_packet_arg(p, p->argc).n == 0);
}

/* Equal but for the numbers of placeholders, which are given anew. */
static void check_same(const struct sp_packet *a, const struct sp_packet *b,
                       bool binary)
{
    require(a->id == b->id && a->argc == b->argc && str_eq(a->nsp, b->nsp));
    require(binary || a->type == b->type);
    for (size_t i = 0; !binary && i < a->argc && i < ARGS; i++)
        require(str_eq(sp_packet_arg(a, i), sp_packet_arg(b, i)));
    require(b->attachments == 0 || sp_check_placeholders(b) == SP_E_OK);
}

static void check_sent_on(const struct sp_packet *p)
{
    const bool event = p->type == SP_EVENT || p->type == SP_BINARY_EVENT;
    const bool binary = p->attachments > 0;
    static const sio_str bytes[SP_MAX_ATTACHMENTS] = { { "x", 1 } };
    const struct sp_limits wide = { UINT32_MAX, limits.max_depth };
    sio_value values[ARGS];
    struct sp_attachments bin;
    struct sp_packet again;
    struct sp_message m;
    struct grow out;
    char *name = malloc(p->json.n ? p->json.n : 1);

    for (size_t i = 0; i < p->argc; i++) {
        const sio_str arg = sp_packet_arg(p, i);

        values[i] = (sio_value){ .kind = SIO_RAW_JSON,
                                 .trusted = true,
                                 .data = arg.p,
                                 .size = arg.n,
                                 .attachments = bytes,
                                 .attachment_count = p->attachments };
    }
    m = (struct sp_message){ .type = event ? SP_EVENT : SP_ACK,
                             .nsp = p->nsp,
                             .id = p->id,
                             .values = values + event,
                             .count = p->argc - event };
    if (event)
        m.event = (sio_str){ name, json_unescape(p->argv[0], name) };
    grow_init(&out, SIZE_MAX);
    sp_attachments_init(&bin);
    require(sp_encode(&out, &bin, &m) == SIO_OK);
    require(sp_decode(grow_str(&out), &wide, &again) == SP_E_OK);
    require(again.attachments == bin.count);
    if (event)
        again.argv[0] = p->argv[0]; /* may be spelled with other escapes */
    check_same(p, &again, binary);
    sp_attachments_free(&bin);
    grow_free(&out);
    free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    const sio_str text = { copy, size };
    struct sp_packet p;
    bool name_is_text;

    if (size)
        memcpy(copy, data, size);
    if (sp_decode(text, &limits, &p) == SP_E_OK) {
        check_slices(text, &p);
        name_is_text = p.argc > 0 && json_kind(p.argv[0]) == JSON_STRING;
        if ((p.type == SP_ACK || p.type == SP_BINARY_ACK || name_is_text) &&
            p.argc <= ARGS && utf8_valid(copy, size) &&
            sp_check_placeholders(&p) == SP_E_OK)
            check_sent_on(&p);
    }
    free(copy);
    return 0;
}
