/*
 * bench_json.c -- the report as one JSON object, for programs. Times have their
 * unit in their name; docs/SIO.md has the list.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/bench.h"

#include "protocol/base/quote.h"
#include "protocol/base/utf8.h"

#include <string.h>

/* What servers say need not be UTF-8. */
static void string(FILE *out, const char *text)
{
    struct grow lossy, quoted;

    grow_init(&lossy, SIZE_MAX);
    grow_init(&quoted, SIZE_MAX);
    if (utf8_append_lossy(&lossy, text, strlen(text)) == SIO_OK &&
        json_append_string(&quoted, grow_str(&lossy)) == SIO_OK)
        fwrite(quoted.data, 1, quoted.len, out);
    else
        fputs("null", out);
    grow_free(&lossy);
    grow_free(&quoted);
}

static void member_text(FILE *out, const char *name, const char *text)
{
    fprintf(out, ",\n  \"%s\": ", name);
    if (text)
        string(out, text);
    else
        fputs("null", out);
}

static void member_whole(FILE *out, const char *name, uint64_t n)
{
    fprintf(out, ",\n  \"%s\": %llu", name, (unsigned long long)n);
}

static void member_real(FILE *out, const char *name, double n)
{
    fprintf(out, ",\n  \"%s\": %.6f", name, n);
}

static void member_bool(FILE *out, const char *name, bool b)
{
    fprintf(out, ",\n  \"%s\": %s", name, b ? "true" : "false");
}

static void times(FILE *out, const char *name, const struct cli_histogram *h)
{
    static const struct {
        const char *name;
        double at;
    } list[] = { { "p50", 50 },       { "p75", 75 }, { "p90", 90 },
                 { "p95", 95 },       { "p99", 99 }, { "p99_9", 99.9 },
                 { "p99_99", 99.99 }, { "max", 100 } };

    fprintf(out, ",\n  \"%s\": ", name);
    if (!h->count) {
        fputs("null", out);
        return;
    }
    fprintf(out, "{ \"count\": %llu, \"min\": %llu, \"mean\": %.0f",
            (unsigned long long)h->count, (unsigned long long)h->min,
            cli_histogram_mean(h));
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        fprintf(out, ", \"%s\": %llu", list[i].name,
                (unsigned long long)cli_histogram_at(h, list[i].at));
    fputs(" }", out);
}

static void options(FILE *out, const struct bench_result *r)
{
    static const char *const transports[] = { "websocket", "polling",
                                              "upgrade" };
    const struct bench_options *o = r->options;

    member_text(out, "transport", transports[o->transport]);
    member_text(out, "parser", o->parser ? "msgpack" : "json");
    member_whole(out, "clients", o->connections);
    member_whole(out, "threads", o->threads);
    member_whole(out, "in_flight", o->in_flight);
    member_whole(out, "size", o->size);
    member_real(out, "rate", o->rate);
    member_real(out, "ramp", o->ramp);
}

static void counts(FILE *out, const struct bench_counts *c)
{
    member_whole(out, "opened", c->opened);
    member_whole(out, "failed", c->failed);
    member_whole(out, "lost", c->lost);
    member_whole(out, "sent", c->sent);
    member_whole(out, "received", c->received);
    member_whole(out, "unsent", c->unsent);
    member_whole(out, "wrong", c->wrong);
    member_whole(out, "others", c->other);
    member_whole(out, "bytes_in", c->bytes_in);
    member_whole(out, "bytes_out", c->bytes_out);
}

static void server(FILE *out, const struct bench_result *r)
{
    if (!r->server_known)
        return;
    member_real(out, "server_cpu_s", r->server_cpu_s);
    member_whole(out, "server_events", r->server_events);
    member_real(out, "server_cpu_us_per_event",
                r->server_events
                    ? r->server_cpu_s / (double)r->server_events * 1e6
                    : 0);
    member_whole(out, "server_rss_bytes", r->server_rss);
    member_whole(out, "server_rss_before_bytes", r->server_rss_0);
}

static void errors(FILE *out, const struct bench_errors *e)
{
    fputs(",\n  \"errors\": [", out);
    for (size_t i = 0; i < e->kinds; i++) {
        fprintf(out, "%s\n    { \"count\": %llu, \"why\": ", i ? "," : "",
                (unsigned long long)e->list[i].count);
        string(out, e->list[i].why);
        fputs(" }", out);
    }
    if (e->others)
        fprintf(out, "%s\n    { \"count\": %llu, \"why\": \"others\" }",
                e->kinds ? "," : "", (unsigned long long)e->others);
    fputs(e->kinds ? "\n  ]" : "]", out);
}

static void timeline(FILE *out, const struct bench_result *r)
{
    fputs(",\n  \"timeline\": [", out);
    for (size_t i = 0; i < r->point_count; i++) {
        const struct bench_point *p = &r->points[i];

        fprintf(out,
                "%s\n    { \"at_s\": %.3f, \"connected\": %.0f, "
                "\"received_per_s\": %.1f, \"sent_per_s\": %.1f, "
                "\"p50_ns\": %.0f, \"p99_ns\": %.0f, \"max_ns\": %.0f, "
                "\"errors\": %.0f }",
                i ? "," : "", p->at_s, p->connected, p->received_rate,
                p->sent_rate, p->p50_ns, p->p99_ns, p->max_ns, p->errors);
    }
    fputs(r->point_count ? "\n  ]" : "]", out);
}

void bench_report_json(FILE *out, const struct bench_result *r)
{
    fprintf(out, "{\n  \"scenario\": \"%s\"",
            bench_scenario_name(r->options->scenario));
    member_text(out, "url", r->url);
    options(out, r);
    member_bool(out, "ok", bench_passed(r));
    member_bool(out, "interrupted", r->interrupted);
    member_text(out, "failure", r->failure[0] ? r->failure : NULL);
    counts(out, &r->counts);
    member_text(out, "first_wrong", r->wrong[0] ? r->wrong : NULL);
    member_text(out, "first_other", r->other[0] ? r->other : NULL);
    member_whole(out, "answers", r->latency.count);
    member_real(out, "measured_s", r->measured_s);
    member_real(out, "answers_per_s",
                r->measured_s > 0 ? (double)r->latency.count / r->measured_s
                                  : 0);
    times(out, "latency_ns", &r->latency);
    times(out, "connecting_ns", &r->connect);
    times(out, "late_ns", &r->late);
    fputs(",\n  \"rounds_s\": [", out);
    for (size_t i = 0; i < r->round_count; i++)
        fprintf(out, "%s%.6f", i ? ", " : "", r->rounds[i]);
    fputs("]", out);
    server(out, r);
    member_real(out, "tool_cpu_s", r->tool_cpu_s);
    member_real(out, "tool_wall_s", r->tool_wall_s);
    errors(out, &r->errors);
    timeline(out, r);
    fputs("\n}\n", out);
}
