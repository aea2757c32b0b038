#include <sio/sio.h>

static void on_connection(sio_socket *socket, void *user)
{
    (void)user;
    sio_emit(socket, "welcome", sio_string("ask me something"));
}

static void on_sum(sio_socket *socket, sio_event *event, void *user)
{
    int64_t a, b;

    (void)socket;
    (void)user;
    if (sio_arg_int(event, 0, &a) == SIO_OK &&
        sio_arg_int(event, 1, &b) == SIO_OK)
        sio_ack(event, sio_null(), sio_int(a + b));
    else
        sio_ack(event, sio_string("two whole numbers, please"));
}

static void on_say(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_emit(sio_broadcast(socket), "said", sio_arg(event, 0));
    sio_ack(event, sio_string("delivered"));
}

int main(void)
{
    sio_server *server = sio_server_new(NULL);
    sio_namespace *io = sio_of(server, "/");
    int result;

    sio_on_connection(io, on_connection, NULL);
    sio_on(io, "sum", on_sum, NULL);
    sio_on(io, "say", on_say, NULL);
    result = sio_listen(server, ":3000", NULL);
    if (result == SIO_OK)
        result = sio_run(server);
    sio_server_free(server);
    return result != SIO_OK;
}
