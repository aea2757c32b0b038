/*
 * packet.c -- see packet.h for the text form. Each part of it is taken off the
 * front by a function of its own; what then remains is the payload.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/packet.h"

#include "protocol/socketio/scan.h"
#include "protocol/socketio/skip.h"

static char first(sio_str text)
{
    return text.n ? text.p[0] : 0;
}

static void drop(sio_str *text, size_t n)
{
    text->p += n;
    text->n -= n;
}

/* Take the digits at the front, however many; how many there were. A number
 * over `max` comes out as max + 1. */
static size_t take_number(sio_str *text, uint64_t max, uint64_t *out)
{
    const size_t before = text->n;
    uint64_t number = 0;

    for (; json_is_digit(first(*text)); drop(text, 1)) {
        number = number * 10 + (uint64_t)(text->p[0] - '0');
        if (number > max)
            number = max + 1;
    }
    *out = number;
    return before - text->n;
}

static enum sp_error take_type(sio_str *text, struct sp_packet *out)
{
    const unsigned type = (unsigned char)first(*text) - (unsigned)'0';

    if (type >= SP_NTYPES)
        return SP_E_TYPE;
    out->type = (enum sp_type)type;
    drop(text, 1);
    return SP_E_OK;
}

static enum sp_error take_attachments(sio_str *text, uint32_t max,
                                      struct sp_packet *out)
{
    uint64_t count;

    out->attachments = 0;
    if (out->type < SP_BINARY_EVENT)
        return SP_E_OK;
    take_number(text, max, &count);
    if (first(*text) != '-' || count == 0)
        return SP_E_ATTACHMENTS;
    if (count > max)
        return SP_E_TOO_MANY;
    drop(text, 1);
    out->attachments = (uint32_t)count;
    return SP_E_OK;
}

static void take_nsp(sio_str *text, struct sp_packet *out)
{
    out->nsp = STR("/");
    if (first(*text) == '/')
        out->nsp = str_split(*text, ',', text);
}

static enum sp_error take_id(sio_str *text, struct sp_packet *out)
{
    uint64_t id;

    out->id = SP_NO_ID;
    if (take_number(text, SP_MAX_ID, &id) == 0)
        return SP_E_OK;
    if (id > SP_MAX_ID)
        return SP_E_PAYLOAD;
    out->id = (int64_t)id;
    return SP_E_OK;
}

#define SHORTEST_RESERVED 7 /* "connect" */
#define LONGEST_RESERVED 14 /* "removeListener" */

bool sp_reserved_event(sio_str name)
{
    /* clang-format off */
#define NAME(literal) { literal, sizeof(literal) - 1 }
    static const sio_str reserved[] = {
        NAME("connect"),       NAME("connect_error"), NAME("disconnect"),
        NAME("disconnecting"), NAME("newListener"),   NAME("removeListener"),
    };
#undef NAME
    /* clang-format on */

    if (name.n < SHORTEST_RESERVED || name.n > LONGEST_RESERVED)
        return false;
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (str_eq(name, reserved[i]))
            return true;
    return false;
}

static bool is_event_name(sio_str value)
{
    char text[6 * LONGEST_RESERVED + 2]; /* "\u0072" is an 'r' */
    const enum json_kind kind = json_kind(value);

    if (kind != JSON_STRING)
        return kind == JSON_NUMBER;
    /* Too short or too long for any reserved name, even if all escaped. */
    if (value.n < SHORTEST_RESERVED + 2 || value.n > sizeof text)
        return true;
    return !sp_reserved_event((sio_str){ text, json_unescape(value, text) });
}

/* EVENT, ACK: an array, cut into arguments. */
static enum sp_error cut_arguments(uint32_t max_depth, struct sp_packet *out)
{
    if (first(out->json) != '[' || /* a blank is no part of a packet */
        json_cut_array(out->json, max_depth, out->argv, SP_ARGS, &out->argc) !=
            SIO_OK)
        return SP_E_PAYLOAD;
    return SP_E_OK;
}

static enum sp_error check_event(uint32_t max_depth, struct sp_packet *out)
{
    if (cut_arguments(max_depth, out) != SP_E_OK || out->argc == 0 ||
        !is_event_name(out->argv[0]))
        return SP_E_PAYLOAD;
    return SP_E_OK;
}

static enum sp_error check_payload(uint32_t max_depth, struct sp_packet *out)
{
    const enum json_kind kind = json_kind(out->json);
    bool ok = false;

    switch (out->type) {
    case SP_EVENT:
    case SP_BINARY_EVENT:
        return check_event(max_depth, out);
    case SP_ACK:
    case SP_BINARY_ACK:
        return cut_arguments(max_depth, out);
    case SP_CONNECT:
        if (out->json.n == 0)
            return SP_E_OK;
        ok = kind == JSON_OBJECT;
        break;
    case SP_CONNECT_ERROR:
        ok = kind == JSON_OBJECT || kind == JSON_STRING;
        break;
    default: /* DISCONNECT */
        return out->json.n == 0 ? SP_E_OK : SP_E_PAYLOAD;
    }
    return ok && json_check(out->json, max_depth) ? SP_E_OK : SP_E_PAYLOAD;
}

enum sp_error sp_decode(sio_str text, const struct sp_limits *limits,
                        struct sp_packet *out)
{
    enum sp_error e = take_type(&text, out);

    if (e == SP_E_OK)
        e = take_attachments(&text, limits->max_attachments, out);
    if (e != SP_E_OK)
        return e;
    take_nsp(&text, out);
    e = take_id(&text, out);
    if (e != SP_E_OK)
        return e;
    out->json = text;
    out->argc = 0;
    return check_payload(limits->max_depth, out);
}

sio_str sp_packet_arg(const struct sp_packet *p, size_t i)
{
    if (i >= p->argc)
        return (sio_str){ NULL, 0 };
    return i < SP_ARGS ? p->argv[i] : json_element(p->json, i);
}

enum sp_error sp_check_placeholders(const struct sp_packet *p)
{
    struct json_placeholder found;
    size_t pos = 0;

    while (json_next_placeholder(p->json, &pos, &found))
        if (found.num < 0 || found.num >= p->attachments)
            return SP_E_PLACEHOLDER;
    return SP_E_OK;
}

/* clang-format off */
const char *sp_type_name(enum sp_type type)
{
    static const char *const name[] = {
#define X(n) #n,
        SP_TYPES(X)
#undef X
    };

    return type < SP_NTYPES ? name[type] : "?";
}

const char *sp_error_text(enum sp_error e)
{
    static const char *const text[] = {
#define X(n, t) t,
        SP_ERRORS(X)
#undef X
    };

    return (size_t)e < sizeof text / sizeof *text ? text[e] : "?";
}
/* clang-format on */
