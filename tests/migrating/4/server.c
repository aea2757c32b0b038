#include <sio/sio.h>

#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

/* One file a client: the last that it has uploaded. */
struct file {
    size_t size;
    char name[64];
    unsigned char bytes[];
};

static struct file *keep(sio_socket *socket, const char *name,
                         const void *bytes, size_t size)
{
    struct file *file = malloc(sizeof *file + size);

    if (!file)
        return NULL;
    file->size = size;
    strncpy(file->name, name, sizeof file->name - 1);
    file->name[sizeof file->name - 1] = '\0';
    memcpy(file->bytes, bytes, size);
    sio_set_data(socket, file, free);
    return file;
}

/* { name, bytes }: JSON, in which a placeholder stands for the bytes. */
static void tell(sio_socket *socket, const struct file *file)
{
    sio_str bytes = { (const char *)file->bytes, file->size };
    cJSON *tree = cJSON_CreateObject();
    cJSON *place = cJSON_AddObjectToObject(tree, "bytes");
    char *text;

    cJSON_AddStringToObject(tree, "name", file->name);
    cJSON_AddTrueToObject(place, "_placeholder");
    cJSON_AddNumberToObject(place, "num", 0);
    text = cJSON_PrintUnformatted(tree);
    if (text)
        sio_emit(sio_broadcast(socket), "uploaded",
                 sio_raw_json_binary(text, strlen(text), &bytes, 1));
    cJSON_free(text);
    cJSON_Delete(tree);
}

static void on_upload(sio_socket *socket, sio_event *event, void *user)
{
    const struct file *file;
    const char *name;
    const void *bytes;
    size_t size;

    (void)user;
    if (sio_arg_string(event, 0, &name, NULL) != SIO_OK ||
        sio_arg_binary(event, 1, &bytes, &size) != SIO_OK) {
        sio_ack(event, sio_string("no file"));
    } else if (size > 1000000) {
        sio_ack(event, sio_string("too large"));
    } else if ((file = keep(socket, name, bytes, size))) {
        sio_ack(event, sio_null(), sio_int((int64_t)size));
        tell(socket, file);
    }
}

static void on_download(sio_socket *socket, sio_event *event, void *user)
{
    const struct file *file = sio_data(socket);
    const char *name;

    (void)user;
    if (file && sio_arg_string(event, 0, &name, NULL) == SIO_OK &&
        strcmp(name, file->name) == 0)
        sio_ack(event, sio_null(), sio_binary(file->bytes, file->size));
    else
        sio_ack(event, sio_string("no such file"));
}

int main(void)
{
    sio_options options;
    sio_server *server;
    sio_namespace *io;
    int result;

    sio_options_init(&options);
    options.max_http_buffer_size = 2000000;
    server = sio_server_new(&options);
    io = sio_of(server, "/");
    sio_on(io, "upload", on_upload, NULL);
    sio_on(io, "download", on_download, NULL);
    result = sio_listen(server, ":3000", NULL);
    if (result == SIO_OK)
        result = sio_run(server);
    sio_server_free(server);
    return result != SIO_OK;
}
