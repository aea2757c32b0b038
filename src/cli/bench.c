/*
 * bench.c -- `sio bench`: reads the command line, starts the threads, leads
 * them through the phases, and has the reports written.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/bench_control.h"

#include <errno.h>
#include <sio/tls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define SPARE_FILES 64 /* descriptors beside those of connections */

static int usage(const char *why)
{
    fprintf(stderr, "sio bench: %s\nSee: sio bench --help\n", why);
    return 2;
}

/* Polling needs two connections for each client, and an upgrade a third. */
static int raise_files(const struct bench_options *o)
{
    const uint64_t each = o->transport == CLI_WEBSOCKET ? 1 : 3;
    const uint64_t need = o->connections * each + SPARE_FILES + o->threads * 8;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= need)
        return 0;
    fprintf(stderr,
            "sio bench: %llu connections need %llu file descriptors, but this "
            "process may have %llu (ulimit -n)\n",
            (unsigned long long)o->connections, (unsigned long long)need,
            (unsigned long long)limit.rlim_cur);
    return -1;
}

/* Lines of --header, with their ends. */
static char *join_headers(const struct cli_list *headers)
{
    size_t n = 1;
    char *text, *p;

    for (size_t i = 0; i < headers->count; i++)
        n += strlen(headers->items[i]) + 2;
    p = text = malloc(n);
    for (size_t i = 0; text && i < headers->count; i++)
        p = stpcpy(stpcpy(p, headers->items[i]), "\r\n");
    if (text)
        *p = 0;
    return text;
}

static int make_target(struct cli_target *t, const struct bench_options *o,
                       char *headers)
{
    t->path = o->path;
    t->headers = str_of(headers);
    t->nsp = str_of(o->nsp ? o->nsp : t->url.nsp);
    t->auth = o->auth ? str_of(o->auth) : (sio_str){ NULL, 0 };
    t->transport = (enum cli_transport)o->transport;
    t->parser = (enum cli_parser)o->parser;
    t->open_ms = (uint32_t)o->timeout_ms;
    t->max_queued = BENCH_FLIGHT_MAX * (size_t)BENCH_PAYLOAD_MAX;
    t->max_message = 4 * (size_t)BENCH_PAYLOAD_MAX;
    t->dial = t->url.host;
    if (strlen(t->path) + t->headers.n + strlen(t->url.query) + CLI_HOST_MAX +
            400 >
        CLI_REQUEST_MAX) {
        fprintf(stderr, "sio bench: path, query and headers are too long\n");
        return -1;
    }
    if (t->url.tls) {
        const struct net_tls_client_options tls = { .ca = o->ca,
                                                    .insecure = o->insecure };
        char why[SIO_TLS_WHY];

        t->tls = net_tls_client_new(&tls, why, sizeof why);
        if (!t->tls) {
            fprintf(stderr, "sio bench: %s\n", why);
            return -1;
        }
    }
    return 0;
}

static int report_file(const char *path, const struct bench_result *r,
                       void (*report)(FILE *, const struct bench_result *))
{
    FILE *f = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");

    if (f)
        report(f, r);
    if (f && (fflush(f) != 0 || ferror(f) || (f != stdout && fclose(f) != 0)))
        f = NULL;
    if (!f)
        fprintf(stderr, "sio bench: %s: %s\n", path, strerror(errno));
    return f ? 0 : -1;
}

static int report(const struct bench_options *o, const struct bench_result *r)
{
    int failed = 0;

    if (!o->json || strcmp(o->json, "-") != 0)
        bench_report_text(stdout, r);
    if (o->json)
        failed |= report_file(o->json, r, bench_report_json);
    if (o->html)
        failed |= report_file(o->html, r, bench_report_html);
    if (r->failure[0])
        fprintf(stderr, "sio bench: %s\n", r->failure);
    if (r->interrupted)
        return 130;
    return failed || !bench_passed(r);
}

static int run(const struct bench_options *o, const char *url)
{
    struct cli_target target = { 0 };
    struct bench_result *result = calloc(1, sizeof *result);
    char *headers = join_headers(&o->headers);
    const char *why = cli_url_parse(url, &target.url);
    int status = 1;

    if (why) {
        fprintf(stderr, "sio bench: %s: %s\n", url, why);
        status = 2;
    } else if (!result || !headers) {
        fprintf(stderr, "sio bench: out of memory\n");
    } else if (make_target(&target, o, headers) == 0 && raise_files(o) == 0) {
        result->options = o;
        result->url = url;
        bench_control(o, &target, result);
        status = report(o, result);
    }
    net_tls_client_free(target.tls);
    if (result)
        free(result->points);
    free(result);
    free(headers);
    return status;
}

int bench_main(int argc, char *const *argv)
{
    struct bench_options o;
    char why[CLI_ARGS_WHY];
    const char *url = NULL;

    if (bench_options_read(&o, argc, argv, &url, why) < 0)
        return usage(why);
    if (!o.help)
        return run(&o, url);
    bench_help(stdout);
    return 0;
}
