/*
 * watcher.c -- see watcher.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/flow/watcher.h"

__attribute__((format(printf, 2, 3))) static void note(char out[8192],
                                                       const char *fmt, ...)
{
    size_t have = strlen(out);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(out + have, 8192 - have, fmt, ap);
    va_end(ap);
}

static void spell(char out[8192], const sio_engine_packet *p)
{
    const unsigned char *bytes = p->data.data;
    int n = p->data.size < 100 ? (int)p->data.size : 100;

    if (p->data.kind != SIO_BINARY) {
        note(out, "%d%.*s", (int)p->type, n, n ? (const char *)bytes : "");
        return;
    }
    note(out, "%d#", (int)p->type);
    for (int i = 0; i < n; i++)
        note(out, "%02x", bytes[i]);
}

static void come_up(struct watcher *x, sio_session *session, const char *word)
{
    if (!x->when || strcmp(x->when, word) != 0)
        return;
    x->when = NULL;
    x->act(x, session);
}

static void on_open(sio_session *session, void *user)
{
    struct watcher *x = user;

    x->session = session;
    note(x->seen, "open;");
    come_up(x, session, "open");
}

static void on_message(sio_session *session, const sio_value *v, void *user)
{
    struct watcher *x = user;

    if (v->kind == SIO_STRING)
        note(x->seen, "%.*s;", v->size < 100 ? (int)v->size : 100,
             (const char *)v->data);
    else
        note(x->seen, "%zu bytes;", v->size);
    come_up(x, session, "message");
}

static void on_close(sio_session *session, const char *reason, void *user)
{
    struct watcher *x = user;

    if (x->session == session)
        x->session = NULL;
    note(x->seen, "close %s;", reason);
    come_up(x, session, "close");
}

static void on_packet(sio_session *session, const sio_engine_packet *p,
                      void *user)
{
    struct watcher *x = user;

    note(x->seen, "<");
    spell(x->seen, p);
    note(x->seen, ";");
    come_up(x, session, "packet");
}

static void on_packet_create(sio_session *session, const sio_engine_packet *p,
                             void *user)
{
    struct watcher *x = user;

    note(x->seen, "+");
    spell(x->seen, p);
    note(x->seen, ";");
    come_up(x, session, "create");
}

static void on_flush(sio_session *session, const sio_engine_packet *packets,
                     size_t count, void *user)
{
    struct watcher *x = user;

    for (size_t i = 0; i < count; i++) {
        note(x->seen, i ? "," : "!");
        spell(x->seen, &packets[i]);
    }
    note(x->seen, ";");
    come_up(x, session, "flush");
}

static void on_drain(sio_session *session, void *user)
{
    struct watcher *x = user;
    size_t waits = sio_session_buffered(session);

    if (waits > x->waited)
        x->waited = waits;
    note(x->seen, "drain;");
    come_up(x, session, "drain");
}

static void on_heartbeat(sio_session *session, void *user)
{
    struct watcher *x = user;

    note(x->seen, "beat;");
    come_up(x, session, "beat");
}

static void on_upgrading(sio_session *session, void *user)
{
    struct watcher *x = user;

    note(x->seen, "upgrading;");
    come_up(x, session, "upgrading");
}

static void on_upgrade(sio_session *session, void *user)
{
    struct watcher *x = user;

    note(x->seen, "upgrade;");
    come_up(x, session, "upgrade");
}

bool watcher_open(struct world *w, struct watcher *x,
                  const sio_options *options, bool plain)
{
    static const sio_engine_handlers all = {
        .size = sizeof all,
        .on_open = on_open,
        .on_message = on_message,
        .on_close = on_close,
        .on_packet = on_packet,
        .on_packet_create = on_packet_create,
        .on_flush = on_flush,
        .on_drain = on_drain,
        .on_heartbeat = on_heartbeat,
        .on_upgrading = on_upgrading,
        .on_upgrade = on_upgrade,
    };
    static const sio_engine_handlers few = { .size = sizeof few,
                                             .on_open = on_open,
                                             .on_message = on_message,
                                             .on_close = on_close };
    sio_options o;

    memset(x, 0, sizeof *x);
    if (!world_open(w, NULL))
        return false;
    if (options)
        o = *options;
    else
        sio_options_init(&o);
    o.path = "/engine.io";
    w->path = "/engine.io/";
    x->engine = sio_engine_new(w->server, &o, plain ? &few : &all, x);
    return x->engine != NULL;
}

/* What on_sent() is called with: who, and which text. */
static struct ticket {
    struct watcher *watcher;
    char text[24];
} tickets[256];

static void on_sent(sio_session *session, void *user)
{
    struct ticket *ticket = user;

    note(ticket->watcher->seen, "sent %s;", ticket->text);
    come_up(ticket->watcher, session, "sent");
}

int watcher_send(struct watcher *x, const char *text)
{
    static size_t next;
    struct ticket *ticket = &tickets[next++ % COUNT(tickets)];
    sio_session_send_options o;
    sio_value v = sio_string(text);

    ticket->watcher = x;
    snprintf(ticket->text, sizeof ticket->text, "%s", text);
    sio_session_send_options_init(&o);
    o.on_sent = on_sent;
    o.user = ticket;
    return x->session ? sio_session_send_with(x->session, &v, &o) : SIO_E_STATE;
}

void watcher_send_plain(struct watcher *x, const char *text)
{
    sio_value v = sio_string(text);

    if (x->session)
        sio_session_send(x->session, &v);
}

const char *watcher_seen(struct watcher *x)
{
    static char seen[sizeof x->seen];

    memcpy(seen, x->seen, sizeof seen);
    x->seen[0] = 0;
    return seen;
}

static void add_waiting(void *user, const sio_engine_packet *p)
{
    char *out = user;

    if (*out)
        note(out, ",");
    spell(out, p);
}

const char *watcher_buffer(const sio_session *session)
{
    static char out[8192];

    out[0] = 0;
    if (sio_session_each_buffered(session, add_waiting, out) < 0)
        return "out of memory";
    return out;
}
