/*
 * bench_text.c -- the report for the terminal.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/bench.h"

#include <string.h>

const char *bench_duration(double ns, char text[BENCH_TEXT])
{
    static const struct {
        double ns;
        const char *name;
    } units[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "µs" }, { 1, "ns" } };
    size_t i = 0;
    double n;

    while (i < 3 && ns < units[i].ns)
        i++;
    n = ns / units[i].ns;
    snprintf(text, BENCH_TEXT, "%.*f %s",
             n < 10    ? 2
             : n < 100 ? 1
                       : 0,
             n, units[i].name);
    return text;
}

const char *bench_number(double n, char text[BENCH_TEXT])
{
    char digits[BENCH_TEXT / 2];
    size_t len = (size_t)snprintf(digits, sizeof digits, "%.0f", n), at = 0;

    if (len >= sizeof digits)
        len = sizeof digits - 1;
    for (size_t i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0 && digits[i - 1] != '-')
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = 0;
    return text;
}

static void line(FILE *out, const char *name)
{
    fprintf(out, "  %-14s", name);
}

static void percentiles(FILE *out, const char *name,
                        const struct cli_histogram *h)
{
    static const struct {
        double at;
        const char *name;
    } list[] = { { 50, "p50" },     { 90, "p90" },       { 99, "p99" },
                 { 99.9, "p99.9" }, { 99.99, "p99.99" }, { 100, "max" } };
    char text[BENCH_TEXT];

    if (!h->count)
        return;
    line(out, name);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        fprintf(out, "%s%s %s", i ? "   " : "", list[i].name,
                bench_duration((double)cli_histogram_at(h, list[i].at), text));
    fputc('\n', out);
}

static void heading(FILE *out, const struct bench_result *r)
{
    const struct bench_options *o = r->options;

    fprintf(out, "%s over %s, %s: %llu connection%s",
            bench_scenario_name(o->scenario),
            bench_transport_name(o->transport), r->url,
            (unsigned long long)o->connections, o->connections == 1 ? "" : "s");
    if (bench_is_messages(o->scenario)) {
        if (o->rate > 0)
            fprintf(out, ", %g events/s", o->rate);
        else
            fprintf(out, ", %llu in flight", (unsigned long long)o->in_flight);
        fprintf(out, ", %llu bytes", (unsigned long long)o->size);
    }
    fputs("\n\n", out);
}

static void server(FILE *out, const struct bench_result *r)
{
    if (!r->server_known)
        return;
    line(out, "server");
    fprintf(out, "CPU %.2f s", r->server_cpu_s);
    if (r->server_events)
        fprintf(out, ", %.2f µs per event",
                r->server_cpu_s / (double)r->server_events * 1e6);
    fprintf(out, "; memory %.1f MB, before %.1f MB\n",
            (double)r->server_rss / 1e6, (double)r->server_rss_0 / 1e6);
}

static void tool(FILE *out, const struct bench_result *r)
{
    const double all = r->tool_wall_s * (double)r->options->threads;
    const double busy = all > 0 ? r->tool_cpu_s / all : 0;

    if (all <= 0)
        return;
    line(out, "this tool");
    fprintf(out, "%.0f %% of %llu thread%s%s\n", busy * 100,
            (unsigned long long)r->options->threads,
            r->options->threads == 1 ? "" : "s",
            busy > 0.9 ? ": it may be the bottleneck, see --threads" : "");
}

static void errors(FILE *out, const struct bench_result *r)
{
    char text[BENCH_TEXT];

    if (r->counts.unsent) {
        line(out, "not sent");
        fprintf(out, "%s things that were due by --rate\n",
                bench_number((double)r->counts.unsent, text));
    }
    if (r->counts.wrong) {
        line(out, "wrong");
        fprintf(out, "%s answers: %s\n",
                bench_number((double)r->counts.wrong, text), r->wrong);
    }
    if (r->counts.other) {
        line(out, "others");
        fprintf(out, "%s packets that are no answers%s%s\n",
                bench_number((double)r->counts.other, text),
                r->other[0] ? ", the first one " : "", r->other);
    }
    for (size_t i = 0; i < r->errors.kinds; i++) {
        line(out, i ? "" : "errors");
        fprintf(out, "%s  %s\n",
                bench_number((double)r->errors.list[i].count, text),
                r->errors.list[i].why);
    }
    if (r->errors.others) {
        line(out, "");
        fprintf(out, "%s  of other kinds\n",
                bench_number((double)r->errors.others, text));
    }
}

void bench_report_text(FILE *out, const struct bench_result *r)
{
    char a[BENCH_TEXT], b[BENCH_TEXT], c[BENCH_TEXT];

    heading(out, r);
    line(out, "connections");
    fprintf(out, "%s opened, %s failed, %s lost\n",
            bench_number((double)r->counts.opened, a),
            bench_number((double)r->counts.failed, b),
            bench_number((double)r->counts.lost, c));
    percentiles(out, "connecting", &r->connect);
    if (r->latency.count && r->measured_s > 0) {
        line(out, "answers");
        fprintf(out, "%s in %.2f s: %s per second\n",
                bench_number((double)r->latency.count, a), r->measured_s,
                bench_number((double)r->latency.count / r->measured_s, b));
    }
    percentiles(out, "latency", &r->latency);
    percentiles(out, "sent late by", &r->late);
    for (size_t i = 0; i < r->round_count; i++) {
        line(out, i ? "" : "all were back");
        fprintf(out, "after %s\n", bench_duration(r->rounds[i] * 1e9, a));
    }
    server(out, r);
    tool(out, r);
    errors(out, r);
    fprintf(out, "\n%s\n",
            r->interrupted     ? "interrupted"
            : bench_passed(r)  ? "all went well"
            : r->counts.wrong  ? "FAILED: answers were wrong"
            : r->counts.unsent ? "FAILED: the schedule was not kept"
            : r->failure[0]    ? "FAILED"
                               : "FAILED: see errors");
}
