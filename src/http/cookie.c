/*
 * cookie.c -- see cookie.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/cookie.h"

#include "src/http/request.h"

#include <inttypes.h>
#include <stdio.h>

/* What an attribute's value may hold: visible ASCII and blanks, no ";". */
static bool is_plain(sio_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~' || s.p[i] == ';')
            return false;
    return true;
}

static void put(struct grow *out, int *r, const char *name, sio_str value)
{
    if (*r == SIO_OK)
        *r = grow_append(out, name, strlen(name));
    if (*r == SIO_OK)
        *r = grow_append(out, value.p, value.n);
}

int http_cookie_attributes(struct grow *out, const struct http_cookie *cookie)
{
    char age[24];
    int r = SIO_OK;

    if (!http_field_valid(cookie->name, STR("")) || !is_plain(cookie->path) ||
        !is_plain(cookie->domain))
        return SIO_E_INVAL;
    if (cookie->max_age >= 0) {
        snprintf(age, sizeof age, "%" PRId64, cookie->max_age);
        put(out, &r, "; Max-Age=", str_of(age));
    }
    if (cookie->domain.n)
        put(out, &r, "; Domain=", cookie->domain);
    if (cookie->path.n)
        put(out, &r, "; Path=", cookie->path);
    if (cookie->http_only)
        put(out, &r, "; HttpOnly", STR(""));
    if (cookie->secure)
        put(out, &r, "; Secure", STR(""));
    if (cookie->partitioned)
        put(out, &r, "; Partitioned", STR(""));
    if (cookie->priority.n)
        put(out, &r, "; Priority=", cookie->priority);
    if (cookie->same_site.n)
        put(out, &r, "; SameSite=", cookie->same_site);
    return r;
}
