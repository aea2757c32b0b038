/*
 * server_filter.c -- /filter: listeners that see every event, and a middleware
 * that decides about each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e/server.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of `seen` */
static char seen[4096]; /* "any old,out echo,..." */

static void see(const char *what, const char *name)
{
    size_t n;

    pthread_mutex_lock(&lock);
    n = strlen(seen);
    snprintf(seen + n, sizeof seen - n, "%s%s %s", n ? "," : "", what, name);
    pthread_mutex_unlock(&lock);
}

static void see_event(sio_socket *socket, sio_event *event, void *what)
{
    (void)socket;
    see(what, sio_event_name(event));
}

static void see_error(sio_socket *socket, const char *message,
                      const sio_value *data, void *user)
{
    (void)socket;
    (void)data;
    (void)user;
    see("error", message);
}

static void *let_pass(void *next)
{
    sio_next_ok(next);
    return NULL;
}

static void filter(sio_socket *socket, sio_event *event, sio_next *next,
                   void *user)
{
    const char *name = sio_event_name(event);
    sio_value values[SIO_MAX_VALUES];
    pthread_t thread;

    (void)socket;
    (void)user;
    if (strcmp(name, "later") == 0 &&
        pthread_create(&thread, NULL, let_pass, next) == 0) {
        pthread_detach(thread);
        return;
    }
    if (strcmp(name, "old") == 0)
        sio_event_replace(event, "echo", values, pass(event, 0, values));
    if (strcmp(name, "no") == 0)
        sio_next_error(next, "no", NULL);
    else
        sio_next_ok(next);
}

static void on_seen(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket;
    (void)user;
    pthread_mutex_lock(&lock);
    sio_ack(event, sio_string(seen));
    seen[0] = 0;
    pthread_mutex_unlock(&lock);
}

int register_filter(void)
{
    static char any[] = "any", out[] = "out";
    sio_namespace *nsp = sio_of(server, "/filter");
    int rc;

    if (!nsp)
        return SIO_E_NOMEM;
    if ((rc = sio_on_any(nsp, see_event, any)) ||
        (rc = sio_on_any_outgoing(nsp, see_event, out)) ||
        (rc = sio_use_events(nsp, filter, NULL)) ||
        (rc = sio_on_error(nsp, see_error, NULL)) ||
        (rc = sio_on(nsp, "echo", on_echo, NULL)) ||
        (rc = sio_on(nsp, "later", on_ack, NULL)))
        return rc;
    return sio_on(nsp, "seen", on_seen, NULL);
}
