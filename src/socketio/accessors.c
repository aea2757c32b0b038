/*
 * accessors.c -- what is known about a socket, field by field: <sio/socket.h>,
 * <sio/handshake.h>.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/hub.h"

#include <sio/handshake.h>

#include "protocol/socketio/scan.h"

#include <stdlib.h>

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
    return socket->auth_len
               ? (sio_str){ socket->id + socket->id_len + 1, socket->auth_len }
               : STR("{}");
}

int so_text_out(sio_str text, char *out, size_t size)
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
    sio_str raw = json_member(sio_auth(socket), str_of(key));
    char *text;
    int r;

    if (!raw.n)
        return SIO_E_RANGE;
    if (json_kind(raw) != JSON_STRING)
        return SIO_E_TYPE;
    text = malloc(raw.n);
    if (!text)
        return SIO_E_NOMEM;
    r = so_text_out((sio_str){ text, json_unescape(raw, text) }, out, size);
    free(text);
    return r;
}

static const struct http_kept *request_of(const sio_socket *socket)
{
    return socket->client ? eng_request(socket->client->session) : NULL;
}

sio_str sio_request_header(const sio_socket *socket, const char *name)
{
    const struct http_kept *r = request_of(socket);

    return r ? http_kept_value(r, str_of(name)) : (sio_str){ NULL, 0 };
}

int sio_request_query(const sio_socket *socket, const char *key, char *out,
                      size_t size)
{
    const struct http_kept *r = request_of(socket);

    return r ? http_query_text(http_kept_query(r), str_of(key), out, size)
             : SIO_E_RANGE;
}

sio_str sio_request_url(const sio_socket *socket)
{
    const struct http_kept *r = request_of(socket);

    return r ? http_kept_target(r) : (sio_str){ NULL, 0 };
}

bool sio_request_secure(const sio_socket *socket)
{
    const struct http_kept *r = request_of(socket);

    return r && r->secure;
}

const sio_certificate *sio_request_certificate(const sio_socket *socket)
{
    const struct http_kept *r = request_of(socket);

    return r ? http_kept_certificate(r) : NULL;
}

const char *sio_address(const sio_socket *socket)
{
    /* A cache: the caller's view of the socket does not change. */
    struct so_few *few = so_few_of((sio_socket *)(uintptr_t)socket);

    if (!few)
        return "";
    if (!few->address[0] && socket->client)
        eng_peer_text(socket->client->session, few->address);
    return few->address;
}

size_t sio_buffered(const sio_socket *socket)
{
    return socket->client ? eng_buffered(socket->client->session) : 0;
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

uint64_t sio_issued_ms(const sio_socket *socket)
{
    return socket->issued_ms;
}

bool sio_request_xdomain(const sio_socket *socket)
{
    return sio_request_header(socket, "origin").n > 0;
}

size_t sio_each_header(const sio_socket *socket,
                       void (*fn)(void *user, sio_str name, sio_str value),
                       void *user)
{
    const struct http_kept *r = request_of(socket);
    struct http_field field;
    size_t at = 0;

    while (r && http_kept_next(r, &at, &field))
        fn(user, field.name, field.value);
    return r ? http_kept_count(r) : 0;
}

const char *sio_disconnect_description(const sio_socket *socket)
{
    const struct so_client *client = socket->client;

    return client && client->shard->leaving == client
               ? client->shard->leaving_detail
               : NULL;
}

int sio_set_data_json(sio_socket *socket, const char *text, size_t n)
{
    uint32_t depth = socket->part->nsp->hub->options.limits.max_depth;
    struct so_few *few;
    struct so_text *copy;

    if (n > SIO_DATA_MAX)
        return SIO_E_LIMIT;
    if (!json_valid((sio_str){ text, n }, depth))
        return SIO_E_INVAL;
    few = so_few_of(socket);
    copy = few ? malloc(sizeof *copy + n) : NULL;
    if (!copy)
        return SIO_E_NOMEM;
    copy->n = n;
    memcpy(copy->p, text, n);
    free(few->data_json);
    few->data_json = copy;
    return SIO_OK;
}

sio_str sio_data_json(const sio_socket *socket)
{
    const struct so_text *text = socket->few ? socket->few->data_json : NULL;

    return text ? (sio_str){ text->p, text->n } : STR("{}");
}
