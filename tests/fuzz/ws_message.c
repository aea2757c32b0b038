/*
 * ws_message.c -- the first bytes choose role, limit and where the input is
 * cut in three. The messages must be those that come out of it whole.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/websocket/message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All that a reader said, without where the bytes lay. */
static void note(struct grow *log, const struct ws_message *m)
{
    uint32_t code = m->type >= WS_MSG_CLOSE ? m->code : 0;
    size_t n = m->type == WS_MSG_ERROR ? 0 : m->n;

    if (m->type == WS_MSG_MORE)
        return;
    if (m->type == WS_MSG_TEXT && !utf8_valid(m->data, m->n))
        abort();
    if (grow_append_byte(log, (uint8_t)m->type) < 0 ||
        grow_append(log, &code, sizeof code) < 0 ||
        grow_append(log, &n, sizeof n) < 0 || grow_append(log, m->data, n) < 0)
        abort();
}

/* Returns false once the reader has failed. */
static bool feed(struct ws_reader *r, const uint8_t *in, size_t len,
                 struct grow *log)
{
    /* a copy of exactly `len` bytes, so that asan sees any overrun */
    uint8_t *copy = malloc(len ? len : 1), *p = copy;
    struct ws_message m;

    if (!copy)
        abort();
    memcpy(copy, in, len);
    do {
        size_t n = ws_read(r, p, len, &m);

        if (n > len || (m.type == WS_MSG_MORE && n != len))
            abort();
        p += n;
        len -= n;
        note(log, &m);
        if (n & 1) /* taking or not must make no difference */
            free(ws_reader_take(r));
    } while (m.type != WS_MSG_MORE && m.type != WS_MSG_ERROR);
    free(copy);
    return m.type != WS_MSG_ERROR;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum ws_role role;
    struct ws_reader whole, parts;
    struct grow one, two;
    size_t limit, a, b;

    if (size < 3)
        return 0;
    role = data[0] & 1 ? WS_SERVER : WS_CLIENT;
    limit = data[0] >> 1;
    a = data[1];
    b = data[2];
    data += 3;
    size -= 3;
    if (a > size)
        a = size;
    if (b > size - a)
        b = size - a;
    grow_init(&one, SIZE_MAX);
    grow_init(&two, SIZE_MAX);
    ws_reader_init(&whole, role, limit);
    ws_reader_init(&parts, role, limit);
    feed(&whole, data, size, &one);
    if (feed(&parts, data, a, &two) && feed(&parts, data + a, b, &two))
        feed(&parts, data + a + b, size - a - b, &two);
    if (one.len != two.len || (one.len && memcmp(one.data, two.data, one.len)))
        abort();
    if (limit && (whole.parts.len > limit || parts.parts.cap > limit))
        abort();
    ws_reader_free(&whole);
    ws_reader_free(&parts);
    grow_free(&one);
    grow_free(&two);
    return 0;
}
