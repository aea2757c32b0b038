/*
 * upgrade.c -- from long-polling to WebSocket:
 *
 *   client                              server
 *   GET ...&sid=, Upgrade: websocket    101           (timer: upgrade_timeout)
 *   2probe                              3probe        (every 100 ms: answer a
 *                                                      waiting GET with NOOP)
 *   5                                   what was queued, as frames
 *
 * Until "5" the session goes on over polling; a probe that fails leaves it so.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/engine/revision.h"
#include "src/engine/watch.h"

#include <stdlib.h>

static struct eng_probe *probe_new(struct eng_session *s)
{
    struct eng_probe *probe = malloc(sizeof *probe);

    if (!probe)
        return NULL;
    probe->session = s;
    net_timer_init(&probe->upgrade);
    net_timer_init(&probe->noop);
    return probe;
}

static void probe_free(struct net_deferred *d)
{
    free(container_of(d, struct eng_probe, cleanup));
}

void upgrade_end(struct eng_session *s)
{
    struct eng_probe *probe = s->polling->probe;

    if (!probe)
        return;
    s->polling->probe = NULL;
    net_timer_stop(&probe->upgrade);
    net_timer_stop(&probe->noop);
    net_defer(s->engine->loop, &probe->cleanup, probe_free);
}

void upgrade_begin(struct eng_session *s, struct http_exchange *ex)
{
    struct engine *e = s->engine;
    bool may = s->state == EIO_POLLING || s->state == EIO_CLOSING;
    struct eng_ws *ws = websocket_accept(e, ex, may ? s : NULL);

    if (!ws)
        return;
    if (!may) { /* upgrading or upgraded already: the first one stays */
        websocket_close(ws, WS_CLOSE_NO_STATUS);
        return;
    }
    s->polling->probe = probe_new(s);
    if (!s->polling->probe) {
        ws->session = NULL;
        websocket_close(ws, WS_CLOSE_INTERNAL_ERROR);
        return;
    }
    session_step(s, EIO_ON_PROBE);
    s->ws = ws;
    e->counts.probing++;
    net_timer_start(&e->upgrades, &s->polling->probe->upgrade);
}

void upgrade_fail(struct eng_ws *ws)
{
    struct eng_session *s = ws->session;

    websocket_close(ws, WS_CLOSE_NO_STATUS);
    upgrade_lost(s);
}

void upgrade_lost(struct eng_session *s)
{
    s->engine->counts.probing--;
    s->engine->counts.upgrades_failed++;
    s->upgrade_failed = true;
    session_step(s, EIO_ON_PROBE_LOST);
}

void upgrade_timed_out(struct net_timer *timer)
{
    upgrade_fail(container_of(timer, struct eng_probe, upgrade)->session->ws);
}

/* The client waits for its GET to end before it sends "5". */
void upgrade_noop(struct net_timer *timer)
{
    struct eng_session *s =
        container_of(timer, struct eng_probe, noop)->session;

    net_timer_start(&s->engine->noops, timer);
    polling_answer(s, ENG_CONTROL_NOOP);
}

/* What waited for a poll becomes frames, in order. */
static void flush_to_websocket(struct eng_session *s)
{
    struct eng_polling *polling = s->polling;
    struct eng_walk walk;
    struct eio_packet p;

    s->ws->ws.conn->bytes_in += polling->bytes_in;
    s->ws->ws.conn->bytes_out += polling->bytes_out;
    s->engine->buffered -= polling->out.len;
    if (polling->out.len) {
        revision_walk(&walk, s, EIO_FORM3_BINARY, (char *)polling->out.data,
                      polling->out.len);
        while (revision_next(&walk, &p) == 1)
            if (p.binary)
                websocket_send_message(s->ws, true, p.data, polling->compress);
            else /* with the digit, which stands before the data */
                websocket_send(s->ws, WS_TEXT,
                               (sio_str){ p.data.p - 1, p.data.n + 1 });
    }
    polling_end(s);
}

static void complete(struct eng_ws *ws)
{
    struct eng_session *s = ws->session;
    bool closing = s->state == EIO_CLOSING_PROBING;
    struct watch_list leaving;

    if (s->doom) { /* its output has a gap: close now, not at the tail */
        polling_flush(&s->polling->flush);
        return;
    }
    polling_detach(s);
    ws->active = s->websocket = true;
    watch_leave(s, &leaving);
    flush_to_websocket(s);
    s->engine->counts.probing--;
    s->engine->counts.websockets++;
    s->engine->counts.upgrades++;
    if (!closing)
        session_step(s, EIO_ON_UPGRADE);
    watch_upgraded(s, &leaving);
    if (closing)
        session_close(s, (enum eio_close_reason)s->parting, NULL);
}

static void answer_probe(struct eng_ws *ws)
{
    struct eng_session *s = ws->session;
    struct engine *e = s->engine;

    websocket_send(ws, WS_TEXT, STR("3probe"));
    if (net_timer_running(&s->polling->probe->noop))
        return;
    net_timer_start(&e->noops, &s->polling->probe->noop);
    if (e->ops->on_upgrading && eng_is_open(s))
        e->ops->on_upgrading(e->self, s);
}

void upgrade_on_text(struct eng_ws *ws, sio_str text)
{
    if (str_eq(text, STR("2probe"))) {
        answer_probe(ws);
    } else if (text.n && text.p[0] == '5') {
        complete(ws);
    } else {
        upgrade_fail(ws);
    }
}
