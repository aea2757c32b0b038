/*
 * contract_dynamic.c -- the role contract: the namespaces that clients name,
 * and which ones there are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/contract.h"

#include <stdlib.h>
#include <string.h>

static void on_count(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    sio_ack(event,
            sio_int((int64_t)sio_socket_count(sio_namespace_of(socket))));
}

/* To everybody in it: its name, then what was said. */
static void on_say(sio_socket *socket, sio_event *event, void *user)
{
    sio_namespace *nsp = sio_namespace_of(socket);
    size_t count;
    sio_value *said = args_from(event, 0, &count);
    sio_value *values = malloc((count + 1) * sizeof *values);

    (void)user;
    if (values) {
        values[0] = sio_string(sio_namespace_name(nsp));
        if (count)
            memcpy(values + 1, said, count * sizeof *values);
        sio_emit_values(sio_target_namespace(nsp), "said", values, count + 1);
    }
    free(values);
    free(said);
}

struct names {
    const char **list;
    size_t count;
};

static void collect(sio_namespace *nsp, void *user)
{
    struct names *names = user;
    const char **more = realloc(names->list, (names->count + 1) * sizeof *more);

    if (!more)
        return;
    names->list = more;
    names->list[names->count++] = sio_namespace_name(nsp);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void on_namespaces(sio_socket *socket, sio_event *event, void *server)
{
    struct names names = { NULL, 0 };
    cJSON *tree = cJSON_CreateArray();

    (void)socket;
    sio_each_namespace(server, collect, &names);
    if (names.count)
        qsort(names.list, names.count, sizeof *names.list, compare);
    for (size_t i = 0; i < names.count; i++)
        cJSON_AddItemToArray(tree, cJSON_CreateString(names.list[i]));
    ack_tree(event, tree);
    free(names.list);
}

int contract_dynamic(sio_server *server, sio_namespace *root,
                     sio_namespace *rooms)
{
    int r = sio_on(rooms, "count", on_count, NULL);

    if (r == SIO_OK)
        r = sio_on(rooms, "say", on_say, NULL);
    if (r == SIO_OK)
        r = sio_on(root, "namespaces", on_namespaces, server);
    return r;
}
