/*
 * test_base_str.c -- borrowed strings and the intrusive list.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/list.h"
#include "protocol/base/str.h"
#include "tests/unit/test.h"

static void compare(void)
{
    sio_str none = { NULL, 0 };

    T_CASE("str: comparing");
    CHECK(str_eq(STR("ab"), str_of("ab")), "equal");
    CHECK(!str_eq(STR("ab"), STR("ac")) && !str_eq(STR("ab"), STR("a")),
          "different");
    CHECK(str_eq(none, STR("")) && str_eq(str_of(NULL), none), "empty");
    CHECK(str_starts(STR("abc"), STR("ab")) && str_starts(STR("ab"), STR("")),
          "starts");
    CHECK(str_starts(none, none), "nothing starts with nothing");
    CHECK(!str_starts(STR("ab"), STR("abc")) &&
              !str_starts(STR("ab"), STR("b")),
          "does not start");
    CHECK(str_eq_nocase(STR("WebSocket"), STR("wEBsOCKET")), "case");
    CHECK(!str_eq_nocase(STR("websocke"), STR("websocket")), "shorter");
    CHECK(!str_eq_nocase(STR("@["), STR("`{")), "letters only");
}

static void trim_and_split(void)
{
    sio_str rest;

    T_CASE("str: trimming blanks and tabs, nothing else");
    CHECK(str_eq(str_trim(STR(" \ta b\t ")), STR("a b")), "both ends");
    CHECK(str_eq(str_trim(STR("\ra\n")), STR("\ra\n")), "CR and LF stay");
    CHECK(str_trim(STR(" \t ")).n == 0 && str_trim(STR("")).n == 0, "empty");

    T_CASE("str: splitting");
    CHECK(str_eq(str_split(STR("a,bc,"), ',', &rest), STR("a")), "first");
    CHECK(str_eq(rest, STR("bc,")), "rest");
    CHECK(str_eq(str_split(rest, ',', &rest), STR("bc")), "second");
    CHECK(rest.p && rest.n == 0, "an empty part follows");
    CHECK(str_split(rest, ',', &rest).n == 0 && !rest.p, "the last");
    CHECK(str_eq(str_split(STR("abc"), ',', &rest), STR("abc")) && !rest.p,
          "no separator");
    CHECK(str_split((sio_str){ NULL, 0 }, ',', &rest).n == 0 && !rest.p,
          "of nothing");
}

struct item {
    int number;
    struct list link;
};

/* The numbers as decimal digits of one value: 1, 2, 3 is 123. */
static int digits(struct list *head)
{
    int value = 0, back = 0, scale = 1;

    list_for_each_safe(it, tmp, head) value =
        value * 10 + container_of(it, struct item, link)->number;
    for (struct list *it = head->prev; it != head; it = it->prev) {
        back += scale * container_of(it, struct item, link)->number;
        scale *= 10;
    }
    return value == back ? value : -1;
}

static void lists(void)
{
    struct item items[] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
    struct list head, other;

    T_CASE("list: append, remove, move");
    list_init(&head);
    CHECK(list_empty(&head) && digits(&head) == 0, "new");
    for (size_t i = 0; i < COUNT(items); i++) {
        list_init(&items[i].link);
        list_append(&head, &items[i].link);
    }
    CHECK(digits(&head) == 123, "%d", digits(&head));
    list_move(&head, &other);
    CHECK(list_empty(&head) && digits(&other) == 123, "%d", digits(&other));
    list_remove(&items[1].link);
    list_remove(&items[1].link);
    CHECK(list_empty(&items[1].link) && digits(&other) == 13, "%d",
          digits(&other));
    list_for_each_safe(it, tmp, &other) list_remove(it);
    CHECK(list_empty(&other), "removed while walking");
    list_move(&other, &head);
    CHECK(list_empty(&head) && list_empty(&other), "moving nothing");
}

int main(void)
{
    compare();
    trim_and_split();
    lists();
    return t_done();
}
