/*
 * poll.c -- the polling of session.h: a GET always waits at the server, and
 * what is to be sent goes by POST, one at a time, with everything that has
 * gathered since the last one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/session.h"

#include <stdio.h>

static void failed(void *self, const char *why)
{
    char text[CLI_WHY];

    snprintf(text, sizeof text, "polling: %s", why);
    cli_session_fail(self, text);
}

static void refused(struct cli_session *s, const char *method, unsigned status,
                    const char *body, size_t n)
{
    char text[CLI_WHY], said[CLI_SAID];

    snprintf(text, sizeof text, "%s answered with status %u %s", method, status,
             cli_said(said, (sio_str){ body, n }));
    cli_session_fail(s, text);
}

/* --------------------------------------------------------------------- GET */

static void got(void *self, unsigned status, char *body, size_t n)
{
    struct cli_session *s = self;
    struct eio_payload it;
    struct eio_packet packet;
    int r;

    if (status != 200) {
        refused(s, "GET", status, body, n);
        return;
    }
    eio_payload_init(&it, body, n);
    while ((r = eio_payload_next(&it, &packet)) == 1 && s->state != CLI_CLOSED)
        cli_session_packet(s, &packet);
    if (r < 0)
        cli_session_fail(s, "a payload of the server cannot be read");
    else if (s->state == CLI_OPENING)
        cli_session_fail(s, "the server's first packet is no valid OPEN");
    else if (s->state == CLI_OPEN)
        cli_poll_get(s);
}

const struct cli_http_ops cli_poll_get_ops = { got, failed };

void cli_poll_get(struct cli_session *s)
{
    if (s->over_ws || s->get.busy)
        return;
    if (s->changing) {
        if (!s->post.busy)
            cli_session_change(s);
    } else if (cli_http_request(&s->get, s->sid, NULL) != SIO_OK) {
        cli_session_fail(s, "out of memory");
    }
}

/* -------------------------------------------------------------------- POST */

static void posted(void *self, unsigned status, char *body, size_t n)
{
    struct cli_session *s = self;

    if (status != 200)
        refused(s, "POST", status, body, n);
    else if (s->changing && !s->get.busy)
        cli_session_change(s);
    else if (!s->changing)
        cli_poll_post(s);
}

const struct cli_http_ops cli_poll_post_ops = { posted, failed };

/* Bytes of whole packets at the front that fit into a POST; a packet that does
 * not fit alone is the server's to refuse. */
static size_t batch(const struct cli_session *s)
{
    const uint8_t *p = s->out.data, *end;

    if (!s->max_payload || s->out.len <= s->max_payload)
        return s->out.len;
    end = memrchr(p, EIO_SEPARATOR, (size_t)s->max_payload + 1);
    if (!end)
        end = memchr(p, EIO_SEPARATOR, s->out.len);
    return end ? (size_t)(end - p) : s->out.len;
}

void cli_poll_post(struct cli_session *s)
{
    struct grow body;
    size_t n;

    if (s->state != CLI_OPEN || s->over_ws || s->changing || s->post.busy ||
        !s->out.len)
        return;
    n = batch(s);
    body = s->out;
    body.len = n;
    if (cli_http_request(&s->post, s->sid, &body) != SIO_OK) {
        cli_session_fail(s, "out of memory");
        return;
    }
    if (n < s->out.len)
        n++; /* the separator */
    s->out.len -= n;
    memmove(s->out.data, s->out.data + n, s->out.len);
}
