/*
 * handover.c -- a connection goes to the loop that has to answer its request:
 * that of the request's session.
 *
 *   head of a request --> ops->route() --> another loop's http_server
 *     when everything before it is answered and written:
 *     descriptor, TLS, the request's bytes  -->  mail  -->  read there as if
 *                                                           they had just come
 *
 * It stays there: requests of a kept connection are usually of one client.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/connection.h"
#include "src/net/handoff.h"

#include <stdlib.h>

struct moving {
    struct net_handoff handoff;
    struct http_server *to;
    size_t len;
    /* The head that was read, what came behind it, and a NUL: AddressSanitizer
     * wants to see one behind every text that regexec() is given. */
    uint8_t bytes[];
};

bool http_may_move(const struct http_connection *h)
{
    return h->exchange_count == 0 && net_conn_may_leave(h->conn);
}

static void on_arrival(struct net_mail *mail)
{
    struct moving *m = container_of(mail, struct moving, handoff.mail);
    struct http_connection *h =
        m->to->closed ? NULL : http_connection_new(m->to);

    if (!h) {
        net_handoff_drop(&m->handoff);
    } else if (net_conn_attach(m->to->loop, &m->handoff,
                               m->to->config.max_queued, &http_conn_ops, h,
                               &h->conn) < 0) {
        free(h);
        net_handoff_drop(&m->handoff);
    } else {
        h->used = h->moved = true;
        http_connection_begin(h);
        net_conn_feed(h->conn, m->bytes, m->len);
    }
    free(m);
}

int http_move(struct http_connection *h, const uint8_t *rest, size_t n)
{
    const struct grow *head = &http_intake_of(h->reading)->head;
    struct moving *m = malloc(sizeof *m + head->len + n + 1);

    if (!m)
        return SIO_E_NOMEM;
    m->to = h->target;
    m->len = head->len + n;
    memcpy(m->bytes, head->data, head->len);
    if (n)
        memcpy(m->bytes + head->len, rest, n);
    m->bytes[m->len] = 0;
    net_conn_detach(h->conn, &m->handoff);
    http_connection_leave(h);
    m->handoff.mail.run = on_arrival;
    net_post(m->to->loop, &m->handoff.mail);
    return SIO_OK;
}
