/*
 * extension.c -- see extension.h.
 *
 *   list       extension *( "," extension )
 *   extension  token *( ";" token [ "=" ( token | quoted token ) ] )
 *
 * Blanks and tabs may stand before every token and separator.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/websocket/extension.h"

#include "protocol/base/str.h"
#include "protocol/base/token.h"

#include <stdio.h>

#define NAME "permessage-deflate"

struct offer {
    bool deflate;     /* it names permessage-deflate */
    bool client_bits; /* client_max_window_bits, with a value or without */
    struct ws_deflate_params params;
};

struct cursor {
    const char *p, *end;
};

/* -------------------------------------------------------------- grammar -- */

static void skip_blanks(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
        c->p++;
}

static bool accept(struct cursor *c, char want)
{
    skip_blanks(c);
    if (c->p == c->end || *c->p != want)
        return false;
    c->p++;
    return true;
}

static bool read_token(struct cursor *c, sio_str *token)
{
    skip_blanks(c);
    token->p = c->p;
    while (c->p < c->end && token_char(*c->p))
        c->p++;
    token->n = (size_t)(c->p - token->p);
    return token->n > 0;
}

/* Without the quotes; a quoted pair ("\1") is nothing that clients write. */
static bool read_value(struct cursor *c, sio_str *value)
{
    const bool quoted = accept(c, '"');

    if (!read_token(c, value))
        return false;
    return !quoted || (c->p < c->end && *c->p++ == '"');
}

/* ---------------------------------------------------------- one offer -- */

/* 8 to 15, written without leading zeros; 0 for anything else. */
static uint8_t window_bits(sio_str value)
{
    if (value.n == 1 && (value.p[0] == '8' || value.p[0] == '9'))
        return (uint8_t)(value.p[0] - '0');
    if (value.n == 2 && value.p[0] == '1' && value.p[1] >= '0' &&
        value.p[1] <= '5')
        return (uint8_t)(10 + value.p[1] - '0');
    return 0;
}

static bool set_flag(bool *flag, sio_str value)
{
    const bool ok = !*flag && !value.p;

    *flag = true;
    return ok;
}

static bool set_bits(uint8_t *bits, sio_str value)
{
    const bool first = *bits == 0;

    *bits = window_bits(value);
    return first && *bits != 0;
}

/* Each parameter may be there once. `value` has p NULL where there is none. */
static bool set_param(struct offer *o, sio_str name, sio_str value)
{
    struct ws_deflate_params *p = &o->params;

    if (str_eq(name, STR("server_no_context_takeover")))
        return set_flag(&p->server_no_context_takeover, value);
    if (str_eq(name, STR("client_no_context_takeover")))
        return set_flag(&p->client_no_context_takeover, value);
    if (str_eq(name, STR("server_max_window_bits")))
        return set_bits(&p->server_max_window_bits, value);
    if (!str_eq(name, STR("client_max_window_bits")) || o->client_bits)
        return false;
    o->client_bits = true;
    return !value.p || set_bits(&p->client_max_window_bits, value);
}

static bool read_extension(struct cursor *c, struct offer *o)
{
    sio_str name, value;

    *o = (struct offer){ false };
    if (!read_token(c, &name))
        return false;
    o->deflate = str_eq(name, STR(NAME));
    while (accept(c, ';')) {
        value = (sio_str){ NULL, 0 };
        if (!read_token(c, &name))
            return false;
        if (accept(c, '=') && !read_value(c, &value))
            return false;
        if (o->deflate && !set_param(o, name, value))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------- decision -- */

static uint8_t smaller(uint8_t a, uint8_t b)
{
    return !a || (b && b < a) ? b : a;
}

/* A client that does not say client_max_window_bits would not understand it in
 * the answer (RFC 7692 7.1.2.2). */
static bool suits(const struct offer *o, const struct ws_deflate_params *wishes)
{
    return o->deflate && (o->client_bits || !wishes->client_max_window_bits);
}

static void combine(struct ws_deflate_params *agreed,
                    const struct ws_deflate_params *a,
                    const struct ws_deflate_params *b)
{
    agreed->server_no_context_takeover =
        a->server_no_context_takeover || b->server_no_context_takeover;
    agreed->client_no_context_takeover =
        a->client_no_context_takeover || b->client_no_context_takeover;
    agreed->server_max_window_bits =
        smaller(a->server_max_window_bits, b->server_max_window_bits);
    agreed->client_max_window_bits =
        smaller(a->client_max_window_bits, b->client_max_window_bits);
}

int ws_deflate_negotiate(sio_str header, const struct ws_deflate_params *wishes,
                         struct ws_deflate_params *agreed)
{
    struct cursor c = { header.p, header.n ? header.p + header.n : header.p };
    struct ws_deflate_params first = { false };
    bool offered = false, found = false;
    struct offer o;

    do {
        if (!read_extension(&c, &o))
            return SIO_E_INVAL;
        offered = offered || o.deflate;
        if (!found && suits(&o, wishes)) {
            found = true;
            combine(&first, &o.params, wishes);
        }
    } while (accept(&c, ','));
    if (c.p != c.end || (offered && !found))
        return SIO_E_INVAL;
    if (found)
        *agreed = first;
    return found;
}

/* --------------------------------------------------------------- answer -- */

static int append_flag(struct grow *out, sio_str text, bool flag)
{
    return flag ? grow_append(out, text.p, text.n) : SIO_OK;
}

static int append_bits(struct grow *out, const char *side, unsigned bits)
{
    char text[40];

    if (!bits)
        return SIO_OK;
    snprintf(text, sizeof text, "; %s_max_window_bits=%u", side, bits);
    return grow_append(out, text, strlen(text));
}

int ws_deflate_answer(struct grow *out, const struct ws_deflate_params *agreed)
{
    const size_t len = out->len;
    int r = grow_append(out, NAME, sizeof NAME - 1);

    if (r == SIO_OK)
        r = append_flag(out, STR("; server_no_context_takeover"),
                        agreed->server_no_context_takeover);
    if (r == SIO_OK)
        r = append_flag(out, STR("; client_no_context_takeover"),
                        agreed->client_no_context_takeover);
    if (r == SIO_OK)
        r = append_bits(out, "server", agreed->server_max_window_bits);
    if (r == SIO_OK)
        r = append_bits(out, "client", agreed->client_max_window_bits);
    if (r != SIO_OK)
        out->len = len;
    return r;
}
