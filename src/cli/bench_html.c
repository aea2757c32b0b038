/*
 * bench_html.c -- the report as one page that needs nothing else: figures,
 * plots, errors; light or dark as the reader's system is, and fit to be
 * printed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/bench.h"
#include "src/cli/svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAST 5    /* that an axis of numbers goes up to: its ticks are whole */
#define POINTS 240 /* of a line over time; more are put together */

static const char style[] =
    ":root{color-scheme:light dark;--bg:#fcfcfb;--card:#fff;--ink:#1d2024;"
    "--dim:#646b73;--rule:#e3e5e8;--a:#1f6feb;--b:#d97706;--c:#c0392b;"
    "--ok:#1a7f37;--bad:#c0392b}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171a;--card:#1b1f24;"
    "--ink:#e6e8eb;--dim:#98a1ab;--rule:#2f353c;--a:#6cb0ff;--b:#f0a742;"
    "--c:#ff8577;--ok:#56d364;--bad:#ff8577}}\n"
    "@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;"
    "--ink:#000;--dim:#444;--rule:#ccc;--a:#1f6feb;--b:#d97706;--c:#c0392b;"
    "--ok:#1a7f37;--bad:#c0392b}section{break-inside:avoid}"
    "*{print-color-adjust:exact}}\n"
    "*{box-sizing:border-box}body{margin:0 auto;padding:2rem 1.25rem;"
    "max-width:58rem;background:var(--bg);color:var(--ink);"
    "font:15px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.5rem;margin:0;overflow-wrap:anywhere}"
    "h2{font-size:1rem;margin:0 0 .5rem}"
    ".sub{color:var(--dim);margin:.25rem 0 1.25rem}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,"
    "1fr));gap:.75rem;margin-bottom:1rem}\n"
    ".tile,section{background:var(--card);border:1px solid var(--rule);"
    "border-radius:.5rem;padding:.75rem 1rem}section{margin-bottom:1rem}\n"
    ".tile b{display:block;font-size:1.3rem;font-weight:600;"
    "font-variant-numeric:tabular-nums}.tile span,.legend{color:var(--dim);"
    "font-size:.85rem}\n"
    ".ok{color:var(--ok)}.bad{color:var(--bad)}\n"
    "svg{width:100%;height:auto;display:block}svg text{fill:var(--dim);"
    "font:12px system-ui,sans-serif}svg .x{text-anchor:middle}"
    "svg .y{text-anchor:end}\n"
    ".grid{stroke:var(--rule);stroke-width:1}.line{fill:none;stroke-width:2;"
    "stroke-linejoin:round}.area{opacity:.12;stroke:none}"
    "svg .last{text-anchor:end}\n"
    ".dot{opacity:0}.dot:hover{opacity:1}"
    ".line.a{stroke:var(--a)}.line.b{stroke:var(--b)}.line.c{stroke:var(--c)}"
    ".area.a,.dot.a{fill:var(--a)}.dot.b{fill:var(--b)}"
    ".area.c,.dot.c{fill:var(--c)}\n"
    ".legend i{display:inline-block;width:.9rem;height:.2rem;"
    "border-radius:.1rem;margin:0 .35rem .2rem .9rem}"
    ".legend i:first-child{margin-left:0}i.a{background:var(--a)}"
    "i.b{background:var(--b)}i.c{background:var(--c)}\n"
    "table{border-collapse:collapse;width:100%;"
    "font-variant-numeric:tabular-nums}td,th{text-align:right;"
    "padding:.3rem .5rem;white-space:nowrap;border-top:1px solid var(--rule)}"
    "tr:first-child th{border-top:0}th{font-weight:500;color:var(--dim)}"
    "td:first-child,th:first-child{text-align:left}"
    ".text td{text-align:left}.text td+td{white-space:normal;"
    "overflow-wrap:anywhere;width:100%}"
    ".wide{overflow-x:auto}\n";

/* ---------------------------------------------------------------- helpers */

static void escape(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
}

static void tile(FILE *out, const char *name, const char *value,
                 const char *css)
{
    fprintf(out,
            "<div class=\"tile\"><span>%s</span><b class=\"%s\">%s</b>"
            "</div>\n",
            name, css, value);
}

static const char *label_time(double s, char *text)
{
    snprintf(text, BENCH_TEXT, "%g s", round(s * 10) / 10);
    return text;
}

static const char *label_duration(double ns, char *text)
{
    return bench_duration(ns, text);
}

static const char *label_tick(double ns, char *text)
{
    snprintf(text, BENCH_TEXT, "%g %s",
             ns >= 1e9   ? ns / 1e9
             : ns >= 1e6 ? ns / 1e6
                         : ns / 1e3,
             ns >= 1e9   ? "s"
             : ns >= 1e6 ? "ms"
                         : "µs");
    return text;
}

static const char *label_number(double n, char *text)
{
    return bench_number(n, text);
}

/* ------------------------------------------------------------ percentiles */

/* The x axis is how many nines: each step a tenth of what the last one had. */
static const char *label_percent(double nines, char *text)
{
    const double percent = 100 * (1 - pow(10, -nines));

    snprintf(text, BENCH_TEXT, "%.*f %%",
             nines > 2.01 ? (int)ceil(nines) - 2 : 0, percent);
    return text;
}

/* From just below the least to just above the greatest. */
static void log_range(struct svg_axis *a, double least, double greatest)
{
    a->log = true;
    a->min = (least > 1000 ? least : 1000) * 0.8;
    a->max = (greatest > a->min * 2 ? greatest : a->min * 2) * 1.1;
}

static void plot_percentiles(FILE *out, const struct cli_histogram *h)
{
    static const double ticks[] = { 0, 1, 2, 3, 4, 5, 6 };
    struct svg_point points[128];
    struct svg s = { .out = out };
    const double most = log10((double)h->count);
    size_t n = 0;

    if (h->count < 10)
        return;
    s.x =
        (struct svg_axis){ 0,     most,
                           false, label_percent,
                           ticks, (size_t)most + 1 < 7 ? (size_t)most + 1 : 7 };
    s.y.label = label_tick;
    log_range(&s.y, (double)h->min, (double)h->max);
    for (; n < 100; n++) {
        const double nines = most * (double)n / 99;

        points[n].x = nines;
        points[n].y = (double)cli_histogram_at(h, 100 * (1 - pow(10, -nines)));
    }
    fputs("<section><h2>Latency by percentile</h2>\n", out);
    svg_begin(&s, "latency by percentile");
    s.y.label = label_duration;
    svg_line(&s, "a", "", points, n, false);
    svg_end(&s);
    fputs("</section>\n", out);
}

/* ---------------------------------------------------------------- over time */

struct series {
    struct bench_point points[POINTS];
    size_t count;
};

static void put_together(struct bench_point *to, const struct bench_point *from,
                         size_t n)
{
    memset(to, 0, sizeof *to);
    for (size_t i = 0; i < n; i++) {
        to->received_rate += from[i].received_rate / (double)n;
        to->sent_rate += from[i].sent_rate / (double)n;
        to->p50_ns += from[i].p50_ns / (double)n;
        to->p99_ns = fmax(to->p99_ns, from[i].p99_ns);
        to->max_ns = fmax(to->max_ns, from[i].max_ns);
        to->errors += from[i].errors;
    }
    to->at_s = from[n - 1].at_s;
    to->connected = from[n - 1].connected;
}

static void make_series(struct series *s, const struct bench_result *r)
{
    const size_t each = (r->point_count + POINTS - 1) / POINTS;

    s->count = 0;
    for (size_t i = 0; i < r->point_count; i += each)
        put_together(&s->points[s->count++], &r->points[i],
                     each < r->point_count - i ? each : r->point_count - i);
}

struct line {
    const char *css, *name;
    size_t offset; /* of the field in struct bench_point */
};

static double field(const struct bench_point *p, const struct line *l)
{
    double value;

    memcpy(&value, (const char *)p + l->offset, sizeof value);
    return value;
}

static void draw(const struct svg *svg, const struct series *s,
                 const struct line *l, bool area)
{
    struct svg_point points[POINTS];

    for (size_t i = 0; i < s->count; i++) {
        points[i].x = s->points[i].at_s;
        points[i].y = field(&s->points[i], l);
        if (svg->y.log && points[i].y <= 0)
            points[i].y = -1;
    }
    svg_line(svg, l->css, l->name, points, s->count, area);
}

static void legend(FILE *out, const struct line *lines, size_t n)
{
    if (n < 2)
        return;
    fputs("<div class=\"legend\">", out);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "<i class=\"%s\"></i>%s", lines[i].css, lines[i].name);
    fputs("</div>\n", out);
}

/* logarithmic: durations; else numbers, from 0. */
static void plot_time(FILE *out, const char *title, const struct series *s,
                      const struct line *lines, size_t n, bool logarithmic)
{
    struct svg svg = { .out = out };
    double least = 0, greatest = 0;

    for (size_t i = 0; i < s->count; i++)
        for (size_t k = 0; k < n; k++) {
            const double v = field(&s->points[i], &lines[k]);

            greatest = fmax(greatest, v);
            if (v > 0 && (least <= 0 || v < least))
                least = v;
        }
    if (greatest <= 0 || s->count < 2)
        return;
    svg.x = (struct svg_axis){ 0,     s->points[s->count - 1].at_s,
                               false, label_time,
                               NULL,  0 };
    svg.y = (struct svg_axis){ 0,     fmax(greatest * 1.08, LEAST),
                               false, label_number,
                               NULL,  0 };
    if (logarithmic) {
        svg.y.label = label_tick;
        log_range(&svg.y, least, greatest);
    }
    fprintf(out, "<section><h2>%s</h2>\n", title);
    legend(out, lines, n);
    svg_begin(&svg, title);
    svg.y.label = logarithmic ? label_duration : label_number;
    for (size_t k = n; k--;) /* the first one on top */
        draw(&svg, s, &lines[k], n == 1);
    svg_end(&svg);
    fputs("</section>\n", out);
}

static void plots(FILE *out, const struct bench_result *r)
{
    static const struct line
        rates[] = { { "a", "answers",
                      offsetof(struct bench_point, received_rate) } },
        times[] = { { "a", "p50", offsetof(struct bench_point, p50_ns) },
                    { "b", "p99", offsetof(struct bench_point, p99_ns) },
                    { "c", "max", offsetof(struct bench_point, max_ns) } },
        connected[] = { { "a", "connections",
                          offsetof(struct bench_point, connected) } },
        failures[] = { { "c", "errors",
                         offsetof(struct bench_point, errors) } };
    struct series *s = malloc(sizeof *s);

    if (!s)
        return;
    make_series(s, r);
    plot_percentiles(out, &r->latency);
    plot_time(out, "Latency over time", s, times, 3, true);
    plot_time(out, "Answers per second", s, rates, 1, false);
    plot_time(out, "Connections", s, connected, 1, false);
    plot_time(out, "Errors", s, failures, 1, false);
    free(s);
}

/* ------------------------------------------------------------------ figures */

static void tiles(FILE *out, const struct bench_result *r)
{
    char text[BENCH_TEXT];
    const bool good = bench_passed(r);

    fputs("<div class=\"tiles\">\n", out);
    tile(out, "result",
         r->interrupted ? "interrupted"
         : good         ? "passed"
                        : "failed",
         good ? "ok" : "bad");
    tile(out, "connections", bench_number((double)r->counts.opened, text), "");
    if (r->latency.count) {
        if (r->measured_s > 0)
            tile(out, "answers/s",
                 bench_number((double)r->latency.count / r->measured_s, text),
                 "");
        tile(out, "p50 latency",
             bench_duration((double)cli_histogram_at(&r->latency, 50), text),
             "");
        tile(out, "p99 latency",
             bench_duration((double)cli_histogram_at(&r->latency, 99), text),
             "");
    }
    if (r->server_known && r->server_events) {
        snprintf(text, sizeof text, "%.2f µs",
                 r->server_cpu_s / (double)r->server_events * 1e6);
        tile(out, "server CPU/event", text, "");
    }
    if (r->server_known) {
        snprintf(text, sizeof text, "%.1f MB", (double)r->server_rss / 1e6);
        tile(out, "server memory", text, "");
    }
    fputs("</div>\n", out);
}

static void time_row(FILE *out, const char *name, const struct cli_histogram *h)
{
    static const double list[] = { 0, 50, 90, 99, 99.9, 99.99, 100 };
    char text[BENCH_TEXT];

    if (!h->count)
        return;
    fprintf(out, "<tr><td>%s</td><td>%s</td>", name,
            bench_number((double)h->count, text));
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        fprintf(out, "<td>%s</td>",
                bench_duration((double)cli_histogram_at(h, list[i]), text));
    fputs("</tr>\n", out);
}

static void time_table(FILE *out, const struct bench_result *r)
{
    char text[BENCH_TEXT];

    if (!r->connect.count)
        return;
    fputs("<section><h2>Times</h2><div class=\"wide\"><table>\n<tr><th></th>"
          "<th>count</th><th>least</th><th>p50</th><th>p90</th><th>p99</th>"
          "<th>p99.9</th><th>p99.99</th><th>greatest</th></tr>\n",
          out);
    time_row(out, "latency", &r->latency);
    time_row(out, "connecting", &r->connect);
    time_row(out, "sent late by", &r->late);
    fputs("</table></div>\n", out);
    for (size_t i = 0; i < r->round_count; i++)
        fprintf(out, "%s%s", i ? ", " : "<p>All were back after ",
                bench_duration(r->rounds[i] * 1e9, text));
    fputs(r->round_count ? ".</p></section>\n" : "</section>\n", out);
}

static void error_row(FILE *out, uint64_t n, const char *why)
{
    char text[BENCH_TEXT];

    if (!n)
        return;
    fprintf(out, "<tr><td>%s</td><td>", bench_number((double)n, text));
    escape(out, why);
    fputs("</td></tr>\n", out);
}

static void error_table(FILE *out, const struct bench_result *r)
{
    const struct bench_errors *e = &r->errors;

    if (!bench_errors_count(e) && !r->counts.wrong && !r->counts.unsent &&
        !r->failure[0])
        return;
    fputs("<section><h2>What went wrong</h2>\n<table class=\"text\">\n", out);
    error_row(out, r->failure[0] != 0, r->failure);
    error_row(out, r->counts.wrong, r->wrong);
    error_row(out, r->counts.unsent, "were due by --rate, but never sent");
    for (size_t i = 0; i < e->kinds; i++)
        error_row(out, e->list[i].count, e->list[i].why);
    error_row(out, e->others, "of other kinds");
    fputs("</table></section>\n", out);
}

void bench_report_html(FILE *out, const struct bench_result *r)
{
    const struct bench_options *o = r->options;
    const char *name = bench_scenario_name(o->scenario);

    fprintf(out,
            "<!DOCTYPE html>\n<html lang=\"en\"><head>"
            "<meta charset=\"utf-8\"><meta name=\"viewport\" "
            "content=\"width=device-width\">\n<title>sio bench %s</title>\n"
            "<style>%s</style></head><body>\n<h1>%s, ",
            name, style, name);
    escape(out, r->url);
    fprintf(out, "</h1>\n<p class=\"sub\">%llu connection%s over %s, %s",
            (unsigned long long)o->connections, o->connections == 1 ? "" : "s",
            bench_transport_name(o->transport),
            o->parser ? "MessagePack" : "JSON");
    if (bench_is_messages(o->scenario))
        fprintf(out, ", %llu bytes", (unsigned long long)o->size);
    if (o->rate > 0)
        fprintf(out, ", %g a second on schedule", o->rate);
    else if (bench_is_messages(o->scenario))
        fprintf(out, ", %llu in flight", (unsigned long long)o->in_flight);
    fprintf(out, "; measured for %.2f s</p>\n", r->measured_s);
    tiles(out, r);
    plots(out, r);
    time_table(out, r);
    error_table(out, r);
    fputs("</body></html>\n", out);
}
