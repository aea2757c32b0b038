/*
 * user.c -- an outside C11 program: built against the installed headers and
 * library, and nothing else of the tree. It uses every spelling of the API that
 * a macro or _Generic stands behind, serves on a free port, and stops itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <stdio.h>
#include <string.h>

static void on_reply(int error, sio_event *answers, void *user)
{
    (void)error;
    (void)answers;
    (void)user;
}

static void on_fetched(int error, const sio_remote_socket *const *sockets,
                       size_t count, void *user)
{
    (void)error;
    (void)user;
    for (size_t i = 0; i < count; i++)
        sio_emit(sio_remote_target(sockets[i]), "fetched",
                 sio_string(sio_remote_id(sockets[i])));
}

static void on_each(void *user, sio_socket *socket)
{
    (void)user;
    (void)socket;
}

static void on_event(sio_socket *socket, sio_event *event, void *user)
{
    sio_namespace *nsp = sio_namespace_of(socket);
    sio_pending_ack *later = sio_ack_later(event);

    (void)user;
    sio_emit(socket, "none");
    sio_emit(socket, "all", sio_null(), sio_bool(true), sio_int(1),
             sio_number(0.5), sio_string("s"), sio_stringn("s", 1),
             sio_binary("b", 1), sio_json(NULL), sio_raw_json("[]", 2),
             sio_arg(event, 0));
    sio_emit(nsp, "namespace", sio_int(1));
    sio_emit(sio_to(nsp, "a"), "room");
    sio_emit(sio_and_to(sio_to(socket, "a"), "b"), "rooms");
    sio_emit(sio_except(sio_broadcast(socket), "muted"), "others");
    sio_emit(sio_volatile(sio_local(socket)), "volatile");
    sio_emit(sio_compress(nsp, false), "plain");
    sio_emit_ack(sio_timeout(socket, 100), on_reply, NULL, "ask", sio_int(1));
    sio_ack(event);
    sio_ack(event, sio_int(1), sio_int(2));
    sio_answer(later, sio_int(1));
    sio_disconnect_sockets(sio_to(nsp, "a"), false);
    sio_sockets_join(sio_to(nsp, "a"), "b");
    sio_sockets_join(socket, "b", "c");
    sio_sockets_leave(nsp, "b", "c", "d");
    sio_fetch_sockets(nsp, on_fetched, NULL);
    sio_each_socket(sio_broadcast(socket), on_each, NULL);
    sio_server_side_emit(nsp, "none");
    sio_server_side_emit(nsp, "one", sio_int(1));
    sio_server_side_emit_ack(nsp, on_reply, NULL, "one", sio_int(1));
}

static void on_connection(sio_socket *socket, void *user)
{
    (void)user;
    sio_join(socket, "lobby");
}

static void on_log(void *user, sio_log_level level, const char *message)
{
    (void)user;
    fprintf(stderr, "log %d: %s\n", (int)level, message);
}

static int fail(const char *what, int error)
{
    fprintf(stderr, "%s: %s\n", what, sio_strerror(error));
    return 1;
}

int main(void)
{
    sio_options options;
    sio_tls_options tls;
    char why[SIO_TLS_WHY];
    sio_server *server;
    sio_namespace *nsp;
    sio_stats stats;
    int r;

    if (strcmp(sio_version(), SIO_VERSION) != 0)
        return fail("headers and library differ", SIO_E_INVAL);
    sio_options_init(&options);
    options.log = on_log;
    server = sio_server_new(&options);
    nsp = server ? sio_of(server, "/") : NULL;
    if (!nsp)
        return fail("sio_server_new", SIO_E_NOMEM);

    if (!sio_of_regex(server, "^/room-[0-9]+$"))
        return fail("sio_of_regex", SIO_E_INVAL);
    sio_on_connection(nsp, on_connection, NULL);
    sio_on(nsp, "event", on_event, NULL);
    r = sio_on(nsp, "connect", on_event, NULL);
    if (r != SIO_E_RESERVED)
        return fail("a reserved name was taken", r);
    sio_tls_options_init(&tls);
    tls.certificate = "/nonexistent";
    if (sio_tls_new(&tls, why, sizeof why))
        return fail("a certificate out of nothing", SIO_E_STATE);
    r = sio_listen(server, "127.0.0.1:0", NULL);
    if (r != SIO_OK || sio_port(server) == 0)
        return fail("sio_listen", r);
    sio_get_stats(server, &stats);
    if (stats.sockets != 0)
        return fail("sockets in a server that never ran", SIO_E_STATE);
    sio_stop(server);
    r = sio_run(server);
    if (r != SIO_OK)
        return fail("sio_run", r);
    sio_server_free(server);
    return 0;
}
