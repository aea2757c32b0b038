#include <sio/sio.h>

static const char *text_of(sio_event *event, size_t i)
{
    const char *text;

    return sio_arg_string(event, i, &text, NULL) == SIO_OK ? text : "";
}

static void on_enter(sio_socket *socket, sio_event *event, void *user)
{
    const char *room = text_of(event, 0);

    (void)user;
    sio_join(socket, room);
    sio_emit(sio_to(socket, room), "came", sio_string(room));
    sio_ack(event, sio_int((int64_t)sio_each_room(socket, NULL, NULL)));
}

static void on_leave(sio_socket *socket, sio_event *event, void *user)
{
    const char *room = text_of(event, 0);

    (void)user;
    sio_leave(socket, room);
    sio_ack(event, sio_bool(sio_in_room(socket, room)));
}

/* To all in the room, but not to those who are in `except` as well. */
static void on_shout(sio_socket *socket, sio_event *event, void *user)
{
    sio_namespace *io = sio_namespace_of(socket);

    (void)user;
    sio_emit(sio_except(sio_to(io, text_of(event, 0)), text_of(event, 1)),
             "shouted", sio_arg(event, 2));
}

static void on_gather(sio_socket *socket, sio_event *event, void *user)
{
    sio_namespace *io = sio_namespace_of(socket);
    const char *to = text_of(event, 1);

    (void)user;
    sio_sockets_join(sio_to(io, text_of(event, 0)), to);
    sio_emit(sio_to(io, to), "gathered", sio_string(to));
}

int main(void)
{
    sio_server *server = sio_server_new(NULL);
    sio_namespace *io = sio_of(server, "/");
    int result;

    sio_on(io, "enter", on_enter, NULL);
    sio_on(io, "leave", on_leave, NULL);
    sio_on(io, "shout", on_shout, NULL);
    sio_on(io, "gather", on_gather, NULL);
    result = sio_listen(server, ":3000", NULL);
    if (result == SIO_OK)
        result = sio_run(server);
    sio_server_free(server);
    return result != SIO_OK;
}
