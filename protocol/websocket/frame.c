/*
 * frame.c -- see frame.h for where this sits in the data flow.
 *
 * Wire layout (the key is there exactly when a client sent the frame):
 *
 *    0               1               2 .. 3 | 2 .. 9      +4      then
 *   +-+-+-+-+-------+-+-------------+---------------+------------+---------+
 *   |F|R|R|R|  op   |M|    len7     | 16 or 64 bit  |  mask key  | payload |
 *   +-+-+-+-+-------+-+-------------+---------------+------------+---------+
 *
 * Two states only. HEAD collects bytes into head[] until `need` is known and
 * met; BODY streams the payload. ERR is absorbing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/websocket/frame.h"

#include <string.h>

enum { S_HEAD, S_BODY, S_ERR };

enum {
    FIN = 0x80,
    RSV1 = 0x40,
    RSV23 = 0x30,
    OP = 0x0f,
    MASKED = 0x80,
    LEN7 = 0x7f
};

void ws_decoder_init(struct ws_decoder *d, enum ws_role role,
                     uint64_t max_frame, int deflate)
{
    memset(d, 0, sizeof *d);
    d->state = S_HEAD;
    d->role = (uint8_t)role;
    d->need = 2;
    d->deflate = deflate != 0;
    d->max_frame = max_frame;
}

/* Rules that the first two bytes decide, so that bad peers fail early.
 * Returns 0 or an enum ws_err. */
static int check_prefix(const struct ws_decoder *d, const uint8_t *head)
{
    uint8_t op = head[0] & OP;
    uint8_t masked = d->role == WS_SERVER ? MASKED : 0;

    if ((head[0] & RSV23) ||
        ((head[0] & RSV1) &&
         !(d->deflate && (op == WS_TEXT || op == WS_BINARY))))
        return WS_E_RSV;
    if ((op & 7) > 2)
        return WS_E_OPCODE;
    if ((head[1] & MASKED) != masked)
        return WS_E_MASK;
    if (op >= WS_CLOSE && (!(head[0] & FIN) || (head[1] & LEN7) > 125))
        return WS_E_CONTROL;
    return 0;
}

/* Bytes of the whole header, once its prefix has passed. */
static uint8_t head_size(const uint8_t *head)
{
    uint8_t len7 = head[1] & LEN7;

    return (uint8_t)(2 +
                     (len7 == 126   ? 2
                      : len7 == 127 ? 8
                                    : 0) +
                     (head[1] & MASKED ? 4 : 0));
}

static uint64_t read_be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    while (n--)
        v = v << 8 | *p++;
    return v;
}

/* Of a whole header. Returns 0 or an enum ws_err. */
static int read_length(const struct ws_decoder *d, const uint8_t *head,
                       uint64_t *length)
{
    uint64_t n = head[1] & LEN7;

    if (n == 126) {
        n = read_be(head + 2, 2);
        if (n < 126)
            return WS_E_LENGTH;
    } else if (n == 127) {
        n = read_be(head + 2, 8);
        if (n <= 0xffff)
            return WS_E_LENGTH;
        if (n >> 63)
            return WS_E_TOO_BIG;
    }
    if (n > d->max_frame && (head[0] & OP) < WS_CLOSE)
        return WS_E_TOO_BIG;
    *length = n;
    return 0;
}

static void set_header(struct ws_event *ev, const uint8_t *head,
                       uint64_t length)
{
    ev->fin = head[0] >> 7;
    ev->rsv1 = head[0] >> 6 & 1;
    ev->op = head[0] & OP;
    ev->length = length;
}

static void fail(struct ws_decoder *d, struct ws_event *ev, int err)
{
    d->state = S_ERR;
    d->err = (int8_t)err;
    ev->type = WS_EV_ERROR;
    ev->err = (enum ws_err)err;
}

static size_t take(struct ws_decoder *d, const uint8_t *in, size_t len)
{
    size_t used = 0;

    while (used < len && d->have < d->need)
        d->head[d->have++] = in[used++];
    return used;
}

static size_t decode_head(struct ws_decoder *d, const uint8_t *in, size_t len,
                          struct ws_event *ev)
{
    size_t used = take(d, in, len);
    int r;

    if (d->have == 2 && d->need == 2) {
        r = check_prefix(d, d->head);
        if (r < 0) {
            fail(d, ev, r);
            return used;
        }
        d->need = head_size(d->head);
        used += take(d, in + used, len - used);
    }
    if (d->have < d->need)
        return used;
    r = read_length(d, d->head, &d->left);
    if (r < 0) {
        fail(d, ev, r);
        return used;
    }
    ev->type = WS_EV_HEADER;
    set_header(ev, d->head, d->left);
    d->key_at = 0;
    d->state = S_BODY;
    return used;
}

static size_t decode_body(struct ws_decoder *d, uint8_t *in, size_t len,
                          struct ws_event *ev)
{
    size_t n = d->left < len ? (size_t)d->left : len;

    if (d->left == 0) {
        ev->type = WS_EV_END;
        d->have = 0;
        d->need = 2;
        d->state = S_HEAD;
    } else if (n > 0) {
        ev->type = WS_EV_PAYLOAD;
        ev->data = in;
        ev->n = n;
        if (d->role == WS_SERVER)
            ws_mask(in, n, d->head + d->need - 4, d->key_at);
        d->key_at = (d->key_at + n) & 3;
        d->left -= n;
    }
    return n;
}

size_t ws_decode(struct ws_decoder *d, uint8_t *in, size_t len,
                 struct ws_event *ev)
{
    ev->type = WS_EV_MORE;
    switch (d->state) {
    case S_HEAD:
        return decode_head(d, in, len, ev);
    case S_BODY:
        return decode_body(d, in, len, ev);
    default:
        fail(d, ev, d->err);
        return 0;
    }
}

size_t ws_decode_whole(const struct ws_decoder *d, uint8_t *in, size_t len,
                       struct ws_event *ev)
{
    uint64_t n;
    size_t head;

    if (!ws_decoder_idle(d) || len < 2 || check_prefix(d, in) < 0)
        return 0;
    head = head_size(in);
    if (head > len || read_length(d, in, &n) < 0 || n > len - head)
        return 0;
    ev->type = WS_EV_END;
    set_header(ev, in, n);
    ev->data = in + head;
    ev->n = (size_t)n;
    if (d->role == WS_SERVER)
        ws_mask(ev->data, ev->n, ev->data - 4, 0);
    return head + ev->n;
}

size_t ws_encode_head(uint8_t out[WS_HEAD_MAX], enum ws_op op, uint64_t n,
                      const uint8_t *mask)
{
    size_t len_bytes = n < 126 ? 0 : n <= 0xffff ? 2 : 8, at = 2;

    out[0] = (uint8_t)(FIN | op);
    out[1] = (uint8_t)(len_bytes == 0 ? n : len_bytes == 2 ? 126 : 127);
    while (len_bytes--)
        out[at++] = (uint8_t)(n >> 8 * len_bytes);
    if (mask) {
        out[1] |= MASKED;
        memcpy(out + at, mask, 4);
        at += 4;
    }
    return at;
}

void ws_mask(uint8_t *p, size_t n, const uint8_t key[4], unsigned at)
{
    uint32_t key4, word4;
    uint64_t key8, word8, four[4];

    for (; n > 0 && (at & 3); n--)
        *p++ ^= key[at++ & 3];

    /* From here on the key begins at its first byte; the same four bytes in
     * both halves make a word that is right in any byte order. */
    memcpy(&key4, key, 4);
    key8 = (uint64_t)key4 << 32 | key4;
    for (; n >= sizeof four; n -= sizeof four, p += sizeof four) {
        memcpy(four, p, sizeof four);
        for (int i = 0; i < 4; i++)
            four[i] ^= key8;
        memcpy(p, four, sizeof four);
    }
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&word8, p, 8);
        word8 ^= key8;
        memcpy(p, &word8, 8);
    }
    if (n >= 4) {
        memcpy(&word4, p, 4);
        word4 ^= key4;
        memcpy(p, &word4, 4);
        n -= 4;
        p += 4;
    }
    for (size_t i = 0; i < n; i++)
        p[i] ^= key[i];
}

unsigned ws_close_code(enum ws_err err)
{
    static const uint16_t codes[] = {
#define X(name, number, code, text) [-(number)] = code,
        WS_ERRORS(X)
#undef X
    };
    return codes[-err];
}

const char *ws_err_text(enum ws_err err)
{
    static const char *const texts[] = {
#define X(name, number, code, text) [-(number)] = text,
        WS_ERRORS(X)
#undef X
    };
    return texts[-err];
}
