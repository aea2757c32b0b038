/*
 * entries.c -- see entries.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/entries.h"

#include <limits.h>
#include <stdlib.h>

/* ------------------------------------------------------- gaps in the heap --
 */

#define BLOCK 24   /* bytes: what 20 are rounded up to */
#define APART 48   /* bytes between two blocks side by side, at most */
#define ROW 64     /* so many blocks in a row: there are no gaps left */
#define MOST 65536 /* blocks taken on the way there: 2 ms */

struct gap {
    struct gap *next;
};

/* An allocator that fills its smallest gaps first would put the entries into
 * those that clients have left, one here, one there. They are taken out of the
 * way. */
static struct gap *take_gaps(void)
{
    struct gap *taken = NULL;

#ifdef __GLIBC__
    int row = 0;

    for (int n = 0; n < MOST && row < ROW; n++) {
        struct gap *gap = calloc(1, BLOCK);

        if (!gap)
            break;
        row = (uintptr_t)gap - (uintptr_t)taken <= APART ? row + 1 : 0;
        gap->next = taken;
        taken = gap;
    }
#endif
    return taken;
}

static void give_back(struct gap *taken)
{
    while (taken) {
        struct gap *gap = taken;

        taken = gap->next;
        free(gap);
    }
}

/* --------------------------------------------------------------- entries -- */

static void on_nothing(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

/* A number that is watched already stays so. It is set apart from the rest,
 * since it may be that of a file of the program's, which blocks: libevent's
 * debug mode asserts that none does that is assigned. */
static bool make_one(struct net_loop *loop, int fd)
{
    struct event event;
    bool made;

    if (event_assign(&event, loop->base, -1, EV_READ, on_nothing, NULL) < 0)
        return false;
    event.ev_fd = fd;
    made = event_add(&event, NULL) == 0;
    if (made)
        event_del(&event);
    event_debug_unassign(&event);
    return made;
}

void net_entries_make(struct net_loop *loop, int fd)
{
    struct gap *taken;

    if (fd > INT_MAX - NET_ENTRIES_STEP)
        return;
    taken = take_gaps();
    loop->entries_end = fd + NET_ENTRIES_STEP;
    while (fd < loop->entries_end && make_one(loop, fd))
        fd++;
    give_back(taken);
}
