/*
 * bench_options.c -- the command line of `sio bench`: its table, its defaults,
 * what goes together, and --help.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/bench.h"

#include "protocol/socketio/packet.h"
#include "protocol/socketio/scan.h"

#include <string.h>

#define AT(field) offsetof(struct bench_options, field)
#define HOUR_MS 3600000u

static const char *const transports[] = { "websocket", "polling", "upgrade",
                                          NULL };
static const char *const parsers[] = { "json", "msgpack", NULL };

/* clang-format off */
static const struct cli_option table[] = {
    { .kind = CLI_HEADING, .help = "How much:" },
    { CLI_COUNT, 'c', "connections", "N", AT(connections),
      1, BENCH_CLIENTS_MAX, NULL, "how many, at a time; 100" },
    { CLI_TIME, 'd', "duration", "TIME", AT(duration_ms),
      1, 1000 * HOUR_MS, NULL, "how long it is measured; 10s" },
    { CLI_TIME, 'w', "warmup", "TIME", AT(warmup_ms),
      0, HOUR_MS, NULL, "before that, not measured; 1s" },
    { CLI_COUNT, 'n', "count", "N", AT(count),
      1, UINT64_MAX >> 12, NULL, "so many events (churn, upgrade: connections)\n"
      "and no more, without warm-up" },
    { CLI_NUMBER, 'r', "rate", "N", AT(rate),
      0, 100000000, NULL, "events (connections) a second in all, on schedule:\n"
      "latency counts from when each was due;\n"
      "0, the usual: the next one when one is answered" },
    { CLI_COUNT, 'f', "in-flight", "N", AT(in_flight),
      1, BENCH_FLIGHT_MAX, NULL, "events that wait for their answer, on each\n"
      "connection; 1, with --rate up to 256" },
    { CLI_BYTES, 's', "size", "BYTES", AT(size),
      BENCH_TOKEN, BENCH_PAYLOAD_MAX, NULL, "of each event's argument; 32" },
    { CLI_NUMBER, 0, "ramp", "N", AT(ramp),
      0, 10000000, NULL, "connections begun a second; 0, the usual:\n"
      "as the server accepts them" },
    { CLI_COUNT, 0, "burst", "N", AT(burst),
      1, BENCH_CLIENTS_MAX, NULL, "handshakes at a time; 64" },
    { CLI_COUNT, 0, "rounds", "N", AT(rounds),
      1, 32, NULL, "storm: how often; 3" },
    { CLI_TIME, 0, "pause", "TIME", AT(storm_pause_ms),
      1, HOUR_MS, NULL, "storm: between rounds; 1s" },
    { CLI_COUNT, 't', "threads", "N", AT(threads),
      1, BENCH_THREADS_MAX, NULL, "of this tool; 1" },

    { .kind = CLI_HEADING, .help = "What is said:" },
    { CLI_TEXT, 'e', "event", "NAME", AT(event),
      0, 0, NULL, "that is sent; echo, or broadcast" },
    { CLI_TEXT, 0, "reply", "NAME", AT(reply),
      0, 0, NULL, "the event that answers it; the same" },
    { CLI_TEXT, 0, "data", "JSON", AT(data),
      0, 0, NULL, "its argument, instead of numbered text" },
    { CLI_FLAG, 0, "no-check", NULL, AT(no_check),
      0, 0, NULL, "the answer may be anything" },
    { CLI_FLAG, 0, "to-others", NULL, AT(to_others),
      0, 0, NULL, "broadcast: the sender does not get its own" },

    { .kind = CLI_HEADING, .help = "How it is said:" },
    { CLI_CHOICE, 0, "transport", "T", AT(transport),
      0, 0, transports, "websocket (the usual), polling, or upgrade from\n"
      "the one to the other" },
    { CLI_CHOICE, 0, "parser", "P", AT(parser),
      0, 0, parsers, "json, or msgpack (socket.io-msgpack-parser)" },
    { CLI_TEXT, 0, "path", "PATH", AT(path),
      0, 0, NULL, "of the endpoint; /socket.io/" },
    { CLI_TEXT, 0, "namespace", "NAME", AT(nsp),
      0, 0, NULL, "instead of the path of the URL" },
    { CLI_TEXT, 0, "auth", "JSON", AT(auth),
      0, 0, NULL, "what the client connects with: an object" },
    { CLI_LIST, 'H', "header", "LINE", AT(headers),
      0, 0, NULL, "\"Name: value\", with every request" },
    { CLI_TEXT, 0, "ca", "FILE", AT(ca),
      0, 0, NULL, "https: whom to trust, instead of the system" },
    { CLI_FLAG, 'k', "insecure", NULL, AT(insecure),
      0, 0, NULL, "https: whatever the certificate says" },
    { CLI_TIME, 0, "timeout", "TIME", AT(timeout_ms),
      1, HOUR_MS, NULL, "for a connection, and for an answer; 5s" },

    { .kind = CLI_HEADING, .help = "What is told:" },
    { CLI_TEXT, 0, "json", "FILE", AT(json),
      0, 0, NULL, "the report as JSON; -: instead of the text" },
    { CLI_TEXT, 0, "html", "FILE", AT(html),
      0, 0, NULL, "the report as a page, with plots" },
    { CLI_COUNT, 0, "pid", "PID", AT(pid),
      1, INT32_MAX, NULL, "of the server, on this machine: its CPU time for\n"
      "each event, and its memory" },
    { CLI_FLAG, 'q', "quiet", NULL, AT(quiet),
      0, 0, NULL, "no progress" },
    { CLI_FLAG, 'h', "help", NULL, AT(help), 0, 0, NULL, "this text" },
    { .help = NULL },
};

static const struct {
    const char *name, *text;
} scenarios[] = {
#define X(name, word, text) { word, text },
    BENCH_SCENARIOS(X)
#undef X
};
/* clang-format on */

const char *bench_scenario_name(enum bench_scenario s)
{
    return scenarios[s].name;
}

const char *bench_transport_name(unsigned transport)
{
    static const char *const names[] = { "WebSocket", "long-polling",
                                         "polling, then WebSocket" };

    return names[transport];
}

void bench_help(FILE *out)
{
    fputs("usage: sio bench [SCENARIO] URL [options]\n\n"
          "Puts load on a Socket.IO server, checks what comes back, and tells "
          "how long it\ntook.\n\n",
          out);
    for (size_t i = 0; i < BENCH_NSCENARIOS; i++)
        fprintf(out, "  %-22s  %s\n", scenarios[i].name, scenarios[i].text);
    cli_args_help(out, table);
    fputs("\nURL is http://, https://, ws://, wss:// or unix:PATH; its path is "
          "the namespace.\nThe server answers \"echo\" with \"echo\" or, where "
          "it is asked for, with the\nacknowledgement, and \"broadcast\" with "
          "\"broadcast\" to everybody.\n\n"
          "Exit status: 0 all went well, 1 something did not, 2 the command "
          "line is wrong,\n130 it was interrupted.\n",
          out);
}

static void set_defaults(struct bench_options *o)
{
    memset(o, 0, sizeof *o);
    o->connections = 100;
    o->threads = 1;
    o->burst = 64;
    o->size = 32;
    o->timeout_ms = 5000;
    o->warmup_ms = UINT64_MAX; /* not given */
    o->storm_pause_ms = 1000;
    o->rounds = 3;
    o->path = "/socket.io/";
    o->transport = UINT32_MAX; /* not given */
}

static int say(char *why, const char *what)
{
    snprintf(why, CLI_ARGS_WHY, "%s", what);
    return -1;
}

/* [SCENARIO] URL, in either order. */
static int read_words(struct bench_options *o, const struct cli_list *words,
                      const char **url, char *why)
{
    bool named = false;

    *url = NULL;
    for (size_t i = 0; i < words->count; i++) {
        size_t s = 0;

        while (s < BENCH_NSCENARIOS &&
               strcmp(scenarios[s].name, words->items[i]) != 0)
            s++;
        if (s < BENCH_NSCENARIOS && !named) {
            o->scenario = (enum bench_scenario)s;
            named = true;
        } else if (*url) {
            snprintf(why, CLI_ARGS_WHY, "\"%.60s\" is no scenario",
                     words->items[i]);
            return -1;
        } else {
            *url = words->items[i];
        }
    }
    return *url ? 0 : say(why, "there is no URL");
}

static void fill_in(struct bench_options *o)
{
    const bool cast = o->scenario == BENCH_BROADCAST;

    if (o->transport == UINT32_MAX)
        o->transport = o->scenario == BENCH_POLLING   ? CLI_POLLING
                       : o->scenario == BENCH_UPGRADE ? CLI_UPGRADE
                                                      : CLI_WEBSOCKET;
    if (o->warmup_ms == UINT64_MAX)
        o->warmup_ms = o->count || !bench_is_messages(o->scenario) ? 0 : 1000;
    if (!o->duration_ms && !o->count)
        o->duration_ms = 10000;
    if (!o->in_flight)
        o->in_flight = o->rate > 0 ? 256 : 1;
    if (o->connections < o->threads)
        o->threads = o->connections;
    if (!o->event)
        o->event = cast ? "broadcast" : "echo";
    if (!o->reply)
        o->reply = o->event;
}

static bool is_json(const char *text, bool object)
{
    const sio_str s = { text, strlen(text) };

    return json_valid(s, JSON_DEPTH_LIMIT) &&
           (!object || json_check(s, JSON_DEPTH_LIMIT) == JSON_OBJECT);
}

static int check_headers(const struct cli_list *headers, char *why)
{
    for (size_t i = 0; i < headers->count; i++) {
        const char *line = headers->items[i];

        if (!strchr(line, ':') || strpbrk(line, "\r\n"))
            return say(why, "--header: not of the form \"Name: value\"");
    }
    return 0;
}

static int check(const struct bench_options *o, char *why)
{
    const sio_str event = { o->event, strlen(o->event) };

    if (o->scenario == BENCH_POLLING && o->transport != CLI_POLLING)
        return say(why, "polling goes with --transport polling only");
    if (o->scenario == BENCH_UPGRADE && o->transport != CLI_UPGRADE)
        return say(why, "upgrade goes with --transport upgrade only");
    if (o->scenario == BENCH_BROADCAST && (o->data || o->no_check))
        return say(why, "broadcasts are numbered: neither --data nor "
                        "--no-check goes with them");
    if (o->scenario == BENCH_BROADCAST && o->to_others && o->connections < 2)
        return say(why, "--to-others needs two connections and more");
    if (o->scenario == BENCH_BINARY && o->data)
        return say(why, "--data is JSON: it does not go with binary");
    if (sp_reserved_event(event))
        return say(why, "--event: that name is reserved");
    if (o->data && !is_json(o->data, false))
        return say(why, "--data: that is no JSON");
    if (o->auth && !is_json(o->auth, true))
        return say(why, "--auth: that is no JSON object");
    if (o->path[0] != '/' || strpbrk(o->path, " ?#\r\n"))
        return say(why, "--path: it begins with / and has no blanks, ? or #");
    if (o->nsp && o->nsp[0] != '/')
        return say(why, "--namespace: it begins with /");
    return check_headers(&o->headers, why);
}

int bench_options_read(struct bench_options *o, int argc, char *const *argv,
                       const char **url, char why[CLI_ARGS_WHY])
{
    struct cli_list words;

    set_defaults(o);
    if (cli_args_parse(argc, argv, table, o, &words, why) < 0)
        return -1;
    if (o->help)
        return 0;
    if (read_words(o, &words, url, why) < 0)
        return -1;
    fill_in(o);
    return check(o, why);
}
