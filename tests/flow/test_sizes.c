/*
 * test_sizes.c -- how large the structures are that each connection has: one
 * bound per structure, so that a field more is a decision and no accident. The
 * bounds are for 64-bit machines. What they come to together is in
 * docs/decisions, "What an idle connection costs".
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/engine/session.h"
#include "src/http/connection.h"
#include "src/net/output.h"
#include "src/socketio/hub.h"
#include "tests/unit/test.h"

/* clang-format off */
#define SIZE(type, most) { #type, sizeof(type), (most) }
/* clang-format on */

int main(void)
{
    /* clang-format off */
    static const struct {
        const char *name;
        size_t size, most;
    } rows[] = {
        SIZE(struct event, 128), /* libevent's, within net_conn */
        SIZE(struct net_conn, 264),
        SIZE(struct http_connection, 136),
        SIZE(struct http_exchange, 104),
        SIZE(struct http_intake, 256), /* until it is parked */
        SIZE(struct http_websocket, 88), /* within eng_ws */
        SIZE(struct eng_ws, 104),
        SIZE(struct eng_session, 104), /* and its id */
        SIZE(struct eng_polling, 152),
        SIZE(struct so_client, 80),
        SIZE(sio_socket, 104), /* and its id */
        SIZE(struct map_node, 16), /* within session, member, link, room */
    };
    /* clang-format on */

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("size: %s, at most %zu bytes", rows[i].name, rows[i].most);
        printf("# %s: %zu bytes\n", rows[i].name, rows[i].size);
        CHECK(sizeof(void *) != 8 || rows[i].size <= rows[i].most,
              "%zu bytes, not %zu", rows[i].size, rows[i].most);
    }
    return t_done();
}
