/*
 * pr_message.c -- any bytes as a message of the classic adapter (the first byte
 * chooses the channel) or of a cluster adapter: an accepted one can be written,
 * read again and written as the same bytes; its packet can be sent to clients;
 * without its end it is none.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/redis/classic.h"
#include "protocol/redis/cluster.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Below CLASSIC: channels of that adapter. */
enum { CLASSIC = 4, SHARDED = 4, STREAMS, NFORMATS };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static enum pr_error decode(int format, struct arena *a, sio_str bytes,
                            struct pr_message *m)
{
    static const enum pr_place places[] = { PR_BASE, PR_REQUEST, PR_RESPONSE,
                                            PR_OWN_RESPONSE };

    if (format < CLASSIC)
        return pr_classic_decode(a, places[format], bytes, m);
    return pr_cluster_decode(
        a, bytes, format == STREAMS ? PR_MSGPACK : PR_JSON_OR_MSGPACK, m);
}

static void encode(int format, const struct pr_message *m, struct grow *out)
{
    grow_init(out, SIZE_MAX);
    if (format < CLASSIC)
        require(pr_classic_encode(out, m) == SIO_OK);
    else
        require(pr_cluster_encode(
                    out, format == STREAMS ? PR_MSGPACK : PR_JSON_OR_MSGPACK,
                    m) == SIO_OK);
}

/* Where a broadcast is read: those with answers are requests. */
static int format_of(int format, const struct pr_message *m)
{
    if (format < CLASSIC && m->type == PR_BROADCAST)
        return m->request_id.n ? 1 : 0;
    return format;
}

static void check_packet(const struct pr_message *m)
{
    const struct sp_message packet =
        pr_packet(m, SP_NO_ID, (sio_str){ NULL, 0 });
    struct sp_attachments bin;
    struct grow text;

    grow_init(&text, SIZE_MAX);
    sp_attachments_init(&bin);
    require(sp_encode(&text, &bin, &packet) == SIO_OK);
    sp_attachments_free(&bin);
    grow_free(&text);
}

static void check_again(int format, const struct pr_message *m)
{
    struct pr_message back;
    struct grow once, twice;
    struct arena a;

    arena_init(&a);
    encode(format, m, &once);
    format = format_of(format, m);
    require(decode(format, &a, grow_str(&once), &back) == PR_E_OK);
    require(back.type == m->type && back.rooms.count == m->rooms.count &&
            back.except.count == m->except.count &&
            back.names.count == m->names.count && back.close == m->close &&
            back.socket_count == m->socket_count &&
            back.client_count == m->client_count);
    encode(format, &back, &twice);
    require(str_eq(grow_str(&once), grow_str(&twice)));
    grow_free(&once);
    grow_free(&twice);
    arena_free(&a);
}

static void check_cut(int format, const uint8_t *data, size_t size)
{
    uint8_t *cut = malloc(size);
    struct pr_message m;
    struct arena a;

    arena_init(&a);
    memcpy(cut, data, size - 1);
    if (data[size - 1] > ' ' || data[0] != '{') /* blanks may stand behind */
        require(decode(format, &a, (sio_str){ (char *)cut, size - 1 }, &m) !=
                PR_E_OK);
    arena_free(&a);
    free(cut);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int format = size ? data[0] % NFORMATS : 0;
    struct pr_message m;
    struct arena a;
    uint8_t *copy;

    /* what is nearly too deep can be too deep when it is written */
    if (size < 2 || size > PR_DEPTH_MAX - 10)
        return 0;
    data++;
    size--;
    copy = malloc(size);
    memcpy(copy, data, size);
    arena_init(&a);
    if (decode(format, &a, (sio_str){ (char *)copy, size }, &m) == PR_E_OK) {
        if (m.type == PR_BROADCAST || m.type == PR_EMIT)
            check_packet(&m);
        if (m.sid.n == 0)
            check_again(format, &m);
        check_cut(format, copy, size);
    }
    arena_free(&a);
    free(copy);
    return 0;
}
