/*
 * client2.c -- see client2.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/socketio/client2.h"

#include "protocol/base/quote.h"

void so_client2_welcome(struct so_client *client)
{
    so_socket_connect(client, &(struct sp_packet){ .type = SP_CONNECT,
                                                   .nsp = STR("/"),
                                                   .id = SP_NO_ID });
}

static bool too_many(sio_str query)
{
    sio_str key, value;
    int count = 0;

    while (http_next_param(&query, &key, &value))
        if (++count > SO_QUERY_PARAMS)
            return true;
    return false;
}

int so_client2_connect(struct sp_packet *p, const uint64_t seed[2],
                       struct grow *auth)
{
    const char *mark = memchr(p->nsp.p, '?', p->nsp.n);
    sio_str query = { NULL, 0 };

    if (mark) {
        query.p = mark + 1;
        query.n = p->nsp.n - (size_t)(query.p - p->nsp.p);
        p->nsp.n = (size_t)(mark - p->nsp.p);
    }
    if (query.n > SO_QUERY_MAX || too_many(query))
        return SIO_E_LIMIT;
    if (query.n) {
        int r = so_append_query(auth, seed, query);

        if (r < 0)
            return r;
    }
    p->json = grow_str(auth);
    return SIO_OK;
}

size_t so_client2_id(const struct so_client *client, sio_str nsp, char *out)
{
    const size_t prefix = str_eq(nsp, STR("/")) ? 0 : nsp.n + 1;
    sio_str sid = str_of(eng_sid(client->session));

    if (out && prefix) {
        memcpy(out, nsp.p, nsp.n);
        out[nsp.n] = '#';
    }
    if (out)
        memcpy(out + prefix, sid.p, sid.n);
    return prefix + sid.n;
}

int so_client2_error(struct grow *out, struct sp_attachments *bin,
                     const char *message, const sio_value *data)
{
    return data ? sp_encode_value(out, bin, data)
                : json_append_string(out, str_of(message ? message : ""));
}
