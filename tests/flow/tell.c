/*
 * tell.c -- see tell.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/flow/tell.h"

#include "protocol/base/str.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>

char story[1 << 16];

void tell(const char *fmt, ...)
{
    size_t n = strlen(story);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(story + n, sizeof story - n, fmt, ap);
    va_end(ap);
}

static void tell_tree(sio_event *event, size_t i)
{
    const struct cJSON *tree, *again;
    int r = sio_arg_json(event, i, &tree);
    char *text = r == SIO_OK ? cJSON_PrintUnformatted(tree) : NULL;

    tell(" tree %d %s", r, text ? text : "");
    cJSON_free(text);
    if (r == SIO_OK && (sio_arg_json(event, i, &again) < 0 || tree != again))
        tell("made twice");
}

static void tell_arg(sio_event *event, size_t i)
{
    const char *text = "";
    const void *bytes = "";
    sio_str raw = STR("");
    int64_t integer = 0;
    double number = 0;
    bool boolean = false;
    size_t n = 0, m = 0;
    int r;

    tell("%zu: kind %d", i, (int)sio_arg_kind(event, i));
    r = sio_arg_string(event, i, &text, &n);
    tell(" string %d %.*s (%zu)", r, (int)n, text, n);
    r = sio_arg_int(event, i, &integer);
    tell(" int %d %lld", r, (long long)integer);
    r = sio_arg_number(event, i, &number);
    tell(" number %d %.17g", r, number);
    r = sio_arg_bool(event, i, &boolean);
    tell(" bool %d %d", r, boolean);
    r = sio_arg_binary(event, i, &bytes, &m);
    tell(" binary %d %.*s", r, (int)m, (const char *)bytes);
    r = sio_arg_raw(event, i, &raw);
    tell(" raw %d %.*s", r, (int)raw.n, raw.p);
    tell_tree(event, i);
    tell("\n");
}

void tell_event(sio_event *event)
{
    const size_t count = sio_arg_count(event);
    const void *bytes;
    size_t n;

    tell("%s, %zu arguments\n", sio_event_name(event), count);
    for (size_t i = 0; i <= count; i++) /* and one that is not there */
        tell_arg(event, i);
    for (size_t i = count; i-- > 0;)
        tell_arg(event, i);
    tell("%zu attachments:", sio_attachment_count(event));
    for (size_t i = 0; sio_attachment(event, i, &bytes, &n) == SIO_OK; i++)
        tell(" %.*s", (int)n, (const char *)bytes);
    tell("\n");
}
