/*
 * test_pr_vectors.c -- what Node's adapters and emitters published, as captured
 * in tests/vectors/redis.json: each message is read, gives the packet that
 * Node's clients got, is written again byte for byte, and is published on the
 * same channel; cut anywhere it is refused, and failing allocations are told.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/redis/classic.h"
#include "protocol/redis/cluster.h"
#include "protocol/redis/stream.h"
#include "tests/unit/exact.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <cjson/cJSON.h>

#define FIELDS 16

struct vector {
    const char *name, *format, *channel, *frame, *error, *offset;
    sio_str bytes;
    sio_str fields[FIELDS];
    size_t count;
    /* found out */
    sio_str prefix, nsp, asker;
    enum pr_place place;
};

static const char *text_of(const cJSON *row, const char *key)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(row, key);

    return cJSON_IsString(v) ? v->valuestring : NULL;
}

static sio_str unhex(const char *hex)
{
    const size_t n = strlen(hex) / 2;
    char *bytes = malloc(n ? n : 1);
    unsigned byte;

    for (size_t i = 0; i < n; i++) {
        sscanf(hex + 2 * i, "%2x", &byte);
        bytes[i] = (char)byte;
    }
    return (sio_str){ bytes, n };
}

/* The prefix ends at '#' or "-re"; the namespace at the next '#'. */
static void split_channel(struct vector *v)
{
    static char nsp[64];
    const sio_str channel = str_of(v->channel);
    const char *hash = strchr(v->channel, '#');
    sio_str name = { NULL, 0 };
    size_t n = (size_t)(hash - v->channel);

    if (n > 8 && memcmp(hash - 8, "-request", 8) == 0)
        n -= 8;
    else if (n > 9 && memcmp(hash - 9, "-response", 9) == 0)
        n -= 9;
    v->prefix = (sio_str){ v->channel, n };
    snprintf(nsp, sizeof nsp, "%.*s", (int)strcspn(hash + 1, "#"), hash + 1);
    v->nsp = str_of(nsp);
    v->place = pr_channel_place(v->prefix, v->nsp, channel, &name);
    v->asker = name;
}

static void load(struct vector *v, const cJSON *row)
{
    const cJSON *field, *fields = cJSON_GetObjectItem(row, "fields");
    const char *text = text_of(row, "text"), *hex = text_of(row, "hex");

    *v = (struct vector){ .name = text_of(row, "name"),
                          .format = text_of(row, "format"),
                          .channel = text_of(row, "channel"),
                          .frame = text_of(row, "frame"),
                          .error = text_of(row, "error"),
                          .offset = text_of(row, "offset") };
    if (text)
        v->bytes = (sio_str){ exact_copy(text, strlen(text)), strlen(text) };
    else if (hex)
        v->bytes = unhex(hex);
    cJSON_ArrayForEach(field, fields) if (v->count < FIELDS)
        v->fields[v->count++] = str_of(field->valuestring);
    if (v->channel)
        split_channel(v);
}

static enum pr_error decode(struct arena *a, const struct vector *v,
                            sio_str bytes, struct pr_message *out)
{
    if (strcmp(v->format, "classic") == 0)
        return pr_classic_decode(a, v->place, bytes, out);
    if (strcmp(v->format, "entry") == 0)
        return pr_entry_decode(a, v->fields, v->count, out);
    return pr_cluster_decode(
        a, bytes,
        strcmp(v->format, "streams") == 0 ? PR_MSGPACK : PR_JSON_OR_MSGPACK,
        out);
}

static int encode(struct grow *out, const struct vector *v,
                  const struct pr_message *m, struct pr_entry *entry)
{
    if (strcmp(v->format, "classic") == 0)
        return pr_classic_encode(out, m);
    if (strcmp(v->format, "entry") == 0)
        return pr_entry_encode(out, m, false, entry);
    return pr_cluster_encode(
        out,
        strcmp(v->format, "streams") == 0 ? PR_MSGPACK : PR_JSON_OR_MSGPACK, m);
}

static void check_frame(const struct vector *v, const struct pr_message *m)
{
    struct sp_message packet = pr_packet(m, SP_NO_ID, str_of(v->offset));
    struct sp_attachments bin;
    struct grow text;

    grow_init(&text, SIZE_MAX);
    sp_attachments_init(&bin);
    CHECK(sp_encode(&text, &bin, &packet) == SIO_OK, "no packet");
    CHECK(str_eq(grow_str(&text), str_of(v->frame)), "%.*s", (int)text.len,
          (char *)text.data);
    sp_attachments_free(&bin);
    grow_free(&text);
}

static enum pr_mode mode_of(const struct vector *v)
{
    if (strstr(v->name, "-private-"))
        return PR_DYNAMIC_PRIVATE;
    return strstr(v->name, "-static-") || strcmp(v->format, "streams") == 0
               ? PR_STATIC
               : PR_DYNAMIC;
}

static void check_channel(const struct vector *v, const struct pr_message *m)
{
    /* an own channel is that of the node that asked */
    const bool answer =
        v->place == PR_OWN_RESPONSE ||
        (v->place == PR_NAMED && m->type > PR_FETCH && m->type != PR_EMIT);
    const sio_str asker = answer ? v->asker : STR("");
    struct grow name;

    grow_init(&name, SIZE_MAX);
    if (strcmp(v->format, "classic") == 0)
        pr_classic_channel(&name, v->prefix, v->nsp, m, asker);
    else
        pr_cluster_channel(&name, v->prefix, v->nsp, mode_of(v), m, asker);
    CHECK(str_eq(grow_str(&name), str_of(v->channel)), "%.*s", (int)name.len,
          (char *)name.data);
    grow_free(&name);
}

static void check_written(const struct vector *v, const struct pr_message *m)
{
    struct pr_entry entry;
    struct grow out;
    int r;

    grow_init(&out, SIZE_MAX);
    r = encode(&out, v, m, &entry);
    CHECK(r == SIO_OK, "%d", r);
    if (r == SIO_OK && v->count) {
        CHECK(entry.count == v->count, "%zu fields", entry.count);
        for (size_t i = 0; i < entry.count && i < v->count; i++)
            CHECK(str_eq(entry.fields[i], v->fields[i]), "%.*s",
                  (int)entry.fields[i].n, entry.fields[i].p);
    } else if (r == SIO_OK) {
        CHECK(str_eq(grow_str(&out), v->bytes), "%s",
              shown((char *)out.data, out.len));
    }
    grow_free(&out);
}

static void check_cut(const struct vector *v)
{
    struct pr_message m;
    struct arena a;

    for (size_t n = 0; n < v->bytes.n; n++) {
        char *cut = exact_copy(v->bytes.p, n);

        arena_init(&a);
        CHECK(decode(&a, v, (sio_str){ cut, n }, &m) == PR_E_FORM, "at %zu", n);
        arena_free(&a);
        free(cut);
    }
}

static void check_oom(const struct vector *v, const struct pr_message *whole)
{
    enum pr_error e = PR_E_NOMEM;
    struct pr_message m;
    struct pr_entry entry;
    struct grow out;
    struct arena a;
    int r = SIO_E_NOMEM;

    for (long n = 0; n < 100 && e == PR_E_NOMEM; n++) {
        arena_init(&a);
        oom_arm(n);
        e = decode(&a, v, v->bytes, &m);
        CHECK(oom_disarm() == (e == PR_E_NOMEM), "%ld: %d", n, e);
        arena_free(&a);
    }
    CHECK(e == PR_E_OK, "%d", e);
    for (long n = 0; n < 100 && r == SIO_E_NOMEM; n++) {
        grow_init(&out, SIZE_MAX);
        oom_arm(n);
        r = encode(&out, v, whole, &entry);
        CHECK(oom_disarm() == (r == SIO_E_NOMEM), "%ld: %d", n, r);
        CHECK(r == SIO_OK || out.len == 0, "%zu left", out.len);
        grow_free(&out);
    }
}

static bool has(const cJSON *row, const char *key)
{
    return cJSON_HasObjectItem(row, key);
}

static void run(const struct vector *v, const cJSON *row)
{
    struct pr_message m;
    enum pr_error e;
    struct arena a;

    arena_init(&a);
    T_CASE("%s", v->name);
    e = decode(&a, v, v->bytes, &m);
    CHECK(strcmp(pr_error_text(e), v->error ? v->error : "") == 0, "%s",
          pr_error_text(e));
    if (e == PR_E_OK && v->frame)
        check_frame(v, &m);
    if (e == PR_E_OK && !has(row, "handmade")) {
        if (!has(row, "differs"))
            check_written(v, &m);
        check_oom(v, &m);
        if (v->channel)
            check_channel(v, &m);
    }
    if (e == PR_E_OK)
        check_cut(v);
    arena_free(&a);
}

static void run_session(const struct vector *v)
{
    struct pr_session s;
    struct grow out;
    struct arena a;

    T_CASE("R67: %s", v->name);
    arena_init(&a);
    grow_init(&out, SIZE_MAX);
    CHECK(pr_session_decode(&a, v->bytes, &s) == PR_E_OK, "refused");
    CHECK(str_eq(s.sid, STR("oIWB00BPFKGqbwxSAAAE")), "%.*s", (int)s.sid.n,
          s.sid.p);
    CHECK(str_eq(s.pid, STR("OFNcQbaGEKzI4q_pAAAF")), "%.*s", (int)s.pid.n,
          s.pid.p);
    CHECK(s.rooms.count == 3 && str_eq(s.rooms.items[2], STR("secret")),
          "%zu rooms", s.rooms.count);
    CHECK(pr_session_encode(&out, &s) == SIO_OK &&
              str_eq(grow_str(&out), v->bytes),
          "%.*s", (int)out.len, (char *)out.data);
    grow_free(&out);
    arena_free(&a);
}

int main(void)
{
    FILE *file = fopen("tests/vectors/redis.json", "r");
    static char text[1 << 20];
    struct vector v;
    const cJSON *row;
    cJSON *tree;
    size_t n = 0;

    if (file) {
        n = fread(text, 1, sizeof text - 1, file);
        fclose(file);
    }
    text[n] = 0;
    tree = cJSON_Parse(text);
    n = 0;
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(tree, "messages"))
    {
        load(&v, row);
        if (strcmp(v.format, "session") == 0)
            run_session(&v);
        else
            run(&v, row);
        free((char *)(uintptr_t)v.bytes.p);
        n++;
    }
    T_CASE("all vectors were there");
    CHECK(n > 250, "%zu", n);
    cJSON_Delete(tree);
    return t_done();
}
