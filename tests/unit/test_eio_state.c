/*
 * test_eio_state.c -- the session table holds what the diagram says.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/engineio/state.h"
#include "tests/unit/test.h"

/* One line of the diagram per row; every pair not listed must be refused. */
static const struct row {
    enum eio_state from;
    enum eio_event ev;
    enum eio_state to;
} rows[] = {
    { EIO_OPENING, EIO_ON_OPEN_POLLING, EIO_POLLING },
    { EIO_OPENING, EIO_ON_OPEN_WEBSOCKET, EIO_WEBSOCKET },
    { EIO_OPENING, EIO_ON_CLOSE, EIO_CLOSED },
    { EIO_POLLING, EIO_ON_PROBE, EIO_PROBING },
    { EIO_POLLING, EIO_ON_SHUT, EIO_CLOSING },
    { EIO_POLLING, EIO_ON_CLOSE, EIO_CLOSED },
    { EIO_PROBING, EIO_ON_PROBE_LOST, EIO_POLLING },
    { EIO_PROBING, EIO_ON_UPGRADE, EIO_WEBSOCKET },
    { EIO_PROBING, EIO_ON_SHUT, EIO_CLOSING_PROBING },
    { EIO_PROBING, EIO_ON_CLOSE, EIO_CLOSED },
    { EIO_WEBSOCKET, EIO_ON_CLOSE, EIO_CLOSED },
    { EIO_CLOSING, EIO_ON_PROBE, EIO_CLOSING_PROBING },
    { EIO_CLOSING, EIO_ON_CLOSE, EIO_CLOSED },
    { EIO_CLOSING_PROBING, EIO_ON_PROBE_LOST, EIO_CLOSING },
    { EIO_CLOSING_PROBING, EIO_ON_UPGRADE, EIO_CLOSED },
    { EIO_CLOSING_PROBING, EIO_ON_CLOSE, EIO_CLOSED },
    { EIO_CLOSED, EIO_ON_CLOSE, EIO_CLOSED },
};

static enum eio_state expected(enum eio_state s, enum eio_event ev)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].from == s && rows[i].ev == ev)
            return rows[i].to;
    return EIO_ILLEGAL;
}

static void test_pair(enum eio_state s, enum eio_event ev)
{
    enum eio_state got = s, want = expected(s, ev);

    CHECK(eio_step(&got, ev) == want, "%s on event %d", eio_state_name(s),
          (int)ev);
    CHECK(got == (want ? want : s), "%s moved to %s", eio_state_name(s),
          eio_state_name(got));
}

int main(void)
{
    for (int s = EIO_OPENING; s < EIO_NSTATES; s++) {
        T_CASE("state: every event in %s", eio_state_name((enum eio_state)s));
        for (int ev = 0; ev < EIO_NEVENTS; ev++)
            test_pair((enum eio_state)s, (enum eio_event)ev);
    }
    T_CASE("state: names");
    CHECK(strcmp(eio_state_name(EIO_CLOSING_PROBING), "CLOSING_PROBING") == 0,
          "got %s", eio_state_name(EIO_CLOSING_PROBING));
    CHECK(strcmp(eio_state_name(EIO_NSTATES), "?") == 0, "got %s",
          eio_state_name(EIO_NSTATES));
    return t_done();
}
