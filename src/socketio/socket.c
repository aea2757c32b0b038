/*
 * socket.c -- a client in a namespace: the way in (middlewares, CONNECT),
 * rooms, the way out. <sio/socket.h>.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/client2.h"

#include "protocol/socketio/scan.h"
#include "src/net/random.h"

#include <stdlib.h>

/* ------------------------------------------------------------- lifetime -- */

static int copy_auth(sio_socket *socket, sio_str json)
{
    char *copy;

    socket->auth = STR("{}");
    if (json.n <= 2)
        return SIO_OK;
    copy = malloc(json.n);
    if (!copy)
        return SIO_E_NOMEM;
    memcpy(copy, json.p, json.n);
    socket->auth = (sio_str){ copy, json.n };
    return SIO_OK;
}

static void socket_free(sio_socket *socket)
{
    if (socket->free_data)
        socket->free_data(socket->data);
    if (socket->auth.n > 2) /* not the constant "{}" */
        free((char *)(uintptr_t)socket->auth.p);
    free(socket->address);
    free(socket);
}

static int make_id(sio_socket *socket)
{
    struct so_client *client = socket->client;
    sio_str nsp = map_key(&socket->part->nsp->node);

    if (!socket->v2)
        return net_random_id(socket->id, &client->shard->id_counter);
    so_client2_id(client, nsp, socket->id);
    return SIO_OK;
}

static sio_socket *socket_new(struct so_client *client, sio_namespace *nsp,
                              sio_str auth)
{
    bool v2 = eng_is_v3(client->session);
    size_t id_len =
        v2 ? so_client2_id(client, map_key(&nsp->node), NULL) : SO_ID_LEN;
    sio_socket *socket = calloc(1, sizeof *socket + id_len + 1);

    if (!socket)
        return NULL;
    atomic_init(&socket->refs, 1);
    socket->state = SO_CONNECTING;
    socket->v2 = v2;
    socket->id_len = (uint32_t)id_len;
    socket->client = client;
    socket->part = &nsp->part;
    list_init(&socket->acks);
    list_init(&socket->node);
    if (copy_auth(socket, auth) < 0 || make_id(socket) < 0) {
        socket_free(socket);
        return NULL;
    }
    return socket;
}

sio_socket *sio_retain(sio_socket *socket)
{
    atomic_fetch_add_explicit(&socket->refs, 1, memory_order_relaxed);
    return socket;
}

void sio_release(sio_socket *socket)
{
    if (socket &&
        atomic_fetch_sub_explicit(&socket->refs, 1, memory_order_acq_rel) == 1)
        socket_free(socket);
}

/* Our own reference goes at the end of the turn: a handler further up the stack
 * may still use the pointer. */
static void last_release(struct net_deferred *d)
{
    sio_release(container_of(d, sio_socket, cleanup));
}

/* -------------------------------------------------------------- leaving -- */

static void tell(const struct so_handler *handlers, sio_socket *socket,
                 const char *reason)
{
    struct so_walk walk = so_walk_from(handlers);
    const struct so_handler *h;

    while ((h = so_walk_next(&walk)))
        ((sio_disconnect_fn)h->fn)(socket, reason, h->user);
}

void so_socket_leave(sio_socket *socket, const char *reason)
{
    struct so_part *part = socket->part;
    sio_namespace *nsp = part->nsp;
    bool was_connected = socket->state == SO_CONNECTED;

    if (socket->leaving)
        return;
    socket->leaving = true;
    list_remove(&socket->node);
    if (was_connected)
        tell(nsp->on_disconnecting, socket, reason);
    socket->state = SO_GONE;
    if (socket->slot)
        nsp->hub->adapter->remove(part->adapter, socket->slot);
    socket->slot = NULL;
    if (was_connected) {
        part->socket_count--;
        part->shard->socket_count--;
        tell(nsp->on_disconnect, socket, reason);
    }
    socket->client = NULL;
    so_acks_abandon(socket);
    net_defer(part->shard->loop, &socket->cleanup, last_release);
}

static void disconnect_client(struct so_client *client)
{
    while (!list_empty(&client->sockets)) {
        sio_socket *socket =
            container_of(client->sockets.next, sio_socket, node);

        if (socket->state == SO_CONNECTED)
            so_client_send(client, SP_DISCONNECT,
                           map_key(&socket->part->nsp->node), STR(""));
        so_socket_leave(socket, "server namespace disconnect");
    }
    eng_close(client->session);
}

/* How far the server's own goodbye goes. */
enum leaving_how { LEAVE_NAMESPACE, LEAVE_CLIENT, LEAVE_WORDLESS };

static void leave_here(sio_socket *socket, enum leaving_how how)
{
    struct so_client *client = socket->client;

    if (socket->state != SO_CONNECTED || socket->leaving)
        return;
    switch (how) {
    case LEAVE_WORDLESS:
        eng_close(client->session);
        return;
    case LEAVE_CLIENT:
        disconnect_client(client);
        return;
    case LEAVE_NAMESPACE:
        so_client_send(client, SP_DISCONNECT, map_key(&socket->part->nsp->node),
                       STR(""));
        so_client_note_left(client, socket->part->nsp);
        so_socket_leave(socket, "server namespace disconnect");
    }
}

struct leave_mail {
    struct net_mail mail;
    sio_socket *socket;
    enum leaving_how how;
};

static void on_leave_mail(struct net_mail *mail)
{
    struct leave_mail *m = container_of(mail, struct leave_mail, mail);

    leave_here(m->socket, m->how);
    sio_release(m->socket);
    free(m);
}

static void leave(sio_socket *socket, enum leaving_how how)
{
    struct net_loop *loop = socket->part->shard->loop;
    struct leave_mail *m;

    if (net_loop_is_current(loop)) {
        leave_here(socket, how);
        return;
    }
    m = malloc(sizeof *m);
    if (!m)
        return;
    *m =
        (struct leave_mail){ { NULL, on_leave_mail }, sio_retain(socket), how };
    net_post(loop, &m->mail);
}

void sio_disconnect(sio_socket *socket, bool close)
{
    leave(socket, close ? LEAVE_CLIENT : LEAVE_NAMESPACE);
}

void sio_close_connection(sio_socket *socket)
{
    leave(socket, LEAVE_WORDLESS);
}

/* ------------------------------------------------------------ the way in -- */

struct sio_next {
    struct net_mail mail;
    sio_socket *socket;  /* retained */
    struct so_walk walk; /* the middlewares that have not decided yet */
    bool running;        /* within the middleware's call */
    bool answered;       /* it has decided */
    bool refused;
    struct grow error; /* CONNECT_ERROR's payload */
};

static void send_connect(sio_socket *socket)
{
    char json[SO_ID_LEN + 16];
    size_t n = 0;

    if (socket->v2) {
        so_client_send(socket->client, SP_CONNECT,
                       map_key(&socket->part->nsp->node), STR(""));
        return;
    }
    memcpy(json, "{\"sid\":\"", 8);
    n = 8;
    memcpy(json + n, socket->id, SO_ID_LEN);
    n += SO_ID_LEN;
    memcpy(json + n, "\"}", 2);
    n += 2;
    so_client_send(socket->client, SP_CONNECT,
                   map_key(&socket->part->nsp->node), (sio_str){ json, n });
}

int so_socket_attach(sio_socket *socket)
{
    struct so_part *part = socket->part;

    if (socket->slot)
        return SIO_OK;
    return part->nsp->hub->adapter->add(part->adapter, socket,
                                        (sio_str){ socket->id, socket->id_len },
                                        &socket->slot);
}

static void let_in(sio_socket *socket)
{
    struct so_client *client = socket->client;
    struct so_part *part = socket->part;
    struct so_walk walk = so_walk_from(part->nsp->on_connection);
    const struct so_handler *h;

    if (so_socket_attach(socket) < 0) {
        so_client_violation(client, "out of memory");
        return;
    }
    socket->state = SO_CONNECTED;
    part->socket_count++;
    part->shard->socket_count++;
    send_connect(socket);
    net_timer_stop(&client->timer);
    while (socket->state == SO_CONNECTED && (h = so_walk_next(&walk)))
        ((sio_connection_fn)h->fn)(socket, h->user);
}

static void turn_away(sio_socket *socket, sio_str json)
{
    so_client_send(socket->client, SP_CONNECT_ERROR,
                   map_key(&socket->part->nsp->node), json);
    so_socket_leave(socket, "refused");
}

static void next_free(sio_next *next)
{
    grow_free(&next->error);
    sio_release(next->socket);
    free(next);
}

/* Ask one middleware after the other, as long as they answer at once. */
static void next_run(sio_next *next)
{
    sio_socket *socket = next->socket;

    while (next->walk.at && !next->refused && socket->state == SO_CONNECTING) {
        const struct so_handler *h = so_walk_next(&next->walk);

        next->answered = false;
        next->running = true;
        ((sio_middleware_fn)h->fn)(socket, next, h->user);
        next->running = false;
        if (!next->answered)
            return; /* it will, later: next_resume() */
    }
    if (socket->state == SO_CONNECTING) {
        if (next->refused)
            turn_away(socket, grow_str(&next->error));
        else
            let_in(socket);
    }
    next_free(next);
}

static void on_next_mail(struct net_mail *mail)
{
    sio_next *next = container_of(mail, sio_next, mail);

    next->answered = true;
    if (!next->running)
        next_run(next);
}

static void next_resume(sio_next *next)
{
    struct net_loop *loop = next->socket->part->shard->loop;

    next->mail.run = on_next_mail;
    if (net_loop_is_current(loop))
        on_next_mail(&next->mail);
    else
        net_post(loop, &next->mail);
}

void sio_next_ok(sio_next *next)
{
    next_resume(next);
}

static int append_error(struct grow *out, struct sp_attachments *bin,
                        const char *message, const sio_value *data)
{
    int r = grow_append(out, "{\"message\":", 11);

    if (r == SIO_OK)
        r = json_append_string(out, str_of(message ? message : ""));
    if (r == SIO_OK && data) {
        r = grow_append(out, ",\"data\":", 8);
        if (r == SIO_OK)
            r = sp_encode_value(out, bin, data);
    }
    return r == SIO_OK ? grow_append_byte(out, '}') : r;
}

static int error_payload(sio_next *next, const char *message,
                         const sio_value *data)
{
    struct sp_attachments bin;
    int r;

    sp_attachments_init(&bin);
    r = next->socket->v2 ? so_client2_error(&next->error, &bin, message, data)
                         : append_error(&next->error, &bin, message, data);
    sp_attachments_free(&bin);
    return r;
}

void sio_next_error(sio_next *next, const char *message, const sio_value *data)
{
    next->refused = true;
    if (error_payload(next, message, data) < 0) {
        next->error.len = 0; /* refuse all the same */
        error_payload(next, "refused", NULL);
    }
    next_resume(next);
}

static void start_middlewares(sio_socket *socket)
{
    const struct so_handler *first = socket->part->nsp->middlewares;
    sio_next *next;

    if (!first) {
        let_in(socket);
        return;
    }
    next = calloc(1, sizeof *next);
    if (!next) {
        so_client_violation(socket->client, "out of memory");
        return;
    }
    next->socket = sio_retain(socket);
    next->walk = so_walk_from(first);
    grow_init(&next->error, socket->part->nsp->hub->options.max_packet);
    next_run(next);
}

void so_socket_connect(struct so_client *client, const struct sp_packet *p)
{
    struct so_hub *hub = client->shard->hub;
    sio_namespace *nsp = so_namespace_find(hub, p->nsp);
    sio_socket *socket;

    if (!nsp) {
        so_client_send(client, SP_CONNECT_ERROR, p->nsp,
                       STR("{\"message\":\"Invalid namespace\"}"));
        return;
    }
    socket = socket_new(client, nsp, p->json);
    if (!socket) {
        so_client_violation(client, "out of memory");
        return;
    }
    list_append(&client->sockets, &socket->node);
    start_middlewares(socket);
}

/* ------------------------------------------------------------ delivering -- */

void so_socket_deliver(void *self, sio_socket *socket, sio_packet *packet,
                       unsigned flags)
{
    struct so_part *part = self;
    struct eng_session *session;

    if (socket->state != SO_CONNECTED)
        return;
    session = socket->client->session;
    if ((flags & SIO_FLAG_VOLATILE) && !eng_writable(session))
        return;
    part->shard->events_out++;
    eng_send_packet(session, packet, !(flags & SIO_FLAG_NO_COMPRESS));
}

/* ----------------------------------------------------------------- rooms -- */

int sio_join(sio_socket *socket, const char *room)
{
    struct so_part *part = socket->part;
    int r;

    if (socket->state == SO_GONE)
        return SIO_E_STATE;
    r = so_socket_attach(socket);
    if (r < 0)
        return r;
    return part->nsp->hub->adapter->join(part->adapter, socket->slot,
                                         str_of(room));
}

int sio_leave(sio_socket *socket, const char *room)
{
    struct so_part *part = socket->part;

    if (socket->state == SO_GONE)
        return SIO_E_STATE;
    if (socket->slot)
        part->nsp->hub->adapter->leave(part->adapter, socket->slot,
                                       str_of(room));
    return SIO_OK;
}

int sio_leave_all(sio_socket *socket)
{
    struct so_part *part = socket->part;
    const sio_adapter_ops *adapter = part->nsp->hub->adapter;
    int r;

    if (socket->state == SO_GONE)
        return SIO_E_STATE;
    if (!socket->slot)
        return SIO_OK;
    adapter->remove(part->adapter, socket->slot);
    socket->slot = NULL;
    r = so_socket_attach(socket);
    if (r == SIO_OK)
        adapter->leave(part->adapter, socket->slot,
                       (sio_str){ socket->id, socket->id_len });
    return r;
}

bool sio_in_room(const sio_socket *socket, const char *room)
{
    struct so_part *part = socket->part;

    return socket->slot && part->nsp->hub->adapter->in_room(
                               part->adapter, socket->slot, str_of(room));
}

size_t sio_each_room(const sio_socket *socket,
                     void (*fn)(void *user, sio_str room), void *user)
{
    struct so_part *part = socket->part;

    return socket->slot ? part->nsp->hub->adapter->each_room(
                              part->adapter, socket->slot, fn, user)
                        : 0;
}

/* ------------------------------------------------------------- accessors -- */

const char *sio_id(const sio_socket *socket)
{
    return socket->id;
}

sio_namespace *sio_namespace_of(const sio_socket *socket)
{
    return socket->part->nsp;
}

bool sio_connected(const sio_socket *socket)
{
    return socket->state == SO_CONNECTED;
}

sio_str sio_auth(const sio_socket *socket)
{
    return socket->auth;
}

/* As snprintf: cut to fit, the whole length returned. */
static int copy_text(sio_str text, char *out, size_t size)
{
    size_t n = text.n < size ? text.n : size - 1;

    if (size) {
        memcpy(out, text.p, n);
        out[n] = 0;
    }
    return text.n > INT32_MAX ? SIO_E_RANGE : (int)text.n;
}

int sio_auth_string(const sio_socket *socket, const char *key, char *out,
                    size_t size)
{
    sio_str raw = json_member(socket->auth, str_of(key));
    char *text;
    int r;

    if (!raw.n)
        return SIO_E_RANGE;
    if (json_kind(raw) != JSON_STRING)
        return SIO_E_TYPE;
    text = malloc(raw.n);
    if (!text)
        return SIO_E_NOMEM;
    r = copy_text((sio_str){ text, json_unescape(raw, text) }, out, size);
    free(text);
    return r;
}

static const struct http_request *request_of(const sio_socket *socket)
{
    return socket->client ? eng_request(socket->client->session) : NULL;
}

sio_str sio_request_header(const sio_socket *socket, const char *name)
{
    const struct http_request *r = request_of(socket);

    return r ? http_field_value(r, str_of(name)) : (sio_str){ NULL, 0 };
}

int sio_request_query(const sio_socket *socket, const char *key, char *out,
                      size_t size)
{
    const struct http_request *r = request_of(socket);

    return r ? http_query_text(r->query, str_of(key), out, size) : SIO_E_RANGE;
}

sio_str sio_request_url(const sio_socket *socket)
{
    const struct http_request *r = request_of(socket);

    return r ? r->target : (sio_str){ NULL, 0 };
}

bool sio_request_secure(const sio_socket *socket)
{
    const struct http_request *r = request_of(socket);

    return r && r->secure;
}

const sio_certificate *sio_request_certificate(const sio_socket *socket)
{
    const struct http_request *r = request_of(socket);

    return r ? r->certificate : NULL;
}

const char *sio_address(const sio_socket *socket)
{
    /* A cache: the caller's view of the socket does not change. */
    sio_socket *cache = (sio_socket *)(uintptr_t)socket;

    if (!socket->address && socket->client) {
        cache->address = malloc(NET_ADDRESS_TEXT);
        if (socket->address)
            net_address_text(eng_peer(socket->client->session), cache->address);
    }
    return socket->address ? socket->address : "";
}

const char *sio_transport(const sio_socket *socket)
{
    return socket->client ? eng_transport(socket->client->session) : "";
}

void sio_set_data(sio_socket *socket, void *data, void (*free_fn)(void *data))
{
    if (socket->free_data)
        socket->free_data(socket->data);
    socket->data = data;
    socket->free_data = free_fn;
}

void *sio_data(const sio_socket *socket)
{
    return socket->data;
}
