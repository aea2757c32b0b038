/*
 * test_net_entries_debug.c -- entries made ahead for numbers of which some are
 * the program's own files, with libevent's debug mode, which asserts that what
 * is watched does not block.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/entries.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <unistd.h>

int main(void)
{
    struct net_loop_config config = { 0 };
    struct net_loop loop;
    int fds[2], high;

    event_enable_debug_mode();
    T_CASE("entries: a file of the program's in between may block");
    CHECK(net_loop_init(&loop, &config) == SIO_OK, "no loop");
    CHECK(pipe(fds) == 0, "no pipe");
    high = fcntl(fds[0], F_DUPFD_CLOEXEC, NET_ENTRIES_FROM + 1);
    CHECK(high > NET_ENTRIES_FROM, "not duplicated");
    CHECK(write(fds[1], "x", 1) == 1, "not written");
    net_entries_make(&loop, NET_ENTRIES_FROM);
    net_loop_poll(&loop);
    close(high);
    close(fds[0]);
    close(fds[1]);
    net_loop_destroy(&loop);
    libevent_global_shutdown();
    return t_done();
}
