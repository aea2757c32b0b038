/*
 * pr_entry.c -- any bytes as the fields of an entry of a stream, one a line, or
 * when the first byte is odd as a session: an accepted one can be written, read
 * again and written as the same bytes. Offsets that are valid have a next one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/redis/stream.h"

#include <stdlib.h>

#define FIELDS 12

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_entry(sio_str text)
{
    struct pr_message m, back;
    struct pr_entry once, twice;
    struct grow out, again;
    sio_str fields[FIELDS];
    struct arena a;
    size_t n = 0;

    while (n < FIELDS && text.p)
        fields[n++] = str_split(text, '\n', &text);
    arena_init(&a);
    grow_init(&out, SIZE_MAX);
    grow_init(&again, SIZE_MAX);
    if (pr_entry_decode(&a, fields, n, &m) == PR_E_OK) {
        require(pr_entry_encode(&out, &m, false, &once) == SIO_OK);
        require(pr_entry_decode(&a, once.fields, once.count, &back) == PR_E_OK);
        require(back.type == m.type && back.rooms.count == m.rooms.count);
        require(pr_entry_encode(&again, &back, false, &twice) == SIO_OK);
        require(once.count == twice.count);
        for (size_t i = 0; i < once.count; i++)
            require(str_eq(once.fields[i], twice.fields[i]));
        again.len = 0;
        require(pr_entry_encode(&again, &m, true, &twice) == SIO_OK);
    }
    grow_free(&out);
    grow_free(&again);
    arena_free(&a);
}

static void check_session(sio_str text)
{
    struct pr_session s, back;
    struct grow out, again;
    struct arena a;

    arena_init(&a);
    grow_init(&out, SIZE_MAX);
    grow_init(&again, SIZE_MAX);
    if (pr_session_decode(&a, text, &s) == PR_E_OK) {
        require(pr_session_encode(&out, &s) == SIO_OK);
        require(pr_session_decode(&a, grow_str(&out), &back) == PR_E_OK);
        require(str_eq(s.sid, back.sid) && str_eq(s.pid, back.pid) &&
                s.rooms.count == back.rooms.count);
        require(pr_session_encode(&again, &back) == SIO_OK &&
                str_eq(grow_str(&out), grow_str(&again)));
    }
    grow_free(&out);
    grow_free(&again);
    arena_free(&a);
}

static void check_offset(sio_str text)
{
    struct grow next;

    if (!pr_offset_valid(text))
        return;
    grow_init(&next, 64);
    require(pr_offset_next(&next, text) == SIO_OK);
    require(pr_offset_valid(grow_str(&next)));
    grow_free(&next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy;

    /* what is nearly too deep can be too deep when it is written */
    if (size < 2 || size > PR_DEPTH_MAX - 10)
        return 0;
    copy = malloc(size - 1);
    memcpy(copy, data + 1, size - 1);
    if (data[0] & 1)
        check_session((sio_str){ copy, size - 1 });
    else
        check_entry((sio_str){ copy, size - 1 });
    check_offset((sio_str){ copy, size - 1 });
    free(copy);
    return 0;
}
