/*
 * tls_context.c -- <sio/tls.h>: certificates by name, replaced as a whole.
 *
 *   options, names --> tls_load() --> struct tls_generation --> connections
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/tls_context.h"
#include "src/net/tls.h"

#include "protocol/base/str.h"

#include <stdlib.h>

/* ----------------------------------------------------------- generations -- */

static struct tls_generation *generation_new(size_t room)
{
    struct tls_generation *g = malloc(sizeof *g + room * sizeof *g->hosts);

    if (!g)
        return NULL;
    atomic_init(&g->refs, 1);
    g->count = 0;
    return g;
}

void tls_generation_unref(struct tls_generation *g)
{
    if (!g || atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < g->count; i++)
        SSL_CTX_free(g->hosts[i].ctx);
    free(g);
}

struct tls_generation *tls_generation_get(sio_tls *tls)
{
    struct tls_generation *g;

    pthread_mutex_lock(&tls->lock);
    g = tls->current;
    atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&tls->lock);
    return g;
}

static void replace(sio_tls *tls, struct tls_generation *g)
{
    struct tls_generation *old;

    pthread_mutex_lock(&tls->lock);
    old = tls->current;
    tls->current = g;
    pthread_mutex_unlock(&tls->lock);
    tls_generation_unref(old);
}

/* All sources, read anew; NULL: see `why`. */
static struct tls_generation *generation_load(sio_tls *tls,
                                              const struct tls_why *why)
{
    struct tls_generation *g;
    size_t n = 0;

    list_for_each_safe(it, next, &tls->sources) n++;
    g = generation_new(n);
    if (!g) {
        tls_explain(why, "TLS", NULL, sio_strerror(SIO_E_NOMEM));
        return NULL;
    }
    list_for_each_safe(it, next, &tls->sources)
    {
        struct tls_source *source = container_of(it, struct tls_source, node);
        SSL_CTX *ctx = tls_load(tls, source, why);

        if (!ctx) {
            tls_generation_unref(g);
            return NULL;
        }
        g->hosts[g->count++] = (struct tls_host){ source->name, ctx };
    }
    return g;
}

/* --------------------------------------------------------------- sources -- */

/* Copy *text, unless it is NULL. */
static bool keep(struct arena *arena, const char **text)
{
    size_t n = *text ? strlen(*text) + 1 : 0;
    char *copy = n ? arena_alloc(arena, n) : NULL;

    if (n && !copy)
        return false;
    if (n)
        memcpy(copy, *text, n);
    *text = copy;
    return true;
}

static struct tls_source *source_new(sio_tls *tls, const char *name,
                                     const char *certificate, const char *key,
                                     const char *password)
{
    struct tls_source *source = arena_alloc(&tls->strings, sizeof *source);

    if (!source)
        return NULL;
    *source = (struct tls_source){ .name = name,
                                   .certificate = certificate,
                                   .key = key,
                                   .password = password };
    list_init(&source->node);
    return keep(&tls->strings, &source->name) &&
                   keep(&tls->strings, &source->certificate) &&
                   keep(&tls->strings, &source->key) &&
                   keep(&tls->strings, &source->password)
               ? source
               : NULL;
}

static struct tls_source *source_find(sio_tls *tls, const char *name)
{
    list_for_each_safe(it, next, &tls->sources)
    {
        struct tls_source *source = container_of(it, struct tls_source, node);

        if (source->name && str_eq_nocase(str_of(source->name), str_of(name)))
            return source;
    }
    return NULL;
}

/* --------------------------------------------------------------- options -- */

void sio_tls_options_init_sized(sio_tls_options *options, size_t size)
{
    const sio_tls_options d = { .size = size,
                                .min_version = SIO_TLS_1_2,
                                .session_lifetime_s = 7200 };

    memset(options, 0, size);
    memcpy(options, &d, size < sizeof d ? size : sizeof d);
}

/* Defaults, overlaid with the fields that the caller was built with. */
static void read_options(sio_tls_options *out, const sio_tls_options *given)
{
    sio_tls_options_init(out);
    memcpy(out, given, given->size < sizeof *out ? given->size : sizeof *out);
    out->size = sizeof *out;
}

static int check_options(const sio_tls_options *o, const struct tls_why *why)
{
    if (!o->certificate)
        return tls_explain(why, "certificate", NULL, "is needed");
    if (o->clients < SIO_TLS_CLIENTS_NONE ||
        o->clients > SIO_TLS_CLIENTS_REQUIRE)
        return tls_explain(why, "clients", NULL, "no such value");
    if (o->clients != SIO_TLS_CLIENTS_NONE && !o->ca)
        return tls_explain(why, "ca", NULL,
                           "is needed to judge clients' certificates");
    if (o->min_version != SIO_TLS_1_2 && o->min_version != SIO_TLS_1_3)
        return tls_explain(why, "min_version", NULL, "no such value");
    return SIO_OK;
}

static bool keep_options(sio_tls *tls)
{
    sio_tls_options *o = &tls->options;
    struct tls_source *source =
        source_new(tls, NULL, o->certificate, o->key, o->key_password);

    if (!source)
        return false;
    list_append(&tls->sources, &source->node);
    o->certificate = o->key = o->key_password = NULL; /* in the source now */
    return keep(&tls->strings, &o->ca) && keep(&tls->strings, &o->ciphers) &&
           keep(&tls->strings, &o->ciphersuites);
}

/* ---------------------------------------------------------------- public -- */

static sio_tls *context_new(const sio_tls_options *options,
                            const struct tls_why *why)
{
    sio_tls *tls = calloc(1, sizeof *tls);

    if (!tls)
        return NULL;
    atomic_init(&tls->refs, 1);
    pthread_mutex_init(&tls->building, NULL);
    pthread_mutex_init(&tls->lock, NULL);
    arena_init(&tls->strings);
    list_init(&tls->sources);
    tls->options = *options;
    tls->bio = tls_bio_new();
    if (tls_tickets_init(&tls->tickets, options->session_lifetime_s) < 0 ||
        !tls->bio || !keep_options(tls)) {
        sio_tls_free(tls);
        return NULL;
    }
    tls->current = generation_load(tls, why);
    if (!tls->current) {
        sio_tls_free(tls);
        return NULL;
    }
    return tls;
}

sio_tls *sio_tls_new(const sio_tls_options *options, char *why, size_t size)
{
    const struct tls_why reason = { size ? why : NULL, size };
    sio_tls_options o;

    read_options(&o, options);
    if (check_options(&o, &reason) < 0)
        return NULL;
    tls_explain(&reason, "TLS", NULL, sio_strerror(SIO_E_NOMEM));
    return context_new(&o, &reason);
}

/* The present certificates, and one more for `source`: for its name's old one
 * when there is one. */
static struct tls_generation *
with_source(sio_tls *tls, const struct tls_source *source, SSL_CTX *ctx)
{
    const struct tls_generation *old = tls->current;
    struct tls_generation *g = generation_new(old->count + 1);

    if (!g)
        return NULL;
    for (size_t i = 0; i < old->count; i++) {
        const char *name = old->hosts[i].name;

        if (name && str_eq_nocase(str_of(name), str_of(source->name)))
            continue;
        SSL_CTX_up_ref(old->hosts[i].ctx);
        g->hosts[g->count++] = old->hosts[i];
    }
    SSL_CTX_up_ref(ctx);
    g->hosts[g->count++] = (struct tls_host){ source->name, ctx };
    return g;
}

static int add_source(sio_tls *tls, struct tls_source *source,
                      const struct tls_why *why)
{
    struct tls_source *before = source_find(tls, source->name);
    SSL_CTX *ctx = tls_load(tls, source, why);
    struct tls_generation *g = ctx ? with_source(tls, source, ctx) : NULL;

    if (!ctx)
        return SIO_E_INVAL;
    SSL_CTX_free(ctx); /* `g` has its own reference */
    if (!g)
        return SIO_E_NOMEM;
    if (before)
        list_remove(&before->node);
    list_append(&tls->sources, &source->node);
    replace(tls, g);
    return SIO_OK;
}

int sio_tls_add_name(sio_tls *tls, const char *name, const char *certificate,
                     const char *key, const char *key_password, char *why,
                     size_t size)
{
    const struct tls_why reason = { size ? why : NULL, size };
    struct tls_source *source;
    int r = SIO_E_NOMEM;

    if (!name || !name[0] || strchr(name + 1, '*') ||
        (name[0] == '*' && (name[1] != '.' || !name[2])))
        return tls_explain(&reason, "name", NULL,
                           "must be a host or \"*.\" and a domain");
    if (!certificate)
        return tls_explain(&reason, "certificate", NULL, "is needed");
    pthread_mutex_lock(&tls->building);
    source = source_new(tls, name, certificate, key, key_password);
    if (source)
        r = add_source(tls, source, &reason);
    pthread_mutex_unlock(&tls->building);
    if (r == SIO_E_NOMEM)
        tls_explain(&reason, "name", NULL, sio_strerror(r));
    return r;
}

int sio_tls_reload(sio_tls *tls, char *why, size_t size)
{
    const struct tls_why reason = { size ? why : NULL, size };
    struct tls_generation *g;

    pthread_mutex_lock(&tls->building);
    g = generation_load(tls, &reason);
    if (g)
        replace(tls, g);
    pthread_mutex_unlock(&tls->building);
    return g ? SIO_OK : SIO_E_INVAL;
}

sio_tls *net_tls_ref(sio_tls *tls)
{
    atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
    return tls;
}

void sio_tls_free(sio_tls *tls)
{
    if (!tls ||
        atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) != 1)
        return;
    tls_generation_unref(tls->current);
    list_for_each_safe(it, next, &tls->sources)
    {
        struct tls_source *source = container_of(it, struct tls_source, node);

        if (source->password)
            OPENSSL_cleanse((void *)(uintptr_t)source->password,
                            strlen(source->password));
    }
    tls_tickets_destroy(&tls->tickets);
    BIO_meth_free(tls->bio);
    arena_free(&tls->strings);
    pthread_mutex_destroy(&tls->lock);
    pthread_mutex_destroy(&tls->building);
    free(tls);
}
