/*
 * eio_events.c -- the role eio-events: plain Engine.IO that prints what happens
 * to its sessions and does what their clients ask.
 *
 * A line is "TAG what": the client's own ?tag=, then one of
 *
 *     open TRANSPORT ADDRESS         close REASON     upgrading    upgrade T T
 *     packet TYPE DATA   create TYPE DATA   flush N   drain N   beat   sent
 * TEXT
 *
 * (of upgrade: the transport now, and that of the handshake; of drain: the
 * bytes that still wait). ?open=, ?upgrading= and ?beat= have what is done
 * then, steps separated by ";"; a message "do STEPS" is done when it comes, any
 * other is echoed:
 *
 *     send:TEXT  sent:TEXT (with a callback)  hex:0102  frame  header:NAME
 *     query:NAME  close  discard  end (the whole engine)
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/conformance.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static sio_engine *engine;

/* What one session says and is to do. */
static const char *param(const sio_session *session, const char *name,
                         char out[512])
{
    return sio_session_query(session, name, out, 512) >= 0 ? out : "";
}

__attribute__((format(printf, 2, 3))) static void
say(const sio_session *session, const char *fmt, ...)
{
    char tag[512];
    va_list ap;

    printf("%s ", param(session, "tag", tag));
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
    fflush(stdout);
}

/* ---------------------------------------------------------------- steps -- */

static void on_sent(sio_session *session, void *text)
{
    say(session, "sent %s", (char *)text);
}

static void send_text(sio_session *session, const char *text, size_t n)
{
    sio_value v = sio_stringn(text, n);

    sio_session_send(session, &v);
}

static void send_with_callback(sio_session *session, const char *text)
{
    /* Whether its callback comes or not: each text stays for a while. */
    static char texts[64][32];
    static size_t next;
    char *kept = texts[next++ % 64];
    sio_session_send_options o;
    sio_value v = sio_string(text);

    sio_session_send_options_init(&o);
    o.on_sent = on_sent;
    o.user = kept;
    snprintf(kept, sizeof texts[0], "%s", text);
    sio_session_send_with(session, &v, &o);
}

static void send_frame(sio_session *session)
{
    sio_session_send_options o;
    sio_value v = sio_string("test");

    sio_session_send_options_init(&o);
    o.websocket_frame = (sio_str){ "\x81\x04"
                                   "4123",
                                   6 };
    sio_session_send_with(session, &v, &o);
}

static void send_hex(sio_session *session, const char *hex)
{
    unsigned char bytes[256];
    size_t n = 0;
    unsigned byte;
    sio_value v;

    while (n < sizeof bytes && sscanf(hex + 2 * n, "%2x", &byte) == 1)
        bytes[n++] = (unsigned char)byte;
    v = sio_binary(bytes, n);
    sio_session_send(session, &v);
}

static void send_header(sio_session *session, const char *name)
{
    sio_str value = sio_session_header(session, name);

    send_text(session, value.p ? value.p : "", value.n);
}

static void send_query(sio_session *session, const char *name)
{
    char value[512];

    param(session, name, value);
    send_text(session, value, strlen(value));
}

static void step(sio_session *session, const char *name, const char *what)
{
    if (strcmp(name, "send") == 0)
        send_text(session, what, strlen(what));
    else if (strcmp(name, "sent") == 0)
        send_with_callback(session, what);
    else if (strcmp(name, "hex") == 0)
        send_hex(session, what);
    else if (strcmp(name, "frame") == 0)
        send_frame(session);
    else if (strcmp(name, "header") == 0)
        send_header(session, what);
    else if (strcmp(name, "query") == 0)
        send_query(session, what);
    else if (strcmp(name, "close") == 0)
        sio_session_close(session);
    else if (strcmp(name, "discard") == 0)
        sio_session_discard(session);
    else if (strcmp(name, "end") == 0)
        sio_engine_close(engine);
}

/* The session may be gone in the middle: its steps are read beforehand. */
static void run_steps(sio_session *session, char *steps)
{
    char *rest = steps, *one;

    while ((one = strsep(&rest, ";"))) {
        char *what = strchr(one, ':');

        if (what)
            *what++ = 0;
        step(session, one, what ? what : "");
    }
}

static void run_param(sio_session *session, const char *name)
{
    char steps[512] = "";

    param(session, name, steps);
    run_steps(session, steps);
}

/* --------------------------------------------------------------- handlers --
 */

static void on_open(sio_session *session, void *user)
{
    char address[SIO_ADDRESS_SIZE];

    (void)user;
    say(session, "open %s %s", sio_session_transport(session),
        sio_session_address(session, address));
    run_param(session, "open");
}

static void on_message(sio_session *session, const sio_value *v, void *user)
{
    char steps[512];

    (void)user;
    if (v->kind != SIO_STRING || v->size < 3 || v->size >= sizeof steps ||
        memcmp(v->data, "do ", 3) != 0) {
        sio_session_send(session, v);
        return;
    }
    memcpy(steps, (const char *)v->data + 3, v->size - 3);
    steps[v->size - 3] = 0;
    run_steps(session, steps);
}

static void on_close(sio_session *session, const char *reason, void *user)
{
    (void)user;
    say(session, "close %s", reason);
}

static void say_packet(const sio_session *session, const char *what,
                       const sio_engine_packet *p)
{
    static const char *const names[] = { "open",    "close",   "ping", "pong",
                                         "message", "upgrade", "noop" };

    if (p->data.kind == SIO_BINARY)
        say(session, "%s %s %zu bytes", what, names[p->type], p->data.size);
    else
        say(session, "%s %s %.*s", what, names[p->type], (int)p->data.size,
            p->data.size ? (const char *)p->data.data : "");
}

static void on_packet(sio_session *session, const sio_engine_packet *p,
                      void *user)
{
    (void)user;
    say_packet(session, "packet", p);
}

static void on_packet_create(sio_session *session, const sio_engine_packet *p,
                             void *user)
{
    (void)user;
    say_packet(session, "create", p);
}

static void on_flush(sio_session *session, const sio_engine_packet *packets,
                     size_t count, void *user)
{
    (void)packets;
    (void)user;
    say(session, "flush %zu", count);
}

static void on_drain(sio_session *session, void *user)
{
    (void)user;
    say(session, "drain %zu", sio_session_buffered(session));
}

static void on_heartbeat(sio_session *session, void *user)
{
    (void)user;
    say(session, "beat");
    run_param(session, "beat");
}

static void on_upgrading(sio_session *session, void *user)
{
    (void)user;
    say(session, "upgrading");
    run_param(session, "upgrading");
}

static void on_upgrade(sio_session *session, void *user)
{
    char asked[512];

    (void)user;
    say(session, "upgrade %s %s", sio_session_transport(session),
        param(session, "transport", asked));
}

/* ---------------------------------------------------------------- program --
 */

static void echo(sio_session *session, const sio_value *v, void *user)
{
    (void)user;
    sio_session_send(session, v);
}

static int run(const struct settings *settings, unsigned port)
{
    static const sio_engine_handlers handlers = {
        .size = sizeof handlers,
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
    static const sio_engine_handlers other = { .size = sizeof other,
                                               .on_message = echo };
    sio_options options;
    sio_server *server = new_server(settings);

    if (!server)
        return 1;
    server_options(settings, &options);
    options.path = "/engine.io";
    options.per_message_deflate = settings->deflate;
    engine = sio_engine_new(server, &options, &handlers, NULL);
    options.path = "/other";
    if (!engine || !sio_engine_new(server, &options, &other, NULL))
        return 1;
    return run_server(server, port);
}

const struct role eio_events = {
    .name = "eio-events",
    .defaults = { .ping_interval = 25000,
                  .ping_timeout = 20000,
                  .connect_timeout = 45000,
                  .max_payload = 1000000 },
    .run = run,
};
