/*
 * server_doors.c -- who may join a namespace, now or later; who has left; the
 * namespaces that are there for this, dynamic ones among them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e/server.h"

#include <pthread.h>
#include <string.h>

#define WAITING_MAX 16

static sio_namespace *dynamic, *asked;
/* At the door of /slow; handlers of several loops come to it. */
static pthread_mutex_t door = PTHREAD_MUTEX_INITIALIZER;
static sio_next *waiting[WAITING_MAX];
static size_t waiting_count;

/* False: there is no place. */
static bool wait_at_door(sio_next *next)
{
    bool fits;

    pthread_mutex_lock(&door);
    fits = waiting_count < WAITING_MAX;
    if (fits)
        waiting[waiting_count++] = next;
    pthread_mutex_unlock(&door);
    return fits;
}

/* All of them, when there are `least`; else none. */
static size_t open_door(int64_t least, sio_next *out[WAITING_MAX])
{
    size_t n = 0;

    pthread_mutex_lock(&door);
    if ((int64_t)waiting_count >= least) {
        n = waiting_count;
        memcpy(out, waiting, n * sizeof *out);
        waiting_count = 0;
    }
    pthread_mutex_unlock(&door);
    return n;
}

/* --------------------------------------------------------------- leaving -- */

static void on_bye(sio_socket *socket, sio_event *event, void *user)
{
    bool close = false;

    (void)user;
    sio_arg_bool(event, 0, &close);
    sio_disconnect(socket, close);
}

static void on_going(sio_socket *socket, const char *reason, void *user)
{
    (void)reason, (void)user;
    sio_emit(watch, "going", sio_string(sio_id(socket)),
             sio_int((int64_t)sio_each_room(socket, NULL, NULL)));
}

static void on_gone(sio_socket *socket, const char *reason, void *user)
{
    sio_namespace *nsp = sio_namespace_of(socket);

    (void)user;
    sio_emit(watch, "gone", sio_string(sio_id(socket)), sio_string(reason),
             sio_string(sio_namespace_name(nsp)));
}

/* ---------------------------------------------------------------- coming -- */

static void check_token(sio_socket *socket, sio_next *next, void *user)
{
    static const char why[] = "{\"code\":\"E_AUTH\",\"retry\":false}";
    sio_value data = sio_raw_json(why, sizeof why - 1);
    char token[16];

    (void)user;
    if (sio_auth_string(socket, "token", token, sizeof token) == 6 &&
        strcmp(token, "secret") == 0)
        sio_next_ok(next);
    else
        sio_next_error(next, "not authorized", &data);
}

static void hold(sio_socket *socket, sio_next *next, void *user)
{
    (void)user;
    sio_join(socket, "held"); /* left again should the client go away */
    if (!wait_at_door(next))
        sio_next_error(next, "full", NULL);
}

static void on_admit(sio_socket *socket, sio_event *event, void *user)
{
    sio_next *all[WAITING_MAX];
    size_t n = open_door(int_arg(event, 0), all);

    (void)socket, (void)user;
    for (size_t i = n; i-- > 0;)
        sio_next_ok(all[i]);
    sio_ack(event, sio_int((int64_t)n));
}

/* ---------------------------------------------------- dynamic namespaces -- */

static void refuse_some(sio_socket *socket, sio_next *next, void *user)
{
    char why[8];

    (void)user;
    if (sio_auth_string(socket, "refuse", why, sizeof why) > 0)
        sio_next_error(next, "refused", NULL);
    else
        sio_next_ok(next);
}

/* As hold(): until "admit". */
static void ask_later(const char *name, sio_str auth, sio_next *next,
                      void *user)
{
    (void)auth, (void)user;
    if (strncmp(name, "/ask-", 5) != 0 || !wait_at_door(next))
        sio_next_error(next, "no", NULL);
}

static void on_all(sio_socket *socket, sio_event *event, void *user)
{
    sio_value values[SIO_MAX_VALUES];
    size_t n = pass(event, 0, values);

    (void)socket, (void)user;
    sio_emit_values(sio_target_namespace(dynamic), "all", values, n);
    sio_emit_values(sio_target_namespace(asked), "all", values, n);
}

static int register_dynamic(void)
{
    int rc;

    dynamic = sio_of_regex(server, "^/dynamic-[0-9]+$");
    asked = sio_of_function(server, ask_later, NULL);
    if (!dynamic || !asked)
        return SIO_E_NOMEM;
    if ((rc = sio_use(dynamic, refuse_some, NULL)) ||
        (rc = sio_on_connection(dynamic, on_hello, NULL)) ||
        (rc = sio_on(dynamic, "echo", on_echo, NULL)))
        return rc;
    return sio_on_connection(asked, on_hello, NULL);
}

/* ----------------------------------------------------------- registering -- */

static int register_admin(void)
{
    sio_namespace *admin = sio_of(server, "/admin");
    int rc;

    if (!admin)
        return SIO_E_NOMEM;
    if ((rc = sio_on_disconnect(admin, on_gone, NULL)) ||
        (rc = sio_use(admin, check_token, NULL)) ||
        (rc = sio_on_connection(admin, on_hello, NULL)))
        return rc;
    return sio_on(admin, "echo", on_echo, NULL);
}

int register_doors(void)
{
    static const struct handler handlers[] = {
        { "bye", on_bye },
        { "admit", on_admit },
        { "all", on_all },
    };
    sio_namespace *slow = sio_of(server, "/slow");
    int rc;

    if (!slow)
        return SIO_E_NOMEM;
    if ((rc = REGISTER(root, handlers)) ||
        (rc = sio_on_disconnecting(root, on_going, NULL)) ||
        (rc = sio_on_disconnect(root, on_gone, NULL)) ||
        (rc = sio_use(slow, hold, NULL)) || (rc = register_admin()))
        return rc;
    return register_dynamic();
}
