/*
 * message.c -- see message.h.
 *
 * A reader is between messages (op is WS_CONT), inside a fragmented one (op
 * is its opcode), or failed (code is set). Each event of the decoder has one
 * function below, which decides by data or control frame. Where a payload is
 * neither cut nor a fragment it is passed on as a slice; then `parts` and
 * `control` are empty, which is how END tells the two apart.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/websocket/message.h"

#include <stdlib.h>
#include <string.h>

static const char bad_text[] = "text is not valid UTF-8";
static const char too_big[] = "message is over the limit";

void ws_reader_init(struct ws_reader *r, enum ws_role role,
                    uint64_t max_message)
{
    if (max_message == 0 || max_message > SIZE_MAX)
        max_message = SIZE_MAX;
    memset(r, 0, sizeof *r);
    ws_decoder_init(&r->frame, role, max_message, 0);
    grow_init(&r->parts, (size_t)max_message);
    utf8_init(&r->utf8);
    r->max_fragments = WS_MAX_FRAGMENTS;
}

void ws_reader_free(struct ws_reader *r)
{
    grow_free(&r->parts);
}

/* These return true when *out is complete. */

static bool fail(struct ws_reader *r, struct ws_message *out, unsigned code,
                 const char *why)
{
    grow_free(&r->parts);
    r->code = code;
    r->why = why;
    out->type = WS_MSG_ERROR;
    out->code = code;
    out->why = why;
    return true;
}

static bool on_data_header(struct ws_reader *r, const struct ws_event *ev,
                           struct ws_message *out)
{
    if (ev->op == WS_CONT && r->op == WS_CONT)
        return fail(r, out, WS_CLOSE_PROTOCOL_ERROR,
                    "continuation of no message");
    if (ev->op != WS_CONT && r->op != WS_CONT)
        return fail(r, out, WS_CLOSE_PROTOCOL_ERROR,
                    "message begins inside another");
    if (ev->op != WS_CONT) {
        r->op = ev->op;
        r->fragments = 0;
        r->compressed = ev->rsv1;
        r->wire = 0;
    }
    if (++r->fragments > r->max_fragments)
        return fail(r, out, WS_CLOSE_POLICY_VIOLATION, "too many fragments");
    if (ev->length > r->parts.max - r->wire)
        return fail(r, out, WS_CLOSE_TOO_BIG, too_big);
    r->wire += ev->length;
    return false;
}

static bool on_header(struct ws_reader *r, const struct ws_event *ev,
                      struct ws_message *out)
{
    r->frame_op = ev->op;
    r->frame_len = ev->length;
    r->fin = ev->fin;
    r->control_len = 0;
    return ev->op < WS_CLOSE && on_data_header(r, ev, out);
}

/* The next piece of a compressed message; its text is checked inflated. */
static bool on_compressed(struct ws_reader *r, const uint8_t *p, size_t n,
                          bool last, struct ws_message *out)
{
    size_t before = r->parts.len;
    int result = ws_inflate(r->inflater, p, n, last, &r->parts);

    if (result == SIO_E_LIMIT)
        return fail(r, out, WS_CLOSE_TOO_BIG, too_big);
    if (result == SIO_E_INVAL)
        return fail(r, out, WS_CLOSE_INVALID_PAYLOAD, "no deflate data");
    if (result < 0)
        return fail(r, out, WS_CLOSE_INTERNAL_ERROR, "out of memory");
    if (r->op == WS_TEXT && r->parts.len > before &&
        !utf8_feed(&r->utf8, r->parts.data + before, r->parts.len - before))
        return fail(r, out, WS_CLOSE_INVALID_PAYLOAD, bad_text);
    return false;
}

static bool on_payload(struct ws_reader *r, const struct ws_event *ev,
                       struct ws_message *out)
{
    bool control = r->frame_op >= WS_CLOSE;

    if (!control && r->compressed)
        return on_compressed(r, ev->data, ev->n, false, out);
    if (!control && r->op == WS_TEXT && !utf8_feed(&r->utf8, ev->data, ev->n))
        return fail(r, out, WS_CLOSE_INVALID_PAYLOAD, bad_text);
    if (ev->n == r->frame_len && r->fin && (control || !r->parts.len)) {
        out->data = ev->data;
        out->n = ev->n;
    } else if (control) {
        memcpy(r->control + r->control_len, ev->data, ev->n);
        r->control_len += (uint8_t)ev->n;
    } else if (grow_append(&r->parts, ev->data, ev->n) < 0) {
        return fail(r, out, WS_CLOSE_INTERNAL_ERROR, "out of memory");
    }
    return false;
}

static bool on_data_end(struct ws_reader *r, struct ws_message *out)
{
    if (!r->fin)
        return false;
    if (r->compressed && on_compressed(r, NULL, 0, true, out))
        return true;
    if (r->op == WS_TEXT && !utf8_done(&r->utf8))
        return fail(r, out, WS_CLOSE_INVALID_PAYLOAD, bad_text);
    if (r->parts.len) {
        out->data = r->parts.data;
        out->n = r->parts.len;
        out->gathered = r->deliver = true;
    }
    out->type = r->op == WS_TEXT ? WS_MSG_TEXT : WS_MSG_BINARY;
    r->op = WS_CONT;
    return true;
}

/* Two bytes of code, then a reason in UTF-8, or nothing at all (5.5.1). */
static bool on_close(struct ws_reader *r, struct ws_message *out)
{
    out->type = WS_MSG_CLOSE;
    out->code = WS_CLOSE_NO_STATUS;
    if (out->n == 0)
        return true;
    if (out->n == 1)
        return fail(r, out, WS_CLOSE_PROTOCOL_ERROR, "close with half a code");
    out->code = (unsigned)out->data[0] << 8 | out->data[1];
    out->data += 2;
    out->n -= 2;
    if (!ws_close_code_valid(out->code))
        return fail(r, out, WS_CLOSE_PROTOCOL_ERROR, "invalid close code");
    if (!utf8_valid(out->data, out->n))
        return fail(r, out, WS_CLOSE_INVALID_PAYLOAD,
                    "close reason is not valid UTF-8");
    return true;
}

static bool on_end(struct ws_reader *r, struct ws_message *out)
{
    if (r->frame_op < WS_CLOSE)
        return on_data_end(r, out);
    if (r->control_len) {
        out->data = r->control;
        out->n = r->control_len;
        out->gathered = true;
    }
    if (r->frame_op == WS_CLOSE)
        return on_close(r, out);
    out->type = r->frame_op == WS_PING ? WS_MSG_PING : WS_MSG_PONG;
    return true;
}

static bool on_event(struct ws_reader *r, const struct ws_event *ev,
                     struct ws_message *out)
{
    switch (ev->type) {
    case WS_EV_HEADER:
        return on_header(r, ev, out);
    case WS_EV_PAYLOAD:
        return on_payload(r, ev, out);
    case WS_EV_END:
        return on_end(r, out);
    case WS_EV_ERROR:
        return fail(r, out, ws_close_code(ev->err), ws_err_text(ev->err));
    case WS_EV_MORE:
        break;
    }
    out->type = WS_MSG_MORE;
    return true;
}

/* Nearly every message is one whole frame in the input: it is spared the walk
 * through the events. Returns 0 when this is not such a case. */
static size_t read_whole(struct ws_reader *r, uint8_t *in, size_t len,
                         struct ws_message *out)
{
    struct ws_event ev;
    size_t used;

    if (len == 0 || (in[0] != (0x80 | WS_TEXT) && in[0] != (0x80 | WS_BINARY)))
        return 0;
    used = ws_decode_whole(&r->frame, in, len, &ev);
    if (used == 0)
        return 0;
    out->type = ev.op == WS_TEXT ? WS_MSG_TEXT : WS_MSG_BINARY;
    out->data = ev.data;
    out->n = ev.n;
    out->gathered = false;
    if (ev.op == WS_TEXT && !utf8_valid(ev.data, ev.n))
        fail(r, out, WS_CLOSE_INVALID_PAYLOAD, bad_text);
    return used;
}

size_t ws_read(struct ws_reader *r, uint8_t *in, size_t len,
               struct ws_message *out)
{
    struct ws_event ev;
    size_t used;

    if (r->code) {
        fail(r, out, r->code, r->why);
        return 0;
    }
    if (r->deliver) {
        grow_free(&r->parts);
        r->deliver = false;
    }
    if (r->op == WS_CONT) {
        used = read_whole(r, in, len, out);
        if (used)
            return used;
    }
    out->data = in; /* what an empty message points at */
    out->n = 0;
    out->gathered = false;
    used = 0;
    do
        used += ws_decode(&r->frame, in + used, len - used, &ev);
    while (!on_event(r, &ev, out));
    return used;
}

uint8_t *ws_reader_take(struct ws_reader *r)
{
    size_t n;

    if (!r->deliver)
        return NULL;
    r->deliver = false;
    return grow_take(&r->parts, &n);
}

void ws_reader_inflate(struct ws_reader *r, struct ws_inflater *inflater)
{
    r->inflater = inflater;
    r->frame.deflate = inflater != NULL;
}
