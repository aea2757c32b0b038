/*
 * str.h -- helpers for sio_str, the borrowed string of <sio/types.h>.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PROTOCOL_BASE_STR_H
#define PROTOCOL_BASE_STR_H

#include <sio/types.h>

#include <string.h>

#define STR(literal) ((sio_str){ (literal), sizeof(literal) - 1 })

static inline sio_str str_of(const char *text)
{
    return (sio_str){ text, text ? strlen(text) : 0 };
}

static inline bool str_eq(sio_str a, sio_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_starts(sio_str s, sio_str prefix)
{
    return s.n >= prefix.n &&
           (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline char str_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* ASCII only, as HTTP compares (RFC 9110 5.1). */
static inline bool str_eq_nocase(sio_str a, sio_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (str_lower(a.p[i]) != str_lower(b.p[i]))
            return false;
    return true;
}

/* Without blanks and tabs at either end (OWS of RFC 9110 5.6.3). */
static inline sio_str str_trim(sio_str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* The part before the first `sep`; *rest is what follows it, or has p NULL
 * when there was none. */
static inline sio_str str_split(sio_str s, char sep, sio_str *rest)
{
    const char *at = s.n ? memchr(s.p, sep, s.n) : NULL;

    if (!at) {
        *rest = (sio_str){ NULL, 0 };
        return s;
    }
    *rest = (sio_str){ at + 1, s.n - (size_t)(at + 1 - s.p) };
    return (sio_str){ s.p, (size_t)(at - s.p) };
}

#endif
