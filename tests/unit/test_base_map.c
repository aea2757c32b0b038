/*
 * test_base_map.c -- the map: SipHash vectors, add, find, order and removal of
 * some thousand keys, and memory running out at every allocation.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/map.h"
#include "protocol/base/str.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#define KEYS 5000

/* The bytes 00 .. 0f of the vectors' key, least significant first. */
static const uint64_t seed[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

static struct item {
    struct map_node node;
    char key[16];
} items[KEYS];

static sio_str key_of(size_t i)
{
    return str_of(items[i].key);
}

/* Of the input 00 01 02 ...; the same as other implementations have it. */
static void hashes(void)
{
    static const struct {
        size_t n;
        uint64_t want;
    } rows[] = {
        { 0, 0xabac0158050fc4dc },  { 1, 0xc9f49bf37d57ca93 },
        { 7, 0xd3927d989bb11140 },  { 8, 0x369095118d299a8e },
        { 20, 0xc0dc2f46a6cce040 }, { 63, 0x9d199062b7bbb3a8 },
    };
    char input[63];

    for (size_t i = 0; i < sizeof input; i++)
        input[i] = (char)i;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t got = map_hash(seed, (sio_str){ input, rows[i].n });

        T_CASE("map: SipHash-1-3 of %zu bytes", rows[i].n);
        CHECK(got == rows[i].want, "got %016llx", (unsigned long long)got);
    }
}

/* That the map holds the items [from, to) in this order and nothing else. */
static void check_holds(const struct map *m, size_t from, size_t to)
{
    size_t at = from;

    CHECK(map_count(m) == to - from, "count %zu, want %zu", map_count(m),
          to - from);
    for (struct map_node *n = map_first(m); n; n = map_next(m, n)) {
        CHECK(at < to && str_eq(map_key(n), key_of(at)), "%.*s at %zu",
              (int)map_key(n).n, map_key(n).p, at);
        at++;
    }
    CHECK(at == to, "iteration ended at %zu", at);
    for (size_t i = 0; i < KEYS; i++) {
        struct map_node *want = i >= from && i < to ? &items[i].node : NULL;
        char copy[16];

        memcpy(copy, items[i].key, sizeof copy);
        CHECK(map_find(m, str_of(copy)) == want, "find %s", copy);
    }
}

static void many(void)
{
    struct map m;

    T_CASE("map: %d keys added, found, in order", KEYS);
    map_init(&m, seed);
    check_holds(&m, 0, 0);
    for (size_t i = 0; i < KEYS; i++)
        CHECK(map_add(&m, &items[i].node, key_of(i)) == SIO_OK, "add %zu", i);
    check_holds(&m, 0, KEYS);

    T_CASE("map: a key that is there is refused");
    struct map_node other;
    CHECK(map_add(&m, &other, key_of(7)) == SIO_E_STATE, "add");
    check_holds(&m, 0, KEYS);

    T_CASE("map: removal, first and last too, until nothing is left");
    for (size_t i = 0; i < 100; i++) {
        map_remove(&m, &items[i].node);
        map_remove(&m, &items[KEYS - 1 - i].node);
    }
    check_holds(&m, 100, KEYS - 100);
    for (size_t i = 100; i < KEYS - 100; i++)
        map_remove(&m, &items[i].node);
    check_holds(&m, 0, 0);
    CHECK(!m.nodes, "the table is still there");
}

/* More come and go than a block has room for. */
static void churn(void)
{
    struct map_node *n;
    struct map m;
    size_t from = 0, at;

    T_CASE("map: some stay few, others come and go: in order, no larger");
    map_init(&m, seed);
    for (size_t i = 0; i < KEYS; i++) {
        CHECK(map_add(&m, &items[i].node, key_of(i)) == SIO_OK, "add %zu", i);
        if (i >= 10)
            map_remove(&m, &items[from++].node);
        CHECK(m.mask < 32, "%u slots", (unsigned)m.mask + 1);
    }
    check_holds(&m, from, KEYS);

    T_CASE("map: a walk may remove what it is at, and what is before it");
    at = map_begin(&m);
    while ((n = map_walk(&m, &at))) {
        CHECK(n == &items[from].node, "not item %zu", from);
        if (from % 3 == 1 && from > KEYS - 10)
            map_remove(&m, &items[from - 1].node);
        if (from % 3 != 0)
            map_remove(&m, n);
        from++;
    }
    CHECK(from == KEYS, "ended at %zu", from);
    for (size_t i = KEYS - 10; i < KEYS; i++)
        if (map_find(&m, key_of(i)))
            map_remove(&m, &items[i].node);
    check_holds(&m, 0, 0);
    CHECK(map_walk(&m, &(size_t){ map_begin(&m) }) == NULL, "walked on");
}

/* Add the items [from, to). */
static void add(struct map *m, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        CHECK(map_add(m, &items[i].node, key_of(i)) == SIO_OK, "add %zu", i);
}

static void take(struct map *m, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        map_remove(m, &items[i].node);
}

static void fits(void)
{
    struct map m;
    uint32_t large;

    T_CASE("map: it fits as long as a 16th of the block is used");
    map_init(&m, seed);
    map_fit(&m);
    add(&m, 0, KEYS);
    large = m.mask;
    take(&m, 0, KEYS - (large + 1) / 4 * 3 / 16 - 1);
    map_fit(&m);
    CHECK(m.mask == large, "%u slots", (unsigned)m.mask + 1);

    T_CASE("map: when less is, it is made smaller, in order");
    take(&m, KEYS - (large + 1) / 4 * 3 / 16 - 1, KEYS - 3);
    oom_arm(0);
    map_fit(&m);
    CHECK(oom_disarm() && m.mask == large, "no memory: as it was");
    map_fit(&m);
    CHECK(m.mask < 64, "%u slots", (unsigned)m.mask + 1);
    check_holds(&m, KEYS - 3, KEYS);
    take(&m, KEYS - 3, KEYS);
    map_fit(&m);

    T_CASE("map: the next one that comes makes it fit as well");
    add(&m, 0, KEYS - 1);
    take(&m, 0, KEYS - 4);
    CHECK(m.mask == large, "%u slots", (unsigned)m.mask + 1);
    add(&m, KEYS - 1, KEYS);
    CHECK(m.mask < 64, "%u slots", (unsigned)m.mask + 1);
    check_holds(&m, KEYS - 4, KEYS);
    take(&m, KEYS - 4, KEYS);
}

static void odd_keys(void)
{
    static const sio_str keys[] = {
        { NULL, 0 },        { "\0", 1 },   { "\0\0", 2 },
        { "__proto__", 9 }, { "a\0b", 3 }, { "a\0c", 3 },
    };
    struct map_node nodes[COUNT(keys)];
    struct map m;

    T_CASE("map: empty keys, NUL bytes, CVE-2026-59724: __proto__");
    map_init(&m, seed);
    CHECK(!map_find(&m, keys[3]), "found in an empty map");
    for (size_t i = 0; i < COUNT(keys); i++) {
        CHECK(!map_find(&m, keys[i]), "key %zu is there", i);
        CHECK(map_add(&m, &nodes[i], keys[i]) == SIO_OK, "add %zu", i);
    }
    for (size_t i = 0; i < COUNT(keys); i++)
        CHECK(map_find(&m, keys[i]) == &nodes[i], "find %zu", i);
    CHECK(map_find(&m, STR("")) == &nodes[0], "\"\" and NULL are one key");
    CHECK(!map_find(&m, STR("__proto_")), "a prefix is another key");
    CHECK(map_add(&m, &nodes[0], (sio_str){ "", (size_t)1 << 32 }) ==
                  SIO_E_LIMIT ||
              sizeof(size_t) == 4,
          "a length that a node has no room for");
    for (size_t i = 0; i < COUNT(keys); i++)
        map_remove(&m, &nodes[i]);
}

/* Both the table and each of its later expansions may fail. */
static void out_of_memory(void)
{
    for (long n = 0; n < 100; n++) {
        struct map m;
        size_t i = 0;
        int r = SIO_OK;

        T_CASE("map: allocation %ld fails", n);
        map_init(&m, seed);
        oom_arm(n);
        while (i < KEYS) {
            r = map_add(&m, &items[i].node, key_of(i));
            if (r < 0)
                break;
            i++;
        }
        if (!oom_disarm()) {
            CHECK(n > 3, "only %ld allocations", n);
            n = 100;
        } else {
            CHECK(r == SIO_E_NOMEM, "got %d", r);
            check_holds(&m, 0, i);
        }
        for (; i < KEYS; i++)
            CHECK(map_add(&m, &items[i].node, key_of(i)) == SIO_OK,
                  "add %zu again", i);
        check_holds(&m, 0, KEYS);
        while (map_first(&m))
            map_remove(&m, map_first(&m));
    }
}

int main(void)
{
    for (size_t i = 0; i < KEYS; i++)
        snprintf(items[i].key, sizeof items[i].key, "room-%zu", i * 7919);
    hashes();
    many();
    churn();
    fits();
    odd_keys();
    out_of_memory();
    return t_done();
}
