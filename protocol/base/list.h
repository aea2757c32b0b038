/*
 * list.h -- intrusive doubly linked list. The head is a node of its own; a
 * node that is in no list points at itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_BASE_LIST_H
#define PROTOCOL_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev, *next;
};

#define container_of(ptr, type, member) \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}

/* Of a head: no node in it. Of a node: in no list. */
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_append(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

/* Legal for a node that is in no list. */
static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Move all nodes of `from` to the empty head `to`. */
static inline void list_move(struct list *from, struct list *to)
{
    list_init(to);
    if (list_empty(from))
        return;
    to->next = from->next;
    to->prev = from->prev;
    to->next->prev = to;
    to->prev->next = to;
    list_init(from);
}

/* `it` may be removed in the body, its successor may not. */
#define list_for_each_safe(it, tmp, head)                               \
    for (struct list *it = (head)->next, *tmp = it->next; it != (head); \
         it = tmp, tmp = it->next)

#endif
