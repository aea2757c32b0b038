/*
 * echo.c -- see echo.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/flow/echo.h"

__attribute__((format(printf, 2, 3))) static void note(struct echo *e,
                                                       const char *fmt, ...)
{
    size_t have = strlen(e->seen);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(e->seen + have, sizeof e->seen - have, fmt, ap);
    va_end(ap);
}

static void send_text(sio_session *session, const char *text)
{
    sio_value v = sio_string(text);

    sio_session_send(session, &v);
}

static void on_open(sio_session *session, void *user)
{
    struct echo *e = user;

    e->session = session;
    e->opened++;
    note(e, "open;");
    if (e->greeting)
        send_text(session, e->greeting);
    if (e->close_at_once)
        sio_session_close(session);
}

static bool is(const sio_value *v, const char *text)
{
    return v->size == strlen(text) && memcmp(v->data, text, v->size) == 0;
}

static void on_message(sio_session *session, const sio_value *v, void *user)
{
    struct echo *e = user;
    const unsigned char *bytes = v->data;

    e->messages++;
    if (v->kind == SIO_BINARY) {
        for (size_t i = 0; i < v->size && i < 64; i++)
            note(e, "%02x", bytes[i]);
        note(e, ";");
    } else {
        note(e, "%.*s;", v->size < 100 ? (int)v->size : 100,
             (const char *)v->data);
    }
    if (is(v, "a,b,c!"))
        for (int i = 0; i < 3; i++)
            sio_session_send(session, v);
    else if (!is(v, "close"))
        sio_session_send(session, v);
    if (is(v, "close") || is(v, "a,b,c!"))
        sio_session_close(session);
}

static void on_close(sio_session *session, const char *reason, void *user)
{
    struct echo *e = user;

    e->closed++;
    if (e->session == session)
        e->session = NULL;
    note(e, "close %s;", reason);
    /* Nothing of this may do any harm. */
    send_text(session, "too late");
    sio_session_close(session);
}

bool echo_open(struct world *w, struct echo *e, const sio_options *options)
{
    static const sio_engine_handlers handlers = { .size = sizeof handlers,
                                                  .on_open = on_open,
                                                  .on_message = on_message,
                                                  .on_close = on_close };
    sio_options o, of_server;

    memset(e, 0, sizeof *e);
    sio_options_init(&of_server);
    if (options)
        of_server.max_unfinished_bytes = options->max_unfinished_bytes;
    if (!world_open(w, &of_server))
        return false;
    if (options)
        o = *options;
    else
        sio_options_init(&o);
    if (strcmp(o.path, "/socket.io") == 0)
        o.path = "/engine.io";
    w->path = "/engine.io/";
    e->engine = sio_engine_new(w->server, &o, &handlers, e);
    return e->engine != NULL;
}

void echo_send(struct world *w, struct echo *e, const char *text)
{
    if (e->session)
        send_text(e->session, text);
    world_turn(w);
}

void echo_close(struct world *w, struct echo *e)
{
    if (e->session)
        sio_session_close(e->session);
    world_turn(w);
}

bool echo_session(struct world *w, char query[128])
{
    char sid[24];

    query[0] = 0;
    if (!world_session(w, sid))
        return false;
    snprintf(query, 128, "EIO=4&transport=polling&sid=%s", sid);
    return true;
}

int echo_websocket(struct world *w)
{
    int fd = world_websocket(w, "EIO=4&transport=websocket");

    if (fd >= 0)
        world_frames(w, fd);
    return fd;
}

int echo_begin_post(struct world *w, const char *query, const char *fields,
                    const char *body)
{
    char head[512];
    int fd = world_connect(w);
    int n = snprintf(head, sizeof head,
                     "POST %s?%s HTTP/1.1\r\nHost: x\r\n%s\r\n%s", w->path,
                     query, fields, body);

    if (fd >= 0)
        world_write(w, fd, head, (size_t)n);
    return fd;
}

int echo_probe(struct world *w, const char *query)
{
    char upgrade[160];
    int fd;

    snprintf(upgrade, sizeof upgrade, "EIO=4&transport=websocket&%s",
             strstr(query, "sid="));
    fd = world_websocket(w, upgrade);
    if (fd < 0)
        return -1;
    world_send_text(w, fd, "2probe");
    return world_match(world_frames(w, fd), "T:3probe|") ? fd : -1;
}

bool echo_serves(struct world *w)
{
    int fd = echo_websocket(w);
    bool ok;

    if (fd < 0)
        return false;
    world_send_text(w, fd, "4ok");
    ok = world_match(world_frames(w, fd), "T:4ok|");
    world_hang_up(w, fd);
    return ok;
}
