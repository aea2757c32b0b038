/*
 * forwarded.h -- who has sent a request that came through proxies: what trusted
 * ones say in X-Forwarded-For and X-Forwarded-Proto, or in Forwarded (RFC
 * 7239).
 *
 * Each proxy appends the address that its request came from. So the list is
 * read from its end: as long as an address is a trusted proxy's, the one before
 * it can be believed; the first that is not is the client's. Whatever stands
 * before that may be the client's invention. If all are trusted, the first is
 * the client's. What is no address ("unknown", "_hidden") ends the walk, at the
 * last address that was good.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_HTTP_FORWARDED_H
#define SRC_HTTP_FORWARDED_H

#include "src/http/request.h"
#include "src/net/network.h"

/* Which fields the proxies write. */
enum http_forwarded {
    HTTP_FORWARDED_ANY,    /* X-Forwarded-For, or Forwarded where that is not */
    HTTP_FORWARDED_X,      /* X-Forwarded-For alone */
    HTTP_FORWARDED_RFC7239 /* Forwarded alone */
};

struct http_client {
    struct net_address address; /* port 0 when no proxy has said it */
    bool secure;                /* it has used https */
};

/* *client holds who has connected and whether over TLS; it becomes who has sent
 * the request, which is the same unless the address is trusted. */
void http_forwarded(const struct http_request *r,
                    const struct net_networks *trusted,
                    enum http_forwarded which, struct http_client *client);

#endif
