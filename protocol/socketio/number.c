/*
 * number.c -- JSON numbers to double and back (see scan.h), the same in every
 * locale: strtod() is given digits and an exponent, never a decimal point, and
 * of what snprintf() prints only the digits are read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/decimal.h"
#include "protocol/socketio/scan.h"
#include "protocol/socketio/skip.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_SAFE_INTEGER 9007199254740991 /* 2^53 - 1 */

/* 767 digits decide how any decimal rounds; that the rest was not all zeros is
 * told by one more digit. */
#define MAX_DIGITS 768
#define SHORTEST_MAX 17 /* digits that tell any two doubles apart */

/* +-digits * 10^exponent; no digits: zero. */
struct decimal {
    bool negative, inexact;
    int n;
    int64_t exponent;
    char digits[MAX_DIGITS + 1];
};

static void add_digit(struct decimal *d, char c, bool fraction)
{
    if (d->n == MAX_DIGITS) {
        d->inexact |= c != '0';
        d->exponent += !fraction;
        return;
    }
    if (d->n > 0 || c != '0')
        d->digits[d->n++] = c;
    d->exponent -= fraction;
}

/* Saturates far outside of what any double needs, even behind as many zeros as
 * a text can hold. */
static int64_t read_exponent(const char *p, const char *end)
{
    const bool negative = *p == '-';
    int64_t e = 0;

    for (p += negative || *p == '+'; p < end && json_is_digit(*p); p++)
        if (e < INT64_MAX / 100)
            e = e * 10 + (*p - '0');
    return negative ? -e : e;
}

static void read_decimal(sio_str value, struct decimal *d)
{
    const char *p = value.p, *end = p + value.n;
    bool fraction = false;

    d->n = 0;
    d->exponent = 0;
    d->inexact = false;
    d->negative = *p == '-';
    for (p += d->negative; p < end; p++) {
        if (json_is_digit(*p))
            add_digit(d, *p, fraction);
        else if (*p == '.')
            fraction = true;
        else
            break;
    }
    if (d->inexact) {
        d->digits[d->n++] = '1';
        d->exponent--;
    }
    if (p < end && (*p | 0x20) == 'e')
        d->exponent += read_exponent(p + 1, end);
}

/* Both factors are exact, so that their product or quotient is rounded once,
 * which is what strtod() would return. */
static bool to_double_exactly(const struct decimal *d, double *out)
{
    static const double power[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,
                                    1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
                                    1e18, 1e19, 1e20, 1e21, 1e22 };
    uint64_t integer = 0;

    if (FLT_EVAL_METHOD != 0 || d->n > 15 || d->exponent < -22 ||
        d->exponent > 22)
        return false;
    for (int i = 0; i < d->n; i++)
        integer = integer * 10 + (uint64_t)(d->digits[i] - '0');
    *out = d->exponent < 0 ? (double)integer / power[-d->exponent]
                           : (double)integer * power[d->exponent];
    return true;
}

static double to_double(const struct decimal *d)
{
    const int64_t limit = 10000; /* beyond: 0 or infinity */
    char text[MAX_DIGITS + 16];
    int64_t e = d->exponent;
    double number = 0;

    if (d->n > 0 && !to_double_exactly(d, &number)) {
        e = e > limit ? limit : e < -limit ? -limit : e;
        snprintf(text, sizeof text, "%.*se%d", d->n, d->digits, (int)e);
        number = strtod(text, NULL);
    }
    return d->negative ? -number : number;
}

double json_number(sio_str value)
{
    struct decimal d;

    read_decimal(value, &d);
    return to_double(&d);
}

/* As Number.isSafeInteger. */
static bool is_safe_integer(double number)
{
    return number >= -MAX_SAFE_INTEGER && number <= MAX_SAFE_INTEGER &&
           number == (double)(int64_t)number;
}

bool json_integer(sio_str value, int64_t *out)
{
    double number;

    if (json_kind(value) != JSON_NUMBER)
        return false;
    number = json_number(value);
    if (!is_safe_integer(number))
        return false;
    *out = (int64_t)number;
    return true;
}

/* The `digits` digits nearest to a positive number. */
static void round_to(double number, int digits, struct decimal *d)
{
    char text[SHORTEST_MAX + 32];
    const char *p = text;
    int n = snprintf(text, sizeof text, "%.*e", digits - 1, number);

    d->negative = false;
    for (d->n = 0; *p != 'e'; p++) /* passing over any decimal point */
        if (json_is_digit(*p))
            d->digits[d->n++] = *p;
    d->exponent = read_exponent(p + 1, text + n) - (digits - 1);
}

/* One up in the last digit. */
static void increment(struct decimal *d)
{
    int i = d->n;

    while (i > 0 && d->digits[i - 1] == '9')
        d->digits[--i] = '0';
    if (i > 0) {
        d->digits[i - 1]++;
    } else { /* 999 -> 1000 */
        d->digits[0] = '1';
        d->exponent++;
    }
}

/* The fewest digits that read back as `number`, as JavaScript prints it. Any
 * 15 digits survive the way there and back, unless the number is subnormal.
 * Below a power of two doubles are closer together than above it: there the
 * nearest digits may fail where their upper neighbours do not. */
static void shortest(double number, struct decimal *d)
{
    int digits = number < DBL_MIN ? 1 : 15;

    for (; digits < SHORTEST_MAX; digits++) {
        round_to(number, digits, d);
        if (to_double(d) == number)
            break;
        increment(d);
        if (to_double(d) == number)
            break;
    }
    if (digits == SHORTEST_MAX)
        round_to(number, SHORTEST_MAX, d);
    while (d->n > 1 && d->digits[d->n - 1] == '0') {
        d->n--;
        d->exponent++;
    }
}

/* Number::toString of ECMA-262; there n is our `point`, k our d->n. */
static int layout(const struct decimal *d, char *out, size_t size)
{
    static const char zeros[] = "00000000000000000000";
    const int point = d->n + (int)d->exponent;
    const char *s = d->digits;

    if (point > 21 || point <= -6)
        return snprintf(out, size, "%c%s%.*se%+d", s[0], d->n > 1 ? "." : "",
                        d->n - 1, s + 1, point - 1);
    if (point <= 0)
        return snprintf(out, size, "0.%.*s%.*s", -point, zeros, d->n, s);
    if (point >= d->n)
        return snprintf(out, size, "%.*s%.*s", d->n, s, point - d->n, zeros);
    return snprintf(out, size, "%.*s.%.*s", point, s, d->n - point, s + point);
}

int json_append_number(struct grow *out, double number)
{
    char text[32];
    struct decimal d;
    int n = 0;

    if (!isfinite(number))
        return grow_append(out, "null", 4);
    if (is_safe_integer(number))
        return json_append_integer(out, (int64_t)number);
    if (number < 0)
        text[n++] = '-';
    shortest(number < 0 ? -number : number, &d);
    n += layout(&d, text + n, sizeof text - (size_t)n);
    return grow_append(out, text, (size_t)n);
}

int json_append_integer(struct grow *out, int64_t number)
{
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    char text[1 + DECIMAL_MAX];
    size_t sign = number < 0;

    text[0] = '-';
    return grow_append(out, text, sign + decimal_put(text + sign, left));
}
