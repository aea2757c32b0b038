/*
 * test_sp_number.c -- numbers read and written as JavaScript does, whatever the
 * decimal point of the embedding program's locale. The rows were printed by
 * JSON.stringify(JSON.parse(text)).
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/scan.h"
#include "tests/unit/exact.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* A locale that writes 1,5 cannot be had on every machine, so this program's
 * C library has one: snprintf() prints a comma, strtod() reads none but it. */
static bool comma;

int snprintf(char *out, size_t size, const char *format, ...)
{
    va_list ap;
    char *point;
    int n;

    va_start(ap, format);
    n = vsnprintf(out, size, format, ap);
    va_end(ap);
    if (comma && strcmp(format, "%.*e") == 0 && (point = strchr(out, '.')))
        *point = ',';
    return n;
}

double strtod(const char *restrict text, char **restrict end)
{
    static locale_t c_locale;
    char copy[1000], *point;

    if (!c_locale)
        c_locale = newlocale(LC_ALL_MASK, "C", NULL);
    snprintf(copy, sizeof copy, "%s", text);
    if (comma && (point = strpbrk(copy, ".,")))
        *point = *point == ',' ? '.' : 0;
    return strtod_l(copy, end, c_locale);
}

static const struct row {
    const char *text, *want;
    bool integer; /* Number.isSafeInteger() */
} rows[] = {
    { "0", "0", true },
    { "-0", "0", true },
    { "1", "1", true },
    { "-1", "-1", true },
    { "1.5", "1.5", false },
    { "-1.5", "-1.5", false },
    { "0.1", "0.1", false },
    { "100", "100", true },
    { "1e3", "1000", true },
    { "5.0", "5", true },
    { "1E+2", "100", true },
    { "12.5e-1", "1.25", false },
    { "0.000001", "0.000001", false },
    { "0.0000001", "1e-7", false },
    { "1e-7", "1e-7", false },
    { "1.5e-7", "1.5e-7", false },
    { "123456.789", "123456.789", false },
    { "1e20", "100000000000000000000", false },
    { "123456789012345680000", "123456789012345680000", false },
    { "1e21", "1e+21", false },
    { "1.5e21", "1.5e+21", false },
    { "-1e21", "-1e+21", false },
    { "1e22", "1e+22", false },
    { "1e23", "1e+23", false },
    { "1e-22", "1e-22", false },
    { "1e-23", "1e-23", false },
    { "1e100", "1e+100", false },
    { "1.7976931348623157e308", "1.7976931348623157e+308", false },
    { "1.7976931348623159e308", "null", false },
    { "5e-324", "5e-324", false },
    { "2.4703282292062327e-324", "0", true },
    { "2.4703282292062328e-324", "5e-324", false },
    { "2.2250738585072014e-308", "2.2250738585072014e-308", false },
    { "2.2250738585072011e-308", "2.225073858507201e-308", false },
    { "9007199254740991", "9007199254740991", true },
    { "9007199254740992", "9007199254740992", false },
    { "9007199254740993", "9007199254740992", false },
    { "-9007199254740991", "-9007199254740991", true },
    { "-9007199254740992", "-9007199254740992", false },
    { "9007199254740990.5", "9007199254740990", true },
    { "0.3333333333333333", "0.3333333333333333", false },
    { "5.684341886080802e-14", "5.684341886080802e-14", false },
    { "2.98023223876953125e-8", "2.9802322387695312e-8", false },
    { "9.5367431640625e-7", "9.5367431640625e-7", false },
    { "4.35", "4.35", false },
    { "0.1e1", "1", true },
    { "1e400", "null", false },
    { "-1e400", "null", false },
    { "1e-400", "0", true },
    { "0e999999999999999999999", "0", true },
    { "1e99999999999999999999", "null", false },
    { "1e-99999999999999999999", "0", true },
    { "1.00000000000000011102230246251565404", "1", true },
    { "1.00000000000000011102230246251565405", "1.0000000000000002", false },
    { "1."
      "000000000000000111022302462515654042363166809082031250000000000000000000"
      "000000000001",
      "1.0000000000000002", false },
    { "0.0000000000000000000000000000000000001e37", "1", true },
    { "10000000000000000000000000000000000000e-37", "1", true },
    { "179769313486231580793728971405301e276", "1.7976931348623157e+308",
      false },
    { "72057594037927945", "72057594037927950", false },
    { "7.2057594037927945e16", "72057594037927950", false },
};

static void run(const struct row *r)
{
    char *copy = exact_copy(r->text, strlen(r->text));
    const sio_str value = { copy, strlen(r->text) };
    struct grow out;
    int64_t integer = 77;
    bool is_integer;

    T_CASE("number: %.60s%s", r->text, comma ? ", comma locale" : "");
    grow_init(&out, 100);
    CHECK(json_append_number(&out, json_number(value)) == SIO_OK, "write");
    CHECK(str_eq(grow_str(&out), str_of(r->want)), "got %.*s, want %s",
          (int)out.len, (char *)out.data, r->want);
    is_integer = json_integer(value, &integer);
    CHECK(is_integer == r->integer, "integer: %d", is_integer);
    if (r->integer) {
        out.len = 0;
        json_append_integer(&out, integer);
        CHECK(str_eq(grow_str(&out), str_of(r->want)), "integer %lld",
              (long long)integer);
    } else {
        CHECK(integer == 77, "written without being one");
    }
    grow_free(&out);
    free(copy);
}

/* The sign of zero is read, as JSON.parse does, and not written. */
static void test_special(void)
{
    struct grow out;
    int64_t i = 5;

    T_CASE("number: zeros, NaN and infinities");
    grow_init(&out, 100);
    CHECK(signbit(json_number(STR("-0"))), "-0 has lost its sign");
    CHECK(signbit(json_number(STR("-0.0e5"))), "-0.0e5");
    CHECK(!signbit(json_number(STR("0"))), "0");
    json_append_number(&out, NAN);
    json_append_number(&out, INFINITY);
    json_append_number(&out, -INFINITY);
    json_append_number(&out, -0.0);
    CHECK(str_eq(grow_str(&out), STR("nullnullnull0")), "got %.*s",
          (int)out.len, (char *)out.data);
    out.len = 0;
    json_append_integer(&out, INT64_MIN);
    json_append_integer(&out, INT64_MAX);
    CHECK(
        str_eq(grow_str(&out), STR("-92233720368547758089223372036854775807")),
        "got %.*s", (int)out.len, (char *)out.data);
    CHECK(!json_integer(STR("\"5\""), &i) && !json_integer(STR("null"), &i) &&
              !json_integer(STR(""), &i) && i == 5,
          "not even a number");
    grow_free(&out);
}

static char *big_text(const char *head, char fill, size_t n, const char *tail)
{
    char *text = malloc(strlen(head) + n + strlen(tail) + 1);

    memcpy(text, head, strlen(head));
    memset(text + strlen(head), fill, n);
    memcpy(text + strlen(head) + n, tail, strlen(tail) + 1);
    return text;
}

/* As long as a packet may be, in linear time and without a heap. */
static void test_long(void)
{
    /* clang-format off */
    static const struct {
        const char *head; char fill; const char *tail; double want;
    } long_rows[] = {
        { "0.", '0', "1e1000001", 1 },
        { "1", '0', "e-1000000", 1 },
        { "0.", '9', "", 1 },
        { "1.", '0', "", 1 },
        { "1.", '0', "1", 1 },
        /* half way between 1 and the next double, and a little more */
        { "1.00000000000000011102230246251565404236316680908203125", '0',
          "", 1 },
        { "1.00000000000000011102230246251565404236316680908203125", '0',
          "1", 1 + DBL_EPSILON },
        { "1", '0', "", INFINITY },
        { "0.", '0', "", 0 },
        { "1e", '9', "", INFINITY },
        { "1e-", '9', "", 0 },
    };
    /* clang-format on */

    for (size_t i = 0; i < COUNT(long_rows); i++) {
        char *text = big_text(long_rows[i].head, long_rows[i].fill, 1000000,
                              long_rows[i].tail);
        double got;

        T_CASE("number: %.20s and a million times %c, then %s",
               long_rows[i].head, long_rows[i].fill, long_rows[i].tail);
        got = json_number(str_of(text));
        CHECK(got == long_rows[i].want, "got %.17g", got);
        free(text);
    }
}

/* Powers of two are the lower ends of their binades: the only place where the
 * nearest digits are not always the shortest. */
static void test_powers_of_two(void)
{
    struct grow out;

    T_CASE("number: every power of two, and its neighbours, come back%s",
           comma ? ", comma locale" : "");
    grow_init(&out, 100);
    for (int e = -1074; e < 1024; e++) {
        const double p = ldexp(1, e);
        const double all[] = { p, nextafter(p, 0), nextafter(p, INFINITY) };

        for (size_t i = 0; i < COUNT(all); i++) {
            out.len = 0;
            json_append_number(&out, all[i]);
            CHECK(json_check(grow_str(&out), 1) == JSON_NUMBER, "2^%d", e);
            CHECK(json_number(grow_str(&out)) == all[i] || isinf(all[i]),
                  "2^%d is %.*s", e, (int)out.len, (char *)out.data);
        }
    }
    grow_free(&out);
}

static void test_limits(void)
{
    struct grow out;

    T_CASE("number: limit and out of memory");
    grow_init(&out, 3);
    CHECK(json_append_number(&out, 1.25) == SIO_E_LIMIT && out.len == 0,
          "1.25");
    CHECK(json_append_integer(&out, 1234) == SIO_E_LIMIT, "1234");
    CHECK(json_append_number(&out, NAN) == SIO_E_LIMIT, "null");
    oom_arm(0);
    CHECK(json_append_number(&out, 0.5) == SIO_E_NOMEM && out.len == 0, "0.5");
    CHECK(oom_disarm(), "no allocation");
    CHECK(json_append_number(&out, 0.5) == SIO_OK && out.len == 3, "0.5");
    grow_free(&out);
}

int main(void)
{
    for (int pass = 0; pass < 2; pass++) {
        comma = pass == 1;
        for (size_t i = 0; i < COUNT(rows); i++)
            run(&rows[i]);
        test_powers_of_two();
    }
    comma = false;
    test_special();
    test_long();
    test_limits();
    return t_done();
}
