/*
 * redis_command.c -- see redis_command.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ RESP -- */

/* "*3\r\n": a mark, a number, the end of the line. */
static size_t put_head(char out[24], char mark, size_t n)
{
    char digits[20];
    size_t count = 0, at = 0;

    do {
        digits[count++] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    out[at++] = mark;
    while (count)
        out[at++] = digits[--count];
    out[at++] = '\r';
    out[at++] = '\n';
    return at;
}

size_t redis_encoded_size(const sio_str *argv, size_t argc)
{
    char head[24];
    size_t n = put_head(head, '*', argc);

    for (size_t i = 0; i < argc; i++)
        n += put_head(head, '$', argv[i].n) + argv[i].n + 2;
    return n;
}

void redis_encode(char *out, const sio_str *argv, size_t argc)
{
    char head[24];
    size_t n = put_head(head, '*', argc);

    memcpy(out, head, n);
    out += n;
    for (size_t i = 0; i < argc; i++) {
        n = put_head(head, '$', argv[i].n);
        memcpy(out, head, n);
        out += n;
        if (argv[i].n)
            memcpy(out, argv[i].p, argv[i].n);
        out += argv[i].n;
        *out++ = '\r';
        *out++ = '\n';
    }
}

/* -------------------------------------------------------------- commands -- */

static struct redis_command *take_spare(struct redis_shared *s)
{
    struct list *first = s->spare.next;

    if (list_empty(&s->spare))
        return malloc(sizeof(struct redis_command));
    list_remove(first);
    s->spare_count--;
    return container_of(first, struct redis_command, node);
}

int redis_command_new(struct redis_shared *s, size_t bytes,
                      redis_on_reply *on_reply, void *self,
                      struct redis_command **out)
{
    size_t cost = bytes + sizeof(struct redis_command);
    struct redis_command *c;

    c = cost > s->max_queued || s->queued > s->max_queued - cost
            ? NULL
            : take_spare(s);
    if (!c) {
        s->dropped++;
        return s->queued + cost > s->max_queued ? SIO_E_LIMIT : SIO_E_NOMEM;
    }
    *c = (struct redis_command){ .on_reply = on_reply,
                                 .self = self,
                                 .cost = cost };
    list_init(&c->node);
    net_timer_init(&c->timeout);
    net_timer_start(&s->timeouts, &c->timeout);
    s->queued += cost;
    s->commands++;
    *out = c;
    return SIO_OK;
}

void redis_command_end(struct redis_shared *s, struct redis_command *c,
                       int status, const struct redis_reply *reply)
{
    redis_on_reply *on_reply = c->on_reply;
    void *self = c->self;

    list_remove(&c->node);
    net_timer_stop(&c->timeout);
    buf_unref(c->bytes);
    s->queued -= c->cost;
    if (status < 0)
        s->failed++;
    if (s->spare_count < REDIS_SPARE_COMMANDS) {
        list_append(&s->spare, &c->node);
        s->spare_count++;
    } else {
        free(c);
    }
    if (on_reply)
        on_reply(self, status, reply);
}

void redis_spare_free(struct redis_shared *s)
{
    list_for_each_safe(it, next, &s->spare)
        free(container_of(it, struct redis_command, node));
    list_init(&s->spare);
}
