/*
 * server.c -- the server under the end-to-end tests, on the public API only.
 * Its parts: server.h.
 *
 *     e2e PORT|ADDRESS [option=value...]
 *
 * Listens on 127.0.0.1 or the address, prints "ready PORT", ends with status 0
 * on SIGTERM. GET /counters: what is alive. Options: pingInterval pingTimeout
 * connectTimeout upgradeTimeout maxPayload transports=polling|websocket|both
 * client=FOLDER trust=NETWORK (again for more) forwarded=rfc7239|x
 * proxyProtocol=1 unixMode=OCTAL maxConnections maxPerAddress maxBuffered drain
 * parser=json|msgpack|toy.
 *
 *     "/"
 *     echo ...args              emits echo ...args
 *     ack ...args, ack          ack(...args)
 *     ack-thread arg, ack       ack(arg), from another thread
 *     burst n                   emits burst 0 .. burst n-1
 *     ask ms, event, ...args    asks this client; ack(error, ...)
 *     ask-room room, ms         asks a room "question"; the same
 *     join room, leave room     ack(sorted rooms)
 *     send how, event, ...args  how: {from: "io" or "socket", to: [],
 *                               except: [], volatile: bool}
 *     whoami                    ack({id, transport, address, auth, query,
 *                               header})
 *     bye close                 sio_disconnect(socket, close)
 *     admit                     lets in who waits at /slow
 *     count, stats              ack(sockets in /), ack({...})
 *     handshake, all ...args    ack(handshake); emits all ...args to children
 *     set-data json             what fetch shows
 *     fetch room                ack([{id, rooms, data}, ...])
 *     move from, to             those in `from` join `to`
 *     clear from, room          those in `from` leave `room`
 *     kick room                 disconnects those in it
 *     namespaces                ack(dynamic ones there are)
 *
 *     others
 *     /admin                    echo; needs auth.token "secret"
 *     /slow                     a middleware waits for "admit"
 *     /filter                   "old" becomes "echo", "no" is refused, "later"
 *                               waits for another thread and acks, seen:
 *                               ack(what listeners have seen)
 *     /dynamic-N                a regular expression: hello; auth.refuse is
 *                               refused
 *     /ask-...                  a function: as who waits at /slow
 *     /watch                    gets gone (id, reason, nsp) and going (id,
 *                               number of rooms)
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e/server.h"
#include "tests/servers/counters.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

sio_server *server;
sio_tls *tls;
sio_namespace *root, *watch;
static struct settings settings;

/* ------------------------------------------------------------ restarting -- */

static unsigned port;

/* At the same port again, as soon as it has stopped. */
static void begin_again(sio_server *stopped, void *user)
{
    const char *counters = getenv("SIO_COUNTERS");
    char address[200];

    (void)user;
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    sio_listen(stopped, address, &settings.listen);
    snprintf(address, sizeof address, "unix:%s", counters ? counters : "");
    if (counters)
        sio_listen(stopped, address, NULL);
    sio_on_stopped(stopped, NULL, NULL);
}

static void on_restart(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket;
    (void)event;
    (void)user;
    sio_on_stopped(server, begin_again, NULL);
    sio_stop(server);
}

/* ------------------------------------------------------------------ main -- */

static void print_log(void *user, sio_log_level level, const char *message)
{
    (void)user;
    (void)level;
    fprintf(stderr, "e2e: %s\n", message);
}

static int register_all(void)
{
    int rc;

    root = sio_of(server, "/");
    watch = sio_of(server, "/watch");
    if (!root || !watch)
        return SIO_E_NOMEM;
    if ((rc = register_events()) || (rc = register_rooms()) ||
        (rc = register_info()) || (rc = register_doors()) ||
        (rc = register_filter()))
        return rc;
    return sio_on(root, "restart", on_restart, NULL);
}

static int listen_at(const char *address)
{
    char why[SIO_TLS_WHY] = "";

    if (settings.tls.certificate) {
        settings.listen.tls = tls = sio_tls_new(&settings.tls, why, sizeof why);
        if (!tls) {
            fprintf(stderr, "e2e: %s\n", why);
            return SIO_E_INVAL;
        }
    }
    return sio_listen(server, address, &settings.listen);
}

int main(int argc, char **argv)
{
    char address[200];
    int rc;

    if (argc < 2) {
        fprintf(stderr, "usage: e2e PORT [option=value...]\n");
        return 2;
    }
    if (!settings_read(&settings, argc, argv))
        return 2;
    settings.options.log = print_log;
    server = sio_server_new(&settings.options);
    if (!server)
        return 1;
    snprintf(address, sizeof address, "%s%s",
             strspn(argv[1], "0123456789") == strlen(argv[1]) ? "127.0.0.1:"
                                                              : "",
             argv[1]);
    rc = register_all();
    if (rc == SIO_OK)
        rc = serve_counters(server);
    if (rc == SIO_OK)
        rc = listen_at(address);
    if (rc == SIO_OK) {
        port = sio_port(server);
        printf("ready %u\n", port);
        fflush(stdout);
        rc = sio_run(server);
    }
    if (rc != SIO_OK)
        fprintf(stderr, "e2e: %s: %s\n", sio_strerror(rc), strerror(errno));
    sio_server_free(server);
    sio_tls_free(tls);
    return rc == SIO_OK ? 0 : 1;
}
