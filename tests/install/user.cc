/*
 * user.cc -- as user.c, in C++17: the overloads and templates of the headers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/sio.h>

#include <cstdio>
#include <string>

static void on_reply(int, sio_event *, void *)
{
}

static void on_fetched(int, const sio_remote_socket *const *sockets,
                       size_t count, void *)
{
    for (size_t i = 0; i < count; i++)
        sio_emit(sio_remote_target(sockets[i]), "fetched",
                 sio_string(sio_remote_id(sockets[i])));
}

static void on_each(void *, sio_socket *)
{
}

static void on_event(sio_socket *socket, sio_event *event, void *)
{
    sio_namespace *nsp = sio_namespace_of(socket);
    sio_pending_ack *later = sio_ack_later(event);
    std::string text = "s";

    sio_emit(socket, "none");
    sio_emit(socket, "all", sio_null(), sio_bool(true), sio_int(1),
             sio_number(0.5), sio_string("s"),
             sio_stringn(text.data(), text.size()), sio_binary("b", 1),
             sio_json(nullptr), sio_raw_json("[]", 2), sio_arg(event, 0));
    sio_emit(nsp, "namespace", sio_int(1));
    sio_emit(sio_to(nsp, "a"), "room");
    sio_emit(sio_and_to(sio_to(socket, "a"), "b"), "rooms");
    sio_emit(sio_except(sio_broadcast(socket), "muted"), "others");
    sio_emit(sio_volatile(sio_local(socket)), "volatile");
    sio_emit(sio_compress(nsp, false), "plain");
    sio_emit_ack(sio_timeout(socket, 100), on_reply, nullptr, "ask",
                 sio_int(1));
    sio_ack(event);
    sio_ack(event, sio_int(1), sio_int(2));
    sio_answer(later, sio_int(1));
    sio_disconnect_sockets(sio_to(nsp, "a"), false);
    sio_sockets_join(sio_to(nsp, "a"), "b");
    sio_sockets_join(socket, "b", "c");
    sio_sockets_leave(nsp, "b", "c", "d");
    sio_fetch_sockets(nsp, on_fetched, nullptr);
    sio_each_socket(sio_broadcast(socket), on_each, nullptr);
    sio_server_side_emit(nsp, "none");
    sio_server_side_emit(nsp, "one", sio_int(1));
    sio_server_side_emit_ack(nsp, on_reply, nullptr, "one", sio_int(1));
}

static int fail(const char *what)
{
    std::fprintf(stderr, "%s\n", what);
    return 1;
}

int main()
{
    sio_options options;
    sio_options_init(&options);

    sio_server *server = sio_server_new(&options);
    sio_namespace *nsp = server ? sio_of(server, "/") : nullptr;
    if (!nsp)
        return fail("sio_server_new");

    sio_on_connection(
        nsp, [](sio_socket *socket, void *) { sio_join(socket, "lobby"); },
        nullptr);
    sio_on(nsp, "event", on_event, nullptr);
    sio_tls_options tls;
    char why[SIO_TLS_WHY];
    sio_tls_options_init(&tls);
    tls.certificate = "/nonexistent";
    if (sio_tls_new(&tls, why, sizeof why))
        return fail("sio_tls_new");
    if (sio_listen(server, "127.0.0.1:0", nullptr) != SIO_OK)
        return fail("sio_listen");
    sio_stop(server);
    if (sio_run(server) != SIO_OK)
        return fail("sio_run");
    sio_server_free(server);
    return 0;
}
