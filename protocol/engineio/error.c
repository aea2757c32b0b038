/*
 * error.c -- see error.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/engineio/error.h"

#include "protocol/base/quote.h"
#include "protocol/base/str.h"

#include <stdio.h>

/* clang-format off */
static const struct {
    int status;
    const char *text;
} refusals[EIO_NREFUSALS] = {
#define X(name, code, status, text) [code] = { status, text },
    EIO_REFUSALS(X)
#undef X
};

static const char *const reasons[] = {
#define X(name, text) text,
    EIO_CLOSE_REASONS(X)
#undef X
};
/* clang-format on */

static bool known(enum eio_refusal r)
{
    return (int)r >= 0 && (int)r < EIO_NREFUSALS;
}

int eio_refusal_status(enum eio_refusal r)
{
    return known(r) ? refusals[r].status : 200;
}

const char *eio_refusal_text(enum eio_refusal r)
{
    return known(r) ? refusals[r].text : "?";
}

const char *eio_close_reason_name(enum eio_close_reason r)
{
    return (size_t)r < sizeof reasons / sizeof *reasons ? reasons[r] : "?";
}

int eio_refusal_encode(struct grow *out, enum eio_refusal r,
                       const char *message)
{
    const size_t before = out->len;
    char head[40];
    int n = snprintf(head, sizeof head, "{\"code\":%d,\"message\":", (int)r);
    int result = grow_append(out, head, (size_t)n);

    if (result == SIO_OK)
        result = json_append_string(
            out, str_of(message ? message : eio_refusal_text(r)));
    if (result == SIO_OK)
        result = grow_append_byte(out, '}');
    if (result != SIO_OK)
        out->len = before;
    return result;
}
