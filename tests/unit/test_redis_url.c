/*
 * test_redis_url.c -- the urls of Redis servers: what they say, what is none.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/adapter/redis_url.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

/* "tls user:password @ host:port,... /db", or what went wrong. */
static const char *parse(const char *text)
{
    static char out[400];
    struct arena arena;
    struct redis_url url;
    size_t n;
    int r;

    arena_init(&arena);
    r = redis_url_parse(text, &arena, &url);
    if (r < 0) {
        snprintf(out, sizeof out, "!%d", r);
        arena_free(&arena);
        return out;
    }
    n = (size_t)snprintf(out, sizeof out, "%s%s:%s@", url.tls ? "tls " : "",
                         url.user ? url.user : "",
                         url.password ? url.password : "");
    for (size_t i = 0; i < url.count; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s|%u,",
                              url.servers[i].host,
                              (unsigned)url.servers[i].port);
    snprintf(out + n, sizeof out - n, "/%u", url.db);
    arena_free(&arena);
    return out;
}

static const struct {
    const char *text, *want;
} rows[] = {
    { "redis://localhost", ":@localhost|6379,/0" },
    { "redis://localhost:6380/3", ":@localhost|6380,/3" },
    { "redis://localhost/", ":@localhost|6379,/0" },
    { "rediss://example.com:6390", "tls :@example.com|6390,/0" },
    { "redis://user:secret@h", "user:secret@h|6379,/0" },
    { "redis://:secret@h:1", ":secret@h|1,/0" },
    { "redis://user@h", "user:@h|6379,/0" },
    { "redis://a%40b:p%3a%2F%25@h", "a@b:p:/%@h|6379,/0" },
    { "redis://u:p@ss@h", "u:p@ss@h|6379,/0" },
    { "redis://127.0.0.1:7000,127.0.0.1:7001,h",
      ":@127.0.0.1|7000,127.0.0.1|7001,h|6379,/0" },
    { "redis://[::1]", ":@::1|6379,/0" },
    { "redis://[::1]:7000,[fe80::1]:1/9", ":@::1|7000,fe80::1|1,/9" },
    { "unix:/run/redis.sock", ":@unix:/run/redis.sock|0,/0" },
    { "unix:@name", ":@unix:@name|0,/0" },
    { "", "!-10" },
    { "localhost", "!-10" },
    { "http://localhost", "!-10" },
    { "redis://", "!-10" },
    { "redis://:6379", "!-10" },
    { "redis://h,", "!-10" },
    { "redis://h:", "!-10" },
    { "redis://h:0", "!-10" },
    { "redis://h:65536", "!-10" },
    { "redis://h:12x", "!-10" },
    { "redis://h/x", "!-10" },
    { "redis://h/1/2", "!-10" },
    { "redis://[::1", "!-10" },
    { "redis://[::1]x", "!-10" },
    { "redis://a%4:b@h", "!-10" },
    { "redis://a%zz:b@h", "!-10" },
    { "redis://a:b%00c@h", "!-10" },
};

int main(void)
{
    char many[REDIS_SEEDS_MAX * 4 + 20] = "redis://h";

    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("redis url: \"%s\"", rows[i].text);
        CHECK(strcmp(parse(rows[i].text), rows[i].want) == 0, "'%s'",
              parse(rows[i].text));
    }

    T_CASE("redis url: the most servers, and one more");
    for (int i = 1; i < REDIS_SEEDS_MAX; i++)
        strcat(many, ",h");
    CHECK(parse(many)[0] == ':', "%s", parse(many));
    strcat(many, ",h");
    CHECK(strcmp(parse(many), "!-10") == 0, "%s", parse(many));

    T_CASE("redis url: the n-th allocation fails");
    for (long n = 0;; n++) {
        const char *said;

        oom_arm(n);
        said = parse("redis://user:password@h/1");
        if (!oom_disarm())
            break;
        CHECK(strcmp(said, "!-1") == 0, "%s", said);
    }
    return t_done();
}
