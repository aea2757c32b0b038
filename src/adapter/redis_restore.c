/*
 * redis_restore.c -- sessions of clients that may come back, in keys of Redis,
 * and what they have missed, in a stream. See redis_streams.h.
 *
 *   GET, DEL key; XRANGE: is the offset there? --> XRANGE, page by page
 *                                              --> sorted, told
 *
 * A page begins with the entry that the one before has ended with, the first
 * with the offset: when that is not there any more, the stream has been cut off
 * meanwhile, and nobody knows what else is gone.
 *
 * Whoever deletes the key has the session: two nodes may ask at once.
 *
 * What is told has to end exactly where this node is, since the rest reaches
 * the client as all others. That is, of entries of other nodes: up to the
 * position of the reading, so what pages have beyond is left out, and what the
 * reading meets while pages are on their way is taken in. Of our own entries:
 * all that the last page has, since their ids and the pages come on one
 * connection, in order. A reading that is still before the offset is waited
 * for: it would bring again what the client has had of another node.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_streams.h"

#include "protocol/base/str.h"

#include <stdio.h>
#include <stdlib.h>

/* An entry that the client has missed, so far as is known. */
struct missed {
    struct pr_offset at;
    const struct redis_stream *stream;
    struct pr_message m; /* in the arena */
    bool own;            /* of this node */
};

struct restore {
    struct list node; /* in s->restores */
    struct redis_streams *s;
    sio_cluster_restored_fn fn;
    void *user;
    unsigned refs;  /* the list, and each command without an answer */
    unsigned asked; /* answers of the beginning that are to come */
    int status;     /* the first failure */
    bool over;      /* in no list: nothing is told, `s` may be gone */
    bool deleted;   /* the key, by us */
    bool paging, parked;
    bool after; /* the cursor is no entry of the stream: only a place in it */
    struct net_alarm alarm;
    struct arena arena;
    struct pr_session session;
    /* Where its namespace's entries may be; the last one has our own. */
    const struct redis_stream *streams[2], *found;
    size_t stream_count, at; /* at: that of the next page */
    char cursor[REDIS_STREAM_ID];
    struct pr_offset offset;
    struct missed *missed;
    size_t missed_count, missed_cap, bytes;
    size_t nsp_len, offset_len;
    char text[]; /* the namespace, the offset */
};

static sio_str nsp_of(const struct restore *r)
{
    return (sio_str){ r->text, r->nsp_len };
}

static sio_str offset_of(const struct restore *r)
{
    return (sio_str){ r->text + r->nsp_len, r->offset_len };
}

/* ------------------------------------------------------------ life times -- */

static void unref(struct restore *r)
{
    if (--r->refs)
        return;
    arena_free(&r->arena);
    free(r->missed);
    free(r);
}

static void end(struct restore *r)
{
    if (r->over)
        return;
    r->over = true;
    list_remove(&r->node);
    net_alarm_stop(r->s->t->node->loop, &r->alarm);
    r->s->restore_count--;
    r->s->restored_bytes -= r->bytes;
    unref(r);
}

/* There is none. */
static void fail(struct restore *r, int status)
{
    if (r->over)
        return;
    r->refs++;
    end(r);
    r->fn(r->user, status, NULL, NULL, 0);
    unref(r);
}

static void on_alarm(struct net_alarm *alarm)
{
    fail(container_of(alarm, struct restore, alarm), SIO_E_TIMEOUT);
}

void redis_sessions_forget(struct redis_transport *t, void *user)
{
    struct redis_streams *s = t->streams;

    if (!s)
        return;
    list_for_each_safe(it, next, &s->restores)
    {
        struct restore *r = container_of(it, struct restore, node);

        if (r->user == user)
            end(r);
    }
}

void redis_sessions_end(struct redis_streams *s)
{
    while (!list_empty(&s->restores))
        fail(container_of(s->restores.next, struct restore, node), SIO_E_STATE);
}

/* --------------------------------------------------------------- telling -- */

static int by_offset(const void *a, const void *b)
{
    const struct missed *x = a, *y = b;
    int order = pr_offset_compare(x->at, y->at);

    return order ? order
                 : (x->stream->index > y->stream->index) -
                       (x->stream->index < y->stream->index);
}

/* Have the sockets of this node had it? */
static bool is_told(const struct missed *it)
{
    const struct redis_stream *stream = it->stream;

    return pr_offset_compare(it->at, stream->at) <= 0 ||
           (it->own && (pr_has_flag(&it->m.flags, PR_VOLATILE) ||
                        pr_offset_compare(it->at, stream->early) <= 0));
}

/* Sorted, each once, behind the offset and no further than this node is. */
static void settle(struct restore *r)
{
    size_t kept = 0;

    if (r->missed_count)
        qsort(r->missed, r->missed_count, sizeof *r->missed, by_offset);
    for (size_t i = 0; i < r->missed_count; i++) {
        const struct missed *it = &r->missed[i];

        if ((kept && by_offset(&r->missed[kept - 1], it) == 0) ||
            pr_offset_compare(it->at, r->offset) <= 0)
            continue;
        if (is_told(it))
            r->missed[kept++] = *it;
    }
    r->missed_count = kept;
}

static void tell(struct restore *r)
{
    const struct cl_nsp *nsp = cl_nsp_find(r->s->t->node, nsp_of(r));
    const sio_cluster_session session = {
        .sid = r->session.sid,
        .pid = r->session.pid,
        .rooms = r->session.rooms.items,
        .room_count = r->session.rooms.count,
        .data = cl_object(&r->session.data),
    };
    sio_cluster_request *requests;

    settle(r);
    requests = calloc(r->missed_count + 1, sizeof *requests);
    if (!nsp || !requests) {
        free(requests);
        fail(r, nsp ? SIO_E_NOMEM : SIO_E_STATE);
        return;
    }
    for (size_t i = 0; i < r->missed_count; i++) {
        cl_to_request(nsp, &r->missed[i].m, &requests[i]);
        requests[i].offset = r->missed[i].m.offset;
    }
    end(r); /* who has called this holds it */
    r->fn(r->user, SIO_OK, &session, requests, r->missed_count);
    free(requests);
}

/* --------------------------------------------------------------- entries -- */

static bool shares_room(const struct pr_names *a, const struct pr_names *b)
{
    for (size_t i = 0; i < a->count; i++)
        for (size_t k = 0; k < b->count; k++)
            if (str_eq(a->items[i], b->items[k]))
                return true;
    return false;
}

static bool is_meant(const struct restore *r, const struct pr_message *m)
{
    return m->type == PR_BROADCAST && m->request_id.n == 0 &&
           str_eq(m->nsp, nsp_of(r)) &&
           (m->rooms.count == 0 || shares_room(&m->rooms, &r->session.rooms)) &&
           !shares_room(&m->except, &r->session.rooms);
}

/* The next one in the list; NULL: no memory for it, or too much. */
static struct missed *next_missed(struct restore *r, size_t bytes)
{
    const size_t max = r->s->t->options->max_queued;
    size_t cap = r->missed_cap ? 2 * r->missed_cap : 8;
    struct missed *grown;

    if (bytes > max || r->s->restored_bytes > max - bytes)
        return NULL;
    if (r->missed_count < r->missed_cap)
        return &r->missed[r->missed_count];
    grown = realloc(r->missed, cap * sizeof *grown);
    if (!grown)
        return NULL;
    r->missed = grown;
    r->missed_cap = cap;
    return &grown[r->missed_count];
}

static sio_str copy(char **at, sio_str text)
{
    const sio_str to = { *at, text.n };

    if (text.n)
        memcpy(*at, text.p, text.n);
    *at += text.n;
    return to;
}

/* Take in an entry that is meant: a copy of it. */
static int add(struct restore *r, const struct redis_stream *stream, sio_str id,
               const sio_str *fields, size_t count)
{
    sio_str copies[REDIS_FIELDS_MAX];
    size_t bytes = id.n + sizeof(struct missed);
    struct missed *to;
    char *at;

    for (size_t i = 0; i < count; i++)
        bytes += fields[i].n;
    to = next_missed(r, bytes);
    if (!to)
        return SIO_E_LIMIT;
    at = arena_alloc(&r->arena, bytes);
    if (!at)
        return SIO_E_NOMEM;
    for (size_t i = 0; i < count; i++)
        copies[i] = copy(&at, fields[i]);
    if (pr_entry_decode(&r->arena, copies, count, &to->m) != PR_E_OK)
        return SIO_E_NOMEM; /* it could be read a moment ago */
    to->m.offset = copy(&at, id);
    (void)pr_offset_read(id, &to->at);
    to->stream = stream;
    to->own = str_eq(to->m.uid, cl_uid(r->s->t->node));
    r->missed_count++;
    r->bytes += bytes;
    r->s->restored_bytes += bytes;
    return SIO_OK;
}

static int look_at(struct restore *r, const struct redis_stream *stream,
                   sio_str id, const sio_str *fields, size_t count)
{
    struct pr_message m;
    struct arena arena;
    enum pr_error e;
    bool meant;

    arena_init(&arena);
    e = pr_entry_decode(&arena, fields, count, &m);
    meant = e == PR_E_OK && is_meant(r, &m);
    arena_free(&arena);
    if (e == PR_E_NOMEM)
        return SIO_E_NOMEM;
    return meant ? add(r, stream, id, fields, count) : SIO_OK;
}

void redis_sessions_entry(struct redis_streams *s,
                          const struct redis_stream *stream,
                          const sio_str *fields, size_t count)
{
    list_for_each_safe(it, next, &s->restores)
    {
        struct restore *r = container_of(it, struct restore, node);
        int result = SIO_OK;

        for (size_t i = 0; r->paging && i < r->stream_count; i++)
            if (r->streams[i] == stream)
                result = look_at(r, stream, str_of(stream->id), fields, count);
        if (result < 0 && r->status == SIO_OK)
            r->status = result;
    }
}

/* ----------------------------------------------------------------- pages -- */

static void ask_page(struct restore *r);

static int ask(struct restore *r, sio_str key, const sio_str *argv, size_t argc,
               redis_on_reply *on_reply)
{
    int result = redis_command(r->s->t->redis, key, argv, argc, on_reply, r);

    if (result == SIO_OK)
        r->refs++;
    return result;
}

static void finish(struct restore *r)
{
    if (r->status < 0) {
        fail(r, r->status);
    } else if (pr_offset_compare(r->found->at, r->offset) < 0) {
        r->parked = true;
    } else {
        tell(r);
    }
}

void redis_sessions_moved(struct redis_streams *s)
{
    list_for_each_safe(it, next, &s->restores)
    {
        struct restore *r = container_of(it, struct restore, node);

        if (!r->parked || pr_offset_compare(r->found->at, r->offset) < 0)
            continue;
        r->parked = false;
        ask_page(r); /* what we have added meanwhile */
    }
}

static void note(struct restore *r, int status)
{
    if (r->status == SIO_OK)
        r->status = status;
}

/* Entries are looked at by their fields; what is none is passed over. */
static void take_missed(struct restore *r, const struct redis_reply *it)
{
    const sio_str id = redis_text(redis_item(it, 0));
    struct redis_fields fields;

    redis_fields_read(redis_item(it, 1), &fields);
    if (id.n >= sizeof r->cursor || !pr_offset_valid(id))
        return;
    memcpy(r->cursor, id.p, id.n);
    r->cursor[id.n] = 0;
    r->after = false;
    note(r, look_at(r, r->streams[r->at], id, fields.items, fields.count));
}

/* Returns how many entries it has. */
static size_t take_page(struct restore *r, const struct redis_reply *reply)
{
    const struct redis_reply *it = reply->first;
    size_t n = 0;

    if (!r->after) {
        if (!it || !str_eq(redis_text(redis_item(it, 0)), str_of(r->cursor))) {
            note(r, SIO_E_LIMIT);
            return 0;
        }
        it = it->next;
        n++;
    }
    for (; it; it = it->next, n++)
        take_missed(r, it);
    return n;
}

static void start_stream(struct restore *r)
{
    r->after = r->streams[r->at] != r->found;
    snprintf(r->cursor, sizeof r->cursor, "%.*s", (int)r->offset_len,
             offset_of(r).p);
}

static void on_page(void *self, int status, const struct redis_reply *reply)
{
    struct restore *r = self;
    size_t n = 0;

    if (!r->over && status == SIO_OK && reply->type != REDIS_ARRAY)
        status = SIO_E_STATE;
    if (!r->over && status < 0)
        fail(r, status);
    if (!r->over) {
        n = take_page(r, reply);
        if (n < REDIS_PAGE && r->status == SIO_OK &&
            r->at + 1 < r->stream_count) {
            r->at++;
            start_stream(r);
            n = REDIS_PAGE;
        }
        if (n < REDIS_PAGE || r->status < 0)
            finish(r);
        else
            ask_page(r);
    }
    unref(r);
}

static void ask_page(struct restore *r)
{
    char page[12];
    struct grow next;
    const sio_str name = r->streams[r->at]->name;
    sio_str argv[] = { STR("XRANGE"), name,         str_of(r->cursor),
                       STR("+"),      STR("COUNT"), { page, 0 } };
    int result = SIO_OK;

    argv[5].n = (size_t)snprintf(page, sizeof page, "%d", REDIS_PAGE);
    grow_init(&next, sizeof r->cursor);
    if (r->after) {
        result = pr_offset_next(&next, str_of(r->cursor));
        argv[2] = grow_str(&next);
    }
    if (result == SIO_OK)
        result = ask(r, name, argv, 6, on_page);
    grow_free(&next);
    if (result < 0)
        fail(r, result);
}

/* ------------------------------------------------------------- beginning -- */

/* All answers of the beginning have come. */
static void began(struct restore *r, int status)
{
    if (status < 0 && r->status == SIO_OK)
        r->status = status;
    if (!r->over && --r->asked == 0) {
        if (r->status == SIO_OK && (!r->session.sid.n || !r->deleted))
            r->status = SIO_E_RANGE;
        if (r->status == SIO_OK && !r->found)
            r->status = SIO_E_LIMIT;
        r->paging = r->status == SIO_OK;
        if (r->paging) {
            start_stream(r);
            ask_page(r);
        } else {
            fail(r, r->status);
        }
    }
    unref(r);
}

static void on_got(void *self, int status, const struct redis_reply *reply)
{
    struct restore *r = self;

    if (status == SIO_OK && reply->type == REDIS_ERROR)
        status = SIO_E_STATE;
    if (status == SIO_OK && reply->type == REDIS_STRING &&
        pr_session_decode(&r->arena, reply->text, &r->session) != PR_E_OK)
        status = SIO_E_RANGE;
    began(r, status);
}

static void on_deleted(void *self, int status, const struct redis_reply *reply)
{
    struct restore *r = self;

    if (status == SIO_OK && reply->type != REDIS_INTEGER)
        status = SIO_E_STATE;
    r->deleted = status == SIO_OK && reply->integer > 0;
    began(r, status);
}

static void offset_answer(struct restore *r, size_t i, int status,
                          const struct redis_reply *reply)
{
    if (status == SIO_OK && reply->type != REDIS_ARRAY)
        status = SIO_E_STATE;
    if (status == SIO_OK && reply->first)
        r->found = r->streams[i];
    began(r, status);
}

static void on_offset(void *self, int status, const struct redis_reply *reply)
{
    offset_answer(self, 0, status, reply);
}

static void on_other_offset(void *self, int status,
                            const struct redis_reply *reply)
{
    offset_answer(self, 1, status, reply);
}

static int ask_session(struct restore *r, sio_str pid)
{
    struct redis_transport *t = r->s->t;
    const sio_str prefix = str_of(t->options->session_key_prefix);
    sio_str get[] = { STR("GET"), { NULL, 0 } };
    sio_str del[] = { STR("DEL"), { NULL, 0 } };
    int result;

    redis_transport_clear(t);
    result = grow_append(&t->channel, prefix.p, prefix.n);
    if (result == SIO_OK)
        result = grow_append(&t->channel, pid.p, pid.n);
    if (result < 0)
        return result;
    get[1] = del[1] = grow_str(&t->channel);
    result = ask(r, get[1], get, 2, on_got);
    if (result < 0)
        return result;
    r->asked++;
    result = ask(r, del[1], del, 2, on_deleted);
    if (result == SIO_OK)
        r->asked++;
    return result;
}

static int ask_offset(struct restore *r, size_t i)
{
    const sio_str name = r->streams[i]->name, id = offset_of(r);
    const sio_str argv[] = { STR("XRANGE"), name, id, id };
    int result = ask(r, name, argv, 4, i == 0 ? on_offset : on_other_offset);

    if (result == SIO_OK)
        r->asked++;
    return result;
}

/* That of Node, where it is another one, and ours. */
static void find_streams(struct restore *r)
{
    const struct redis_streams *s = r->s;
    const int n = (int)s->t->options->stream_count;
    const int indices[] = { pr_stream_index(nsp_of(r), n),
                            redis_streams_index(s->t->options, nsp_of(r)) };

    for (size_t k = indices[0] == indices[1]; k < 2; k++)
        for (size_t i = 0; i < s->count; i++)
            for (size_t j = 0; j < s->readings[i].count; j++)
                if (s->readings[i].streams[j].index == indices[k])
                    r->streams[r->stream_count++] = &s->readings[i].streams[j];
}

static struct restore *restore_new(struct redis_streams *s, sio_str nsp,
                                   sio_str offset)
{
    struct restore *r = calloc(1, sizeof *r + nsp.n + offset.n);

    if (!r)
        return NULL;
    r->s = s;
    r->refs = 1;
    r->nsp_len = nsp.n;
    r->offset_len = offset.n;
    memcpy(r->text, nsp.p, nsp.n);
    memcpy(r->text + nsp.n, offset.p, offset.n);
    arena_init(&r->arena);
    net_alarm_init(&r->alarm, on_alarm);
    if (net_alarm_start(s->t->node->loop, &r->alarm, REDIS_RESTORE_MS) < 0) {
        free(r);
        return NULL;
    }
    find_streams(r);
    list_append(&s->restores, &r->node);
    s->restore_count++;
    return r;
}

int redis_sessions_restore(struct redis_transport *t, sio_str nsp, sio_str pid,
                           sio_str offset, sio_cluster_restored_fn fn,
                           void *user)
{
    struct redis_streams *s = t->streams;
    struct pr_offset at;
    struct restore *r;
    int result;

    if (!s || !cl_nsp_find(t->node, nsp))
        return SIO_E_STATE;
    if (offset.n >= REDIS_STREAM_ID || !pr_offset_read(offset, &at) ||
        s->restore_count >= REDIS_RESTORES_MAX)
        return SIO_E_LIMIT;
    r = restore_new(s, nsp, offset);
    if (!r)
        return SIO_E_NOMEM;
    r->offset = at;
    r->fn = fn;
    r->user = user;
    result = ask_session(r, pid);
    for (size_t i = 0; i < r->stream_count && result == SIO_OK; i++)
        result = ask_offset(r, i);
    if (result < 0)
        end(r); /* answers of what was asked find it over */
    return result;
}

/* ---------------------------------------------------------------- saving -- */

static void on_saved(void *self, int status, const struct redis_reply *reply)
{
    struct redis_transport *t = self;

    if (status == SIO_OK && reply->type == REDIS_ERROR)
        status = SIO_E_SYS;
    cl_published(t->node, status);
}

int redis_sessions_save(struct redis_transport *t,
                        const sio_cluster_session *session, uint32_t ms)
{
    const struct pr_session value = {
        .sid = session->sid,
        .pid = session->pid,
        .rooms = { session->rooms, session->room_count },
        .data = session->data,
    };
    const sio_str prefix = str_of(t->options->session_key_prefix);
    sio_str argv[] = {
        STR("SET"), { NULL, 0 }, { NULL, 0 }, STR("PX"), { NULL, 0 }
    };
    char px[12];
    int r;

    if (!t->streams)
        return SIO_E_STATE;
    redis_transport_clear(t);
    r = grow_append(&t->channel, prefix.p, prefix.n);
    if (r == SIO_OK)
        r = grow_append(&t->channel, session->pid.p, session->pid.n);
    if (r == SIO_OK)
        r = pr_session_encode(&t->payload, &value);
    if (r < 0)
        return r;
    argv[1] = grow_str(&t->channel);
    argv[2] = grow_str(&t->payload);
    argv[4] =
        (sio_str){ px, (size_t)snprintf(px, sizeof px, "%u", (unsigned)ms) };
    return redis_command(t->redis, argv[1], argv, 5, on_saved, t);
}
