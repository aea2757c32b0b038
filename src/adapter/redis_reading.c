/*
 * redis_reading.c -- a client of Redis that reads one stream, or two: from
 * where they end, then whatever comes. See redis_streams.h.
 *
 *   XREVRANGE: the last entry's id --> XREAD BLOCK --> entries to cl_receive()
 *                                          ^------------------'
 *
 * The position is an id from the beginning: "$" would be another one at each
 * read, and what comes between two reads would be missed. It moves on behind
 * each entry, whatever becomes of that.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_streams.h"

#include "protocol/base/str.h"

#include <inttypes.h>
#include <stdio.h>

static void begin(struct redis_reading *r);

/* ----------------------------------------------------------------- state -- */

static void changed(struct redis_reading *r)
{
    r->owner->on_change(r->owner->self);
    if (redis_reading_fails(r))
        redis_keepings_unread(r);
}

/* What Redis does not do now it may do later: a user's rights, a key of another
 * type. status SIO_OK: its answer says why. */
static void refused(struct redis_reading *r, const char *command, int status,
                    const struct redis_reply *reply)
{
    const sio_str text =
        status == SIO_OK && reply->type == REDIS_ERROR
            ? reply->text
            : str_of(status == SIO_OK ? "an odd answer" : sio_strerror(status));

    snprintf(r->why, sizeof r->why, "%s: %.*s", command,
             (int)(text.n < 150 ? text.n : 150), text.p);
    r->refused = true;
    net_timer_start(&r->owner->retries, &r->retry);
    changed(r);
}

static void accepted(struct redis_reading *r)
{
    if (!r->refused)
        return;
    r->refused = false;
    r->why[0] = 0;
    changed(r);
}

void redis_reading_retry(struct net_timer *timer)
{
    begin(container_of(timer, struct redis_reading, retry));
}

/* Ask; what cannot even be asked is asked later. */
static void ask(struct redis_reading *r, const sio_str *argv, size_t argc,
                redis_on_reply *on_reply)
{
    int result =
        redis_command(r->redis, r->streams[0].name, argv, argc, on_reply, r);

    if (result < 0 && result != SIO_E_STATE)
        refused(r, argv[0].p, result, NULL);
}

/* A connection that was lost comes back: the same again waits for it. */
static bool is_answer(struct redis_reading *r, int status)
{
    if (r->owner->closed)
        return false;
    if (status == SIO_OK)
        return true;
    begin(r);
    return false;
}

/* --------------------------------------------------------------- entries -- */

static bool set_position(struct redis_stream *stream, sio_str id)
{
    struct pr_offset at;

    if (id.n >= sizeof stream->id || !pr_offset_read(id, &at))
        return false;
    stream->at = at;
    memcpy(stream->id, id.p, id.n);
    stream->id[id.n] = 0;
    return true;
}

void redis_fields_read(const struct redis_reply *list, struct redis_fields *out)
{
    const struct redis_reply *item =
        list && list->type == REDIS_ARRAY ? list->first : NULL;

    for (out->count = 0; item && out->count < REDIS_FIELDS_MAX;
         item = item->next)
        out->items[out->count++] = redis_text(item);
}

static sio_str field(const struct redis_fields *fields, sio_str name)
{
    for (size_t i = 0; i + 1 < fields->count; i += 2)
        if (str_eq(fields->items[i], name))
            return fields->items[i + 1];
    return (sio_str){ NULL, 0 };
}

/* Our own are known without understanding them, and so are those of namespaces
 * that are not here: each stream has those of several. */
static void take_entry(struct redis_reading *r, struct redis_stream *stream,
                       const struct redis_reply *entry)
{
    struct cl_node *node = r->owner->t->node;
    struct redis_fields fields;
    struct pr_message m;
    struct cl_nsp *nsp;
    struct arena arena;
    enum pr_error e;
    sio_str name;

    if (!set_position(stream, redis_text(redis_item(entry, 0))))
        return;
    redis_keepings_passed(r->owner, stream);
    redis_fields_read(redis_item(entry, 1), &fields);
    name = field(&fields, STR("nsp"));
    if (str_eq(field(&fields, STR("uid")), cl_uid(node))) {
        redis_sessions_entry(r->owner, stream, fields.items, fields.count);
        redis_keeping_met(
            r->owner, stream,
            redis_entry_hash(r->owner, name, field(&fields, STR("data"))));
        return;
    }
    nsp = cl_nsp_find(node, name);
    if (!nsp && name.n) {
        cl_passed_over(node);
        return;
    }
    arena_init(&arena);
    e = pr_entry_decode(&arena, fields.items, fields.count, &m);
    m.offset = str_of(stream->id);
    if (nsp && e == PR_E_OK) {
        redis_sessions_entry(r->owner, stream, fields.items, fields.count);
        cl_receive(nsp, &m);
    } else {
        cl_refuse(node, name, pr_error_text(e));
    }
    arena_free(&arena);
}

static struct redis_stream *find_stream(struct redis_reading *r, sio_str name)
{
    for (size_t i = 0; i < r->count; i++)
        if (str_eq(r->streams[i].name, name))
            return &r->streams[i];
    return NULL;
}

/* --------------------------------------------------------------- reading -- */

static void on_read(void *self, int status, const struct redis_reply *reply);

static void read_on(struct redis_reading *r)
{
    char limit[24], ms[16];
    sio_str argv[10] = { STR("XREAD"), STR("COUNT"), { limit, 0 },
                         STR("BLOCK"), { ms, 0 },    STR("STREAMS") };
    size_t n = 6;

    argv[2].n = (size_t)snprintf(limit, sizeof limit, "%zu", r->limit);
    argv[4].n = (size_t)snprintf(ms, sizeof ms, "%" PRIu32,
                                 r->owner->t->options->block_time_ms);
    for (size_t i = 0; i < r->count; i++)
        argv[n++] = r->streams[i].name;
    for (size_t i = 0; i < r->count; i++)
        argv[n++] = str_of(r->streams[i].id);
    ask(r, argv, n, on_read);
}

/* --- an entry that is longer than we take --- */

/* Its id, when the next entry is one. */
static const char long_one[] =
    "local e = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', 1)[1] "
    "if not e then return nil end "
    "local n = 0 "
    "for _, v in ipairs(e[2]) do n = n + #v end "
    "return n > tonumber(ARGV[2]) and e[1] or nil";

static void pass_long_one(struct redis_reading *r);

static void on_long_one(void *self, int status, const struct redis_reply *reply)
{
    struct redis_reading *r = self;

    if (!is_answer(r, status))
        return;
    if (reply->type == REDIS_ERROR) {
        refused(r, "EVAL", status, reply);
        return;
    }
    if (set_position(&r->streams[r->passing], redis_text(reply)))
        cl_refuse(r->owner->t->node, r->streams[r->passing].name,
                  "an entry is longer than half of max_reply");
    if (++r->passing < r->count)
        pass_long_one(r);
    else
        read_on(r);
}

/* Of streams[r->passing]. */
static void pass_long_one(struct redis_reading *r)
{
    const struct redis_stream *stream = &r->streams[r->passing];
    char most[24];
    struct grow next;
    sio_str argv[] = { STR("EVAL"),  str_of(long_one), STR("1"),
                       stream->name, { NULL, 0 },      { most, 0 } };

    argv[5].n = (size_t)snprintf(most, sizeof most, "%zu",
                                 r->owner->t->options->max_reply / 2);
    grow_init(&next, REDIS_STREAM_ID);
    if (pr_offset_next(&next, str_of(stream->id)) == SIO_OK) {
        argv[4] = grow_str(&next);
        ask(r, argv, 6, on_long_one);
    } else {
        refused(r, "EVAL", SIO_E_NOMEM, NULL);
    }
    grow_free(&next);
}

/* Fewer at once, down to one, which is then passed over: else it would be asked
 * for again and again. */
static void too_long(struct redis_reading *r)
{
    if (r->limit > 1) {
        r->limit = 1;
        read_on(r);
        return;
    }
    r->passing = 0;
    pass_long_one(r);
}

/* --- */

static void on_read(void *self, int status, const struct redis_reply *reply)
{
    struct redis_reading *r = self;
    const size_t most = r->owner->t->options->read_count;

    if (status == SIO_E_LIMIT && !r->owner->closed) {
        too_long(r);
        return;
    }
    if (!is_answer(r, status))
        return;
    if (reply->type != REDIS_ARRAY && reply->type != REDIS_NIL) {
        refused(r, "XREAD", status, reply);
        return;
    }
    accepted(r);
    r->limit = r->limit < most / 2 ? 2 * r->limit : most;
    for (const struct redis_reply *it = reply->first; it; it = it->next) {
        struct redis_stream *stream =
            find_stream(r, redis_text(redis_item(it, 0)));
        const struct redis_reply *entries = redis_item(it, 1);

        for (const struct redis_reply *entry = entries ? entries->first : NULL;
             stream && entry && !r->owner->closed; entry = entry->next)
            take_entry(r, stream, entry);
    }
    if (r->owner->closed)
        return;
    redis_sessions_moved(r->owner);
    read_on(r);
}

/* ----------------------------------------------------- the first position --
 */

/* A stream that is empty, or not there, begins with the next entry. */
static void on_last(void *self, int status, const struct redis_reply *reply)
{
    struct redis_reading *r = self;
    const struct redis_reply *entry;
    sio_str id;

    if (!is_answer(r, status))
        return;
    entry = redis_item(reply, 0);
    id = entry ? redis_text(redis_item(entry, 0)) : STR("0-0");
    if (reply->type != REDIS_ARRAY ||
        !set_position(&r->streams[r->pinned], id)) {
        refused(r, "XREVRANGE", status, reply);
        return;
    }
    accepted(r);
    r->pinned++;
    if (r->pinned == r->count)
        changed(r);
    begin(r);
}

static void begin(struct redis_reading *r)
{
    const sio_str argv[] = { STR("XREVRANGE"), r->streams[r->pinned % 2].name,
                             STR("+"),         STR("-"),
                             STR("COUNT"),     STR("1") };

    if (r->pinned < r->count)
        ask(r, argv, 6, on_last);
    else
        read_on(r);
}

/* ---------------------------------------------------- beginning and end -- */

static void on_state(void *self, enum redis_state state, const char *why)
{
    struct redis_reading *r = self;

    r->state = state;
    if (!r->refused)
        snprintf(r->why, sizeof r->why, "%s", why);
    changed(r);
}

int redis_reading_open(struct redis_reading *r,
                       const struct redis_options *client, char *why,
                       size_t why_size)
{
    static const struct redis_ops ops = { on_state };
    int result = redis_open(r->owner->t->node->loop, client, &ops, r, &r->redis,
                            why, why_size);

    if (result == SIO_OK)
        begin(r);
    return result;
}

void redis_reading_close(struct redis_reading *r)
{
    net_timer_stop(&r->retry);
    if (r->redis)
        redis_close(r->redis);
}
