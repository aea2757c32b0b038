/*
 * namespaces.c -- the server's namespaces as the program asks for them:
 * <sio/server.h>, <sio/namespace.h>.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/server/server.h"

sio_namespace *sio_of(sio_server *server, const char *name)
{
    return so_namespace_get(&server->hub, name);
}

sio_namespace *sio_of_regex(sio_server *server, const char *regex)
{
    return so_of_regex(&server->hub, regex);
}

sio_namespace *sio_of_function(sio_server *server, sio_rule_fn fn, void *user)
{
    return so_of_function(&server->hub, fn, user);
}

int sio_on_new_namespace(sio_server *server, sio_new_namespace_fn fn,
                         void *user)
{
    return so_handler_add(&server->hub, &server->hub.on_namespace,
                          (void (*)(void))fn, user);
}

size_t sio_each_namespace(const sio_server *server,
                          void (*fn)(sio_namespace *nsp, void *user),
                          void *user)
{
    const struct map *all = &server->hub.namespaces;
    struct map_node *next;
    size_t count;

    so_lock(&server->hub);
    for (struct map_node *it = map_first(all); it; it = next) {
        next = map_next(all, it);
        fn(container_of(it, sio_namespace, node), user);
    }
    count = map_count(all);
    so_unlock(&server->hub);
    return count;
}

sio_namespace *sio_find_namespace(const sio_server *server, const char *name)
{
    return so_namespace_find(&server->hub, str_of(name));
}
