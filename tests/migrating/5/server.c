#include <sio/sio.h>

#include <cjson/cJSON.h>

#include <stdio.h>
#include <string.h>

static cJSON *log_list; /* who left, and why */

static void on_name(int error, sio_event *answers, void *user)
{
    sio_socket *socket = user;
    const char *name;
    char text[64];

    if (error == SIO_OK && sio_arg_string(answers, 0, &name, NULL) == SIO_OK) {
        snprintf(text, sizeof text, "hello %s", name);
        sio_emit(socket, "result", sio_string(text));
    } else {
        sio_emit(socket, "result", sio_string("no answer in time"));
    }
    sio_release(socket);
}

static void on_start(sio_socket *socket, sio_event *event, void *user)
{
    (void)event;
    (void)user;
    sio_retain(socket); /* until the answer */
    if (sio_emit_ack(sio_timeout(socket, 200), on_name, socket, "your name?") !=
        SIO_OK)
        sio_release(socket);
}

static void on_votes(int error, sio_event *answers, void *user)
{
    sio_socket *socket = user;
    size_t count = sio_arg_count(answers);
    const char *vote;
    int64_t yes = 0;

    for (size_t i = 0; i < count; i++)
        yes += sio_arg_string(answers, i, &vote, NULL) == SIO_OK &&
               strcmp(vote, "yes") == 0;
    sio_emit(socket, "votes", sio_bool(error != SIO_OK), sio_int(yes),
             sio_int((int64_t)count));
    sio_release(socket);
}

static void on_vote(sio_socket *socket, sio_event *event, void *user)
{
    (void)event;
    (void)user;
    sio_retain(socket);
    if (sio_emit_ack(sio_timeout(sio_namespace_of(socket), 1000), on_votes,
                     socket, "yes or no?") != SIO_OK)
        sio_release(socket);
}

static void on_out(sio_socket *socket, sio_event *event, void *user)
{
    (void)event;
    (void)user;
    sio_disconnect(socket, true);
}

static void on_log(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket;
    (void)user;
    sio_ack(event, sio_json(log_list));
}

static void on_disconnect(sio_socket *socket, const char *reason, void *user)
{
    (void)socket;
    (void)user;
    cJSON_AddItemToArray(log_list, cJSON_CreateString(reason));
}

int main(void)
{
    sio_server *server = sio_server_new(NULL);
    sio_namespace *io = sio_of(server, "/");
    int result;

    log_list = cJSON_CreateArray();
    sio_on(io, "start", on_start, NULL);
    sio_on(io, "vote", on_vote, NULL);
    sio_on(io, "out", on_out, NULL);
    sio_on(io, "log", on_log, NULL);
    sio_on_disconnect(io, on_disconnect, NULL);
    result = sio_listen(server, ":3000", NULL);
    if (result == SIO_OK)
        result = sio_run(server);
    sio_server_free(server);
    cJSON_Delete(log_list);
    return result != SIO_OK;
}
