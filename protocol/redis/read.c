/*
 * read.c -- see read.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/redis/read.h"

static bool is_missing(struct pr_value v)
{
    const enum pr_kind kind = pr_kind(v);

    return kind == PR_ABSENT || kind == PR_NULL;
}

/* Room for the elements of a list, `size` bytes each, *count of them. */
static enum pr_error allocate(struct arena *a, struct pr_value list,
                              size_t size, size_t max, void **out,
                              size_t *count)
{
    struct pr_value item;
    size_t pos = 0, n = 0;

    while (n <= max && pr_next(list, &pos, &item))
        n++;
    if (n > max)
        return PR_E_LIMIT;
    *out = arena_alloc(a, n * size);
    *count = n;
    return *out ? PR_E_OK : PR_E_NOMEM;
}

enum pr_error pr_read_names(struct arena *a, struct pr_value list,
                            struct pr_names *out)
{
    struct pr_value item;
    size_t pos = 0, count;
    enum pr_error e;
    sio_str *names;
    void *memory;

    *out = (struct pr_names){ NULL, 0 };
    if (is_missing(list))
        return PR_E_OK;
    if (pr_kind(list) != PR_LIST)
        return PR_E_ROOMS;
    e = allocate(a, list, sizeof *names, PR_NAMES_MAX, &memory, &count);
    if (e != PR_E_OK)
        return e;
    names = memory;
    for (size_t i = 0; pr_next(list, &pos, &item); i++) {
        e = pr_text(a, item, &names[i]);
        if (e != PR_E_OK)
            return e == PR_E_SHAPE ? PR_E_ROOMS : e;
    }
    *out = (struct pr_names){ names, count };
    return PR_E_OK;
}

/* ---------------------------------------------------------------- options --
 */

static void read_flag(struct pr_value key, struct pr_value v,
                      struct pr_flags *out)
{
    double ms;

    if (pr_value_is(key, STR("volatile")) && pr_is_true(v))
        pr_set_volatile(out);
    else if (pr_value_is(key, STR("compress")) && pr_kind(v) == PR_BOOL)
        pr_set_compress(out, pr_is_true(v));
    else if (pr_value_is(key, STR("timeout")) && pr_number(v, &ms) && ms >= 0 &&
             ms <= SP_MAX_ID)
        pr_set_timeout(out, ms);
    else if (pr_value_is(key, STR("expectSingleResponse")) && pr_is_true(v))
        pr_set_single(out);
}

enum pr_error pr_read_options(struct arena *a, struct pr_value options,
                              struct pr_message *out)
{
    static const sio_str names[] = { { "rooms", 5 },
                                     { "except", 6 },
                                     { "flags", 5 } };
    struct pr_value members[3], key, flag;
    enum pr_error e;
    size_t pos = 0;

    if (pr_kind(options) != PR_MAP)
        return PR_E_OPTIONS;
    pr_members(options, names, members, 3);
    e = pr_read_names(a, members[0], &out->rooms);
    if (e == PR_E_OK)
        e = pr_read_names(a, members[1], &out->except);
    if (e != PR_E_OK)
        return e;
    out->flags = (struct pr_flags){ .order = { 0 } };
    while (pr_next_member(members[2], &pos, &key, &flag))
        read_flag(key, flag, &out->flags);
    return PR_E_OK;
}

/* ----------------------------------------------------------- events, values --
 */

enum pr_error pr_read_event(struct arena *a, struct pr_value list,
                            struct pr_message *out)
{
    struct pr_value item;
    size_t pos = 0, count;
    sio_value *values;
    enum pr_error e;
    void *memory;

    if (pr_kind(list) != PR_LIST)
        return PR_E_PACKET;
    e = allocate(a, list, sizeof *values, PR_VALUES_MAX, &memory, &count);
    if (e != PR_E_OK)
        return e;
    if (!pr_next(list, &pos, &item))
        return PR_E_PACKET;
    e = pr_text(a, item, &out->event);
    if (e != PR_E_OK)
        return e == PR_E_SHAPE ? PR_E_PACKET : e;
    values = memory;
    for (size_t i = 0; pr_next(list, &pos, &item); i++)
        values[i] = pr_passed(item);
    out->values = values;
    out->count = count - 1;
    return PR_E_OK;
}

enum pr_error pr_read_emit(struct arena *a, struct pr_value list,
                           struct pr_message *out)
{
    const enum pr_error e = pr_read_event(a, list, out);

    return e == PR_E_OK && pr_reserved(out->event) ? PR_E_PACKET : e;
}

enum pr_error pr_read_packet(struct arena *a, struct pr_value packet,
                             struct pr_message *out, sio_str *nsp)
{
    static const sio_str names[] = { { "type", 4 },
                                     { "data", 4 },
                                     { "nsp", 3 } };
    struct pr_value members[3];
    enum pr_error e;
    int64_t type;

    if (pr_kind(packet) != PR_MAP)
        return PR_E_PACKET;
    pr_members(packet, names, members, 3);
    if (!pr_integer(members[0], &type) ||
        (type != SP_EVENT && type != SP_BINARY_EVENT))
        return PR_E_PACKET;
    e = pr_read_event(a, members[1], out);
    if (e == PR_E_OK && sp_reserved_event(out->event))
        e = PR_E_PACKET;
    return e == PR_E_OK ? pr_read_name(a, members[2], nsp) : e;
}

enum pr_error pr_read_answer(struct arena *a, struct pr_value value,
                             struct pr_message *out)
{
    sio_value *answer;

    if (pr_kind(value) == PR_ABSENT)
        return PR_E_OK;
    answer = arena_alloc(a, sizeof *answer);
    if (!answer)
        return PR_E_NOMEM;
    *answer = pr_passed(value);
    out->values = answer;
    out->count = 1;
    return PR_E_OK;
}

/* ---------------------------------------------------------------- sockets --
 */

static enum pr_error read_socket(struct arena *a, struct pr_value v,
                                 struct pr_socket *out)
{
    static const sio_str names[] = {
        { "id", 2 }, { "handshake", 9 }, { "rooms", 5 }, { "data", 4 }
    };
    struct pr_value members[4];
    enum pr_error e;

    *out = (struct pr_socket){ .id = { NULL, 0 } };
    if (pr_kind(v) != PR_MAP)
        return PR_E_SOCKETS;
    pr_members(v, names, members, 4);
    if (pr_kind(members[0]) != PR_STRING)
        return PR_E_SOCKETS;
    e = pr_text(a, members[0], &out->id);
    if (pr_kind(members[1]) == PR_MAP)
        out->handshake = pr_passed(members[1]);
    if (!is_missing(members[3]))
        out->data = pr_passed(members[3]);
    return e == PR_E_OK ? pr_read_names(a, members[2], &out->rooms) : e;
}

enum pr_error pr_read_sockets(struct arena *a, struct pr_value list,
                              struct pr_message *out)
{
    struct pr_socket *sockets;
    struct pr_value item;
    size_t pos = 0, count;
    enum pr_error e;
    void *memory;

    if (pr_kind(list) != PR_LIST)
        return PR_E_SOCKETS;
    e = allocate(a, list, sizeof *sockets, PR_SOCKETS_MAX, &memory, &count);
    sockets = memory;
    for (size_t i = 0; e == PR_E_OK && pr_next(list, &pos, &item); i++)
        e = read_socket(a, item, &sockets[i]);
    if (e != PR_E_OK)
        return e;
    out->sockets = sockets;
    out->socket_count = count;
    return PR_E_OK;
}

/* ---------------------------------------------------------------- scalars --
 */

enum pr_error pr_read_count(struct pr_value v, struct pr_message *out)
{
    int64_t count;

    if (!pr_integer(v, &count))
        return PR_E_COUNT;
    out->client_count = (uint64_t)count;
    return PR_E_OK;
}

static enum pr_error read_string(struct arena *a, struct pr_value v,
                                 sio_str *out, enum pr_error wrong)
{
    if (is_missing(v)) {
        *out = (sio_str){ NULL, 0 };
        return PR_E_OK;
    }
    return pr_kind(v) == PR_STRING ? pr_text(a, v, out) : wrong;
}

enum pr_error pr_read_request(struct arena *a, struct pr_value v,
                              struct pr_message *out)
{
    return read_string(a, v, &out->request_id, PR_E_REQUEST);
}

enum pr_error pr_read_name(struct arena *a, struct pr_value v, sio_str *out)
{
    return read_string(a, v, out, PR_E_UID);
}

bool pr_reserved(sio_str event)
{
    return str_eq(event, STR("connect")) || str_eq(event, STR("connection")) ||
           str_eq(event, STR("new_namespace"));
}
