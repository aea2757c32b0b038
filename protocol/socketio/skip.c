/*
 * skip.c -- the grammar of RFC 8259, one function per production. Only arrays
 * and objects nest; which of the two is open at each level is one bit in
 * `struct nest`, so that depth costs neither stack nor memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/socketio/skip.h"

#include "protocol/base/quote.h"
#include "protocol/socketio/scan.h"

struct nest {
    uint32_t depth, max;
    uint64_t is_object[JSON_DEPTH_LIMIT / 64 + 1];
};

static bool open_level(struct nest *nest, bool object)
{
    uint64_t *word = &nest->is_object[nest->depth / 64];
    const uint64_t bit = UINT64_C(1) << nest->depth % 64;

    if (nest->depth == nest->max)
        return false;
    *word = object ? *word | bit : *word & ~bit;
    nest->depth++;
    return true;
}

static bool in_object(const struct nest *nest)
{
    const uint32_t level = nest->depth - 1;

    return nest->is_object[level / 64] >> level % 64 & 1;
}

static char closer(const struct nest *nest)
{
    return in_object(nest) ? '}' : ']';
}

static bool is_hex(char c)
{
    return json_is_digit(c) || (unsigned char)((c | 0x20) - 'a') < 6;
}

/* Behind the backslash. */
static const char *skip_escape(const char *p, const char *end)
{
    if (p == end)
        return NULL;
    switch (*p) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return p + 1;
    case 'u':
        if (end - p > 4 && is_hex(p[1]) && is_hex(p[2]) && is_hex(p[3]) &&
            is_hex(p[4]))
            return p + 5;
        return NULL;
    default:
        return NULL;
    }
}

const char *json_skip_string(const char *p, const char *end)
{
    if (p == end || *p != '"')
        return NULL;
    p++;
    do {
        p = json_plain_end(p, end);
        if (p == end)
            return NULL;
        if (*p == '"')
            return p + 1;
        p = *p == '\\' ? skip_escape(p + 1, end) : NULL;
    } while (p);
    return NULL;
}

static const char *skip_word(const char *p, const char *end, const char *word,
                             size_t n)
{
    return (size_t)(end - p) >= n && memcmp(p, word, n) == 0 ? p + n : NULL;
}

static const char *skip_digits(const char *p, const char *end)
{
    if (p == end || !json_is_digit(*p))
        return NULL;
    while (p < end && json_is_digit(*p))
        p++;
    return p;
}

static const char *skip_number(const char *p, const char *end)
{
    if (*p == '-')
        p++;
    p = p < end && *p == '0' ? p + 1 : skip_digits(p, end);
    if (p && p < end && *p == '.')
        p = skip_digits(p + 1, end);
    if (p && p < end && (*p | 0x20) == 'e') {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        p = skip_digits(p, end);
    }
    return p;
}

const char *json_skip_scalar(const char *p, const char *end)
{
    if (p == end)
        return NULL;
    switch (*p) {
    case '"':
        return json_skip_string(p, end);
    case 't':
        return skip_word(p, end, "true", 4);
    case 'f':
        return skip_word(p, end, "false", 5);
    case 'n':
        return skip_word(p, end, "null", 4);
    default:
        return skip_number(p, end);
    }
}

/* From before a member to before its value. */
static const char *skip_key(const char *p, const char *end)
{
    p = json_skip_string(p, end);
    if (!p)
        return NULL;
    p = json_skip_blank(p, end);
    return p < end && *p == ':' ? json_skip_blank(p + 1, end) : NULL;
}

/* Behind a value: leave the levels that end here. Returns the place before the
 * next value, or behind the outermost level when depth has become 0. */
static const char *skip_closers(struct nest *nest, const char *p,
                                const char *end)
{
    while (nest->depth > 0) {
        p = json_skip_blank(p, end);
        if (p == end)
            return NULL;
        if (*p == closer(nest)) {
            nest->depth--;
            p++;
        } else if (*p == ',') {
            p = json_skip_blank(p + 1, end);
            return in_object(nest) ? skip_key(p, end) : p;
        } else {
            return NULL;
        }
    }
    return p;
}

/* At '[' or '{'. Returns the place before the next value, as above. */
static const char *skip_opener(struct nest *nest, const char *p,
                               const char *end)
{
    if (!open_level(nest, *p == '{'))
        return NULL;
    p = json_skip_blank(p + 1, end);
    if (p < end && *p == closer(nest))
        return skip_closers(nest, p, end);
    return in_object(nest) ? skip_key(p, end) : p;
}

const char *json_skip_value(const char *p, const char *end, uint32_t max_depth)
{
    struct nest nest; /* its bits are written before they are read */

    nest.depth = 0;
    nest.max = max_depth < JSON_DEPTH_LIMIT ? max_depth : JSON_DEPTH_LIMIT;
    do {
        if (p < end && (*p == '[' || *p == '{')) {
            p = skip_opener(&nest, p, end);
        } else {
            p = json_skip_scalar(p, end);
            if (p)
                p = skip_closers(&nest, p, end);
        }
    } while (p && nest.depth > 0);
    return p;
}
