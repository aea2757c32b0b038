/*
 * reason.c -- why sessions and sockets end, as numbers and as what programs
 * read: those of Engine.IO, and three more that a socket alone can have.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/hub.h"

_Static_assert((int)SIO_CLOSE_TRANSPORT_CLOSE ==
                       (int)EIO_CLOSE_TRANSPORT_CLOSE &&
                   (int)SIO_CLOSE_PING_TIMEOUT == (int)EIO_CLOSE_PING_TIMEOUT &&
                   (int)SIO_CLOSE_SLOW_CONSUMER ==
                       (int)EIO_CLOSE_SLOW_CONSUMER &&
                   (int)SIO_CLOSE_FORCED_SERVER == (int)EIO_NCLOSE_REASONS,
               "close reasons");
_Static_assert((int)SO_REASONS <= (int)SIO_STATS_REASONS &&
                   (int)EIO_NREFUSALS <= (int)SIO_STATS_CODES,
               "room for them in sio_stats");

/* clang-format off */
static const char *const names[SO_REASONS] = {
#define X(name, text) [EIO_CLOSE_##name] = text,
    EIO_CLOSE_REASONS(X)
#undef X
    [SIO_CLOSE_FORCED_SERVER] = "forced server close",
    [SIO_CLOSE_CLIENT_DISCONNECT] = "client namespace disconnect",
    [SIO_CLOSE_SERVER_DISCONNECT] = "server namespace disconnect",
};
/* clang-format on */

const char *sio_close_reason_name(sio_close_reason reason)
{
    return (unsigned)reason < SO_REASONS ? names[reason] : "?";
}

void so_count_left(struct so_shard *shard, const char *reason)
{
    for (size_t i = 0; i < SO_REASONS; i++)
        if (strcmp(reason, names[i]) == 0)
            SO_COUNT(shard->left[i], 1);
}
