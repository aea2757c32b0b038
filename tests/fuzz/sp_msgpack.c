/*
 * sp_msgpack.c -- any bytes as a Socket.IO packet in MessagePack: slices lie in
 * the message; a value has a JSON text, which as MessagePack has the same text
 * again; and an accepted event or ack, its arguments sent on as they came, is
 * read as the same packet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/utf8.h"
#include "protocol/socketio/msgpack_packet.h"
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

/* There and back. Not equal are only what JSON prints otherwise (undefined,
 * dates, numbers that are none), which the second text has settled. */
static void check_json(sio_str value)
{
    struct sp_attachments bin, again;
    struct grow text, bytes, text2;

    grow_init(&text, SIZE_MAX);
    grow_init(&bytes, SIZE_MAX);
    grow_init(&text2, SIZE_MAX);
    sp_attachments_init(&bin);
    sp_attachments_init(&again);
    require(mp_append_as_json(&text, &bin, value) == SIO_OK);
    require(json_valid(grow_str(&text), 1000));
    require(bin.count <= mp_count_binaries(value));
    require(mp_append_json(&bytes, grow_str(&text), bin.items, bin.count) ==
            SIO_OK);
    require(mp_check(grow_str(&bytes), 1000));
    require(mp_append_as_json(&text2, &again, grow_str(&bytes)) == SIO_OK);
    /* a map may have had the members of a placeholder itself */
    if (bin.count == mp_count_binaries(value) && bin.count == 0)
        require(str_eq(grow_str(&text), grow_str(&text2)));
    sp_attachments_free(&bin);
    sp_attachments_free(&again);
    grow_free(&text);
    grow_free(&bytes);
    grow_free(&text2);
}

static void check_slices(sio_str text, const struct sp_packet *p)
{
    sio_str arg;
    size_t pos = 0, argc = 0;

    require(within(p->nsp, text) && utf8_valid(p->nsp.p, p->nsp.n));
    require(p->id == SP_NO_ID || (p->id >= 0 && p->id <= SP_MAX_ID));
    require(p->json.n == 0 || within(p->json, text));
    for (; mp_next_element(p->json, &pos, &arg); argc++) {
        require(within(arg, p->json) && mp_check(arg, limits.max_depth));
        require(argc >= SP_ARGS || str_eq(arg, p->argv[argc]));
    }
    require(argc == p->argc);
    if (p->json.n)
        check_json(p->json);
}

static void check_sent_on(const struct sp_packet *p)
{
    const size_t first = p->type == SP_EVENT;
    sio_value values[ARGS];
    struct sp_message m = {
        .type = p->type, .nsp = p->nsp, .id = p->id, .values = values
    };
    struct sp_packet back;
    struct mp_item name;
    struct grow out;
    sio_str arg;
    size_t pos = 0;

    if (p->argc > ARGS || (p->type == SP_ACK && p->id == SP_NO_ID))
        return;
    if (first && mp_kind(p->argv[0]) != MP_STRING)
        return;
    for (size_t i = 0; mp_next_element(p->json, &pos, &arg); i++)
        if (i < first && mp_read(arg.p, arg.p + arg.n, &name))
            m.event = name.bytes;
        else
            values[m.count++] = (sio_value){ .kind = SIO_RAW_MSGPACK,
                                             .trusted = true,
                                             .data = arg.p,
                                             .size = arg.n };
    grow_init(&out, SIZE_MAX);
    require(mp_encode(&out, &m) == SIO_OK);
    require(mp_decode(out.data, out.len, &limits, &back) == SP_E_OK);
    require(back.type == p->type && back.id == p->id && back.argc == p->argc);
    require(str_eq(back.nsp, p->nsp));
    for (size_t i = first; i < p->argc && i < SP_ARGS; i++)
        require(str_eq(back.argv[i], p->argv[i]));
    grow_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1), *cut;
    const sio_str text = { (const char *)copy, size };
    struct sp_packet p;

    memcpy(copy, data, size);
    if (mp_check(text, limits.max_depth))
        check_json(text);
    if (mp_decode(copy, size, &limits, &p) == SP_E_OK) {
        check_slices(text, &p);
        if (p.type == SP_EVENT || p.type == SP_ACK)
            check_sent_on(&p);
        /* without its end it is never one */
        cut = malloc(size - 1);
        memcpy(cut, copy, size - 1);
        require(mp_decode(cut, size - 1, &limits, &p) == SP_E_MSGPACK);
        free(cut);
    }
    free(copy);
    return 0;
}
