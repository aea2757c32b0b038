#include <sio/sio.h>

#include <stdlib.h>
#include <string.h>

struct person {
    char name[32];
};

static void check_token(sio_socket *socket, sio_next *next, void *user)
{
    static const char why[] = "{\"code\":401,\"hint\":\"ask for a token\"}";
    sio_value data = sio_raw_json(why, strlen(why));
    struct person *person = malloc(sizeof *person);
    char token[16];

    (void)user;
    sio_set_data(socket, person, free);
    if (!person || sio_auth_string(socket, "token", token, sizeof token) < 0 ||
        strcmp(token, "secret") != 0) {
        sio_next_error(next, "not authorized", &data);
        return;
    }
    if (sio_auth_string(socket, "name", person->name, sizeof person->name) < 0)
        memcpy(person->name, "nobody", 7);
    sio_next_ok(next);
}

static void on_admin(sio_socket *socket, void *user)
{
    struct person *person = sio_data(socket);

    (void)user;
    sio_emit(socket, "hello", sio_string(person->name),
             sio_string(sio_namespace_name(sio_namespace_of(socket))));
}

static void on_kick(sio_socket *socket, sio_event *event, void *user)
{
    (void)event;
    (void)user;
    sio_disconnect(socket, false);
}

static void on_connection(sio_socket *socket, void *user)
{
    (void)user;
    sio_emit(socket, "hello", sio_string("everybody"),
             sio_string(sio_namespace_name(sio_namespace_of(socket))));
}

int main(void)
{
    sio_server *server = sio_server_new(NULL);
    sio_namespace *io = sio_of(server, "/");
    sio_namespace *admin = sio_of(server, "/admin");
    int result;

    sio_use(admin, check_token, NULL);
    sio_on_connection(admin, on_admin, NULL);
    sio_on(admin, "kick", on_kick, NULL);
    sio_on_connection(io, on_connection, NULL);
    result = sio_listen(server, ":3000", NULL);
    if (result == SIO_OK)
        result = sio_run(server);
    sio_server_free(server);
    return result != SIO_OK;
}
