/*
 * end.c -- what there is to say of a session that has ended: the one line of
 * the log that answers "why was it disconnected".
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/engine/session.h"

#include <inttypes.h>
#include <stdio.h>

/* The connection of a session's WebSocket, NULL while it is polling. */
static const struct net_conn *connection_of(const struct eng_session *s)
{
    return s->ws && s->ws->active ? s->ws->ws.conn : NULL;
}

static enum eng_upgrade upgrade_of(const struct eng_session *s)
{
    if (s->websocket) /* one that began as a WebSocket has not changed */
        return s->request->upgrade ? ENG_UPGRADE_NONE : ENG_UPGRADE_DONE;
    if (s->ws)
        return ENG_UPGRADE_PROBING;
    return s->upgrade_failed ? ENG_UPGRADE_FAILED : ENG_UPGRADE_NONE;
}

void end_note(const struct eng_session *s, enum eio_close_reason reason,
              const char *detail, struct eng_end *end)
{
    const struct net_conn *c = connection_of(s);
    uint64_t now = s->engine->loop->now_ms;

    *end = (struct eng_end){ .reason = reason,
                             .detail = detail,
                             .peer = http_kept_peer(s->request),
                             .transport = eng_transport(s),
                             .upgrade = upgrade_of(s),
                             .rtt_ms = s->rtt_ms,
                             .queued = session_waiting(s),
                             .duration_s = (uint32_t)(now / 1000) - s->opened_s,
                             .packets_in = s->packets_in,
                             .packets_out = s->packets_out };
    if (c) {
        end->age_in_ms = (uint32_t)now - c->last_in_ms;
        end->age_out_ms = (uint32_t)now - c->last_out_ms;
        end->queued += c->queued + c->lost;
        end->bytes_in = c->bytes_in;
        end->bytes_out = c->bytes_out;
    } else if (s->polling) {
        end->age_in_ms = (uint32_t)now - s->polling->last_in_ms;
        end->age_out_ms = (uint32_t)now - s->polling->last_out_ms;
        end->bytes_in = s->polling->bytes_in;
        end->bytes_out = s->polling->bytes_out;
    }
}

sio_log_level eng_end_level(enum eio_close_reason reason)
{
    return reason == EIO_CLOSE_SLOW_CONSUMER ? SIO_LOG_WARN : SIO_LOG_INFO;
}

static const char *upgrade_name(enum eng_upgrade upgrade)
{
    static const char *const names[] = {
        [ENG_UPGRADE_NONE] = "none",
        [ENG_UPGRADE_PROBING] = "probing",
        [ENG_UPGRADE_FAILED] = "failed",
        [ENG_UPGRADE_DONE] = "done",
    };

    return names[upgrade];
}

void eng_end_text(const struct eng_end *end, char out[ENG_END_TEXT])
{
    char address[NET_ADDRESS_TEXT], rtt[16] = "-";

    net_address_text(&end->peer, address);
    if (end->rtt_ms != ENG_RTT_UNKNOWN)
        snprintf(rtt, sizeof rtt, "%" PRIu32, end->rtt_ms);
    snprintf(out, ENG_END_TEXT,
             "session closed: reason=\"%s\" detail=\"%s\" address=%s "
             "transport=%s upgrade=%s age_in_ms=%" PRIu32 " age_out_ms=%" PRIu32
             " rtt_ms=%s queued=%zu duration_s=%" PRIu32 " packets_in=%" PRIu32
             " packets_out=%" PRIu32 " bytes_in=%" PRIu64 " bytes_out=%" PRIu64,
             eio_close_reason_name(end->reason), end->detail ? end->detail : "",
             address, end->transport, upgrade_name(end->upgrade),
             end->age_in_ms, end->age_out_ms, rtt, end->queued, end->duration_s,
             end->packets_in, end->packets_out, end->bytes_in, end->bytes_out);
}
