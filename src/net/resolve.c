/*
 * resolve.c -- see resolve.h.
 *
 * A question belongs to its thread until it is posted, then to the loop's mail.
 * Who cancels it meets one of the two under the lock, so that a thread never
 * posts to a loop which may be gone.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/resolve.h"

#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STACK (256u * 1024) /* bytes: getaddrinfo() wants some */

struct net_resolve {
    struct net_mail mail;
    struct net_loop *loop;
    net_on_resolved *on_resolved;
    void *self;
    pthread_mutex_t lock;
    bool cancelled; /* under the lock */
    char host[NET_HOST_MAX + 1];
    char port[6];
    int error; /* of getaddrinfo() */
    struct net_addresses found;
};

static atomic_int threads;

static int look_up(const char *host, const char *port, int flags,
                   struct net_addresses *out)
{
    struct addrinfo hints = { .ai_flags = flags | AI_NUMERICSERV,
                              .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM };
    struct addrinfo *found;
    int error = getaddrinfo(host, port, &hints, &found);

    out->count = 0;
    if (error)
        return error;
    for (struct addrinfo *ai = found; ai && out->count < NET_RESOLVE_MAX;
         ai = ai->ai_next) {
        memcpy(&out->list[out->count].sa, ai->ai_addr, ai->ai_addrlen);
        out->list[out->count++].len = ai->ai_addrlen;
    }
    freeaddrinfo(found);
    return 0;
}

bool net_resolve_numeric(const char *host, uint16_t port,
                         struct net_addresses *out)
{
    char text[6];

    snprintf(text, sizeof text, "%u", (unsigned)port);
    return look_up(host, text, AI_NUMERICHOST, out) == 0;
}

/* ------------------------------------------------------------- the thread --
 */

static void resolve_free(struct net_resolve *r)
{
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void on_mail(struct net_mail *mail)
{
    struct net_resolve *r = container_of(mail, struct net_resolve, mail);

    /* The thread may just be leaving the lock. */
    pthread_mutex_lock(&r->lock);
    pthread_mutex_unlock(&r->lock);
    if (!r->cancelled)
        r->on_resolved(r->self, r->error ? NULL : &r->found,
                       r->error ? gai_strerror(r->error) : NULL);
    resolve_free(r);
}

static void *run(void *arg)
{
    struct net_resolve *r = arg;
    bool cancelled;

    r->error = look_up(r->host, r->port, AI_ADDRCONFIG, &r->found);
    atomic_fetch_sub(&threads, 1);
    pthread_mutex_lock(&r->lock);
    cancelled = r->cancelled;
    if (!cancelled)
        net_post(r->loop, &r->mail);
    pthread_mutex_unlock(&r->lock);
    if (cancelled)
        resolve_free(r);
    return NULL;
}

/* Signals are for the program's own threads. */
static int start_thread(struct net_resolve *r)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int error;

    if (pthread_attr_init(&attributes) != 0)
        return SIO_E_NOMEM;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &attributes, run, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error ? SIO_E_SYS : SIO_OK;
}

/* ---------------------------------------------------------------- asking -- */

static struct net_resolve *resolve_new(struct net_loop *loop, const char *host,
                                       uint16_t port,
                                       net_on_resolved *on_resolved, void *self)
{
    struct net_resolve *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->loop = loop;
    r->on_resolved = on_resolved;
    r->self = self;
    r->mail.run = on_mail;
    pthread_mutex_init(&r->lock, NULL);
    memcpy(r->host, host, strlen(host));
    snprintf(r->port, sizeof r->port, "%u", (unsigned)port);
    return r;
}

int net_resolve(struct net_loop *loop, const char *host, uint16_t port,
                net_on_resolved *on_resolved, void *self,
                struct net_resolve **out)
{
    struct net_resolve *r;
    int result;

    if (strlen(host) > NET_HOST_MAX)
        return SIO_E_INVAL;
    if (atomic_fetch_add(&threads, 1) >= NET_RESOLVE_THREADS) {
        atomic_fetch_sub(&threads, 1);
        return SIO_E_LIMIT;
    }
    r = resolve_new(loop, host, port, on_resolved, self);
    result = r ? start_thread(r) : SIO_E_NOMEM;
    if (result < 0) {
        atomic_fetch_sub(&threads, 1);
        if (r)
            resolve_free(r);
        return result;
    }
    *out = r;
    return SIO_OK;
}

void net_resolve_cancel(struct net_resolve *r)
{
    pthread_mutex_lock(&r->lock);
    r->cancelled = true; /* whoever has it frees it */
    pthread_mutex_unlock(&r->lock);
}
