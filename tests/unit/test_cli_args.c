/*
 * test_cli_args.c -- options of a command line, those of `sio bench` among
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/args.h"
#include "src/cli/bench.h"
#include "tests/unit/test.h"

#define WORDS 12

/* Cut at blanks, which no word here has; NULL behind the last one. */
static int cut(const char *line, char *text, size_t size, char **argv)
{
    int argc = 0;

    snprintf(text, size, "bench %s", line);
    for (char *p = strtok(text, " "); p && argc < WORDS; p = strtok(NULL, " "))
        argv[argc++] = p;
    argv[argc] = NULL;
    return argc;
}

/* ------------------------------------------------------------------ args.c */

struct fields {
    bool flag;
    const char *text;
    struct cli_list list;
    uint64_t count, bytes, time;
    double number;
    unsigned choice;
};

#define AT(field) offsetof(struct fields, field)

static const char *const choices[] = { "red", "green", NULL };
static const struct cli_option table[] = {
    { .kind = CLI_HEADING, .help = "Heading:" },
    { CLI_FLAG, 'f', "flag", NULL, AT(flag), 0, 0, NULL, "a flag" },
    { CLI_TEXT, 't', "text", "T", AT(text), 0, 0, NULL, "a text" },
    { CLI_LIST, 'l', "list", "L", AT(list), 0, 0, NULL, "a list" },
    { CLI_COUNT, 'n', "count", "N", AT(count), 1, 5000, NULL, "a count" },
    { CLI_BYTES, 'b', "bytes", "N", AT(bytes), 0, 1 << 20, NULL, "bytes" },
    { CLI_TIME, 'd', "time", "T", AT(time), 0, 7200000, NULL, "a time" },
    { CLI_NUMBER, 'r', "number", "N", AT(number), 0, 100, NULL, "a number" },
    { CLI_CHOICE, 'c', "choice", "C", AT(choice), 0, 0, choices, "a choice" },
    { .help = NULL },
};

/* "f text list,list count bytes time number choice | words", or "!why". */
static const char *parse(const char *line)
{
    static char out[400];
    char text[400], why[CLI_ARGS_WHY], *argv[WORDS + 1];
    struct fields f = { .text = "-" };
    struct cli_list words;
    size_t n;

    if (cli_args_parse(cut(line, text, sizeof text, argv), argv, table, &f,
                       &words, why) < 0) {
        snprintf(out, sizeof out, "!%s", why);
        return out;
    }
    n = (size_t)snprintf(out, sizeof out, "%d %s ", f.flag, f.text);
    for (size_t i = 0; i < f.list.count; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s,", f.list.items[i]);
    n += (size_t)snprintf(out + n, sizeof out - n, " %llu %llu %llu %g %u |",
                          (unsigned long long)f.count,
                          (unsigned long long)f.bytes,
                          (unsigned long long)f.time, f.number, f.choice);
    for (size_t i = 0; i < words.count; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, " %s", words.items[i]);
    return out;
}

static const struct {
    const char *line, *want;
} rows[] = {
    { "", "0 -  0 0 0 0 0 |" },
    { "a b", "0 -  0 0 0 0 0 | a b" },
    { "--flag a", "1 -  0 0 0 0 0 | a" },
    { "-f a", "1 -  0 0 0 0 0 | a" },
    { "a --text x -t y", "0 y  0 0 0 0 0 | a" },
    { "--text=x=y", "0 x=y  0 0 0 0 0 |" },
    { "--text= a", "0   0 0 0 0 0 | a" },
    { "-tx", "0 x  0 0 0 0 0 |" },
    { "-t -x", "0 -x  0 0 0 0 0 |" },
    { "-l a --list b -lc", "0 - a,b,c, 0 0 0 0 0 |" },
    { "-n 5k", "0 -  5000 0 0 0 0 |" },
    { "-n 1.5k", "0 -  1500 0 0 0 0 |" },
    { "-b 16k", "0 -  0 16384 0 0 0 |" },
    { "-b 1m", "0 -  0 1048576 0 0 0 |" },
    { "-d 10", "0 -  0 0 10000 0 0 |" },
    { "-d 1.5s", "0 -  0 0 1500 0 0 |" },
    { "-d 250ms", "0 -  0 0 250 0 0 |" },
    { "-d 2m", "0 -  0 0 120000 0 0 |" },
    { "-d 2h", "0 -  0 0 7200000 0 0 |" },
    { "-r 2.5", "0 -  0 0 0 2.5 0 |" },
    { "-c green", "0 -  0 0 0 0 1 |" },
    { "-- --flag -x", "0 -  0 0 0 0 0 | --flag -x" },
    { "-", "0 -  0 0 0 0 0 | -" },
    { "--what", "!unknown option --what" },
    { "-x", "!unknown option -x" },
    { "--f", "!unknown option --f" },
    { "--fla", "!unknown option --fla" },
    { "--flag=1", "!--flag takes no value" },
    { "-fx", "!--flag takes no value" },
    { "--text", "!--text needs a value" },
    { "-n 0", "!--count: 0 is not from 1 to 5000" },
    { "-n 5001", "!--count: 5001 is not from 1 to 5000" },
    { "-n -1", "!--count: \"-1\" is no number" },
    { "-n x", "!--count: \"x\" is no number" },
    { "-n 1kk", "!--count: \"1kk\" is no number" },
    { "-n nan", "!--count: \"nan\" is no number" },
    { "-n 1e999", "!--count: \"1e999\" is no number" },
    { "-b 1s", "!--bytes: \"1s\" is no number of bytes, such as 512 or 16k" },
    { "-d 1x", "!--time: \"1x\" is no time, such as 10s or 500ms" },
    { "-d 7200001ms", "!--time: 7200001ms is not from 0 to 7.2e+06 ms" },
    { "-c blue", "!--choice: \"blue\" is none of red green" },
};

static void many(void)
{
    char why[CLI_ARGS_WHY], word[] = "-lx", first[] = "bench";
    char *argv[CLI_LIST_MAX + 2] = { first };
    struct fields f = { .text = "-" };
    struct cli_list words;
    int r;

    for (int i = 1; i <= CLI_LIST_MAX + 1; i++)
        argv[i] = word;
    r = cli_args_parse(CLI_LIST_MAX + 1, argv, table, &f, &words, why);
    CHECK(r == 0 && f.list.count == CLI_LIST_MAX, "%zu", f.list.count);
    f.list.count = 0;
    r = cli_args_parse(CLI_LIST_MAX + 2, argv, table, &f, &words, why);
    CHECK(r < 0 && strstr(why, "more than"), "one more");
    for (int i = 1; i <= CLI_LIST_MAX + 1; i++)
        argv[i] = first;
    r = cli_args_parse(CLI_LIST_MAX + 1, argv, table, &f, &words, why);
    CHECK(r == 0 && words.count == CLI_LIST_MAX, "%zu", words.count);
    r = cli_args_parse(CLI_LIST_MAX + 2, argv, table, &f, &words, why);
    CHECK(r < 0 && strcmp(why, "too many arguments") == 0, "one more word");
}

static void help(void)
{
    char text[2000] = "";
    FILE *f = fmemopen(text, sizeof text, "w");

    cli_args_help(f, table);
    fclose(f);
    CHECK(strstr(text, "\nHeading:\n  -f, --flag              a flag\n"), "%s",
          text);
    CHECK(strstr(text, "  -t, --text T            a text\n"), "%s", text);
}

/* --------------------------------------------------------- bench_options.c */

/* "scenario transport event reply in_flight warmup duration url", or "!why" */
static const char *bench(const char *line)
{
    static char out[400];
    char text[400], why[CLI_ARGS_WHY], *argv[WORDS + 1];
    struct bench_options o;
    const char *url;

    if (bench_options_read(&o, cut(line, text, sizeof text, argv), argv, &url,
                           why) < 0)
        snprintf(out, sizeof out, "!%s", why);
    else
        snprintf(out, sizeof out, "%s %u %s %s %llu %llu %llu %s",
                 bench_scenario_name(o.scenario), o.transport, o.event, o.reply,
                 (unsigned long long)o.in_flight,
                 (unsigned long long)o.warmup_ms,
                 (unsigned long long)o.duration_ms, url);
    return out;
}

static const struct {
    const char *line, *want;
} bench_rows[] = {
    { "h", "echo 0 echo echo 1 1000 10000 h" },
    { "ack h", "ack 0 echo echo 1 1000 10000 h" },
    { "h ack", "ack 0 echo echo 1 1000 10000 h" },
    { "echo echo", "echo 0 echo echo 1 1000 10000 echo" },
    { "polling h", "polling 1 echo echo 1 1000 10000 h" },
    { "upgrade h", "upgrade 2 echo echo 1 0 10000 h" },
    { "churn h --transport polling", "churn 1 echo echo 1 0 10000 h" },
    { "broadcast h", "broadcast 0 broadcast broadcast 1 1000 10000 h" },
    { "h -r 10", "echo 0 echo echo 256 1000 10000 h" },
    { "h -r 10 -f 3", "echo 0 echo echo 3 1000 10000 h" },
    { "h -n 10", "echo 0 echo echo 1 0 0 h" },
    { "h -n 10 -d 2 -w 3", "echo 0 echo echo 1 3000 2000 h" },
    { "h -e a", "echo 0 a a 1 1000 10000 h" },
    { "h -e a --reply b", "echo 0 a b 1 1000 10000 h" },
    { "", "!there is no URL" },
    { "ack", "!there is no URL" },
    { "h x", "!\"x\" is no scenario" },
    { "polling h --transport websocket",
      "!polling goes with --transport polling only" },
    { "upgrade h --transport polling",
      "!upgrade goes with --transport upgrade only" },
    { "h -e connect", "!--event: that name is reserved" },
    { "h --data {", "!--data: that is no JSON" },
    { "h --auth 1", "!--auth: that is no JSON object" },
    { "h --path x", "!--path: it begins with / and has no blanks, ? or #" },
    { "h --path /x?", "!--path: it begins with / and has no blanks, ? or #" },
    { "h --namespace x", "!--namespace: it begins with /" },
    { "h -H x", "!--header: not of the form \"Name: value\"" },
    { "h -s 15", "!--size: 15 is not from 16 to 1.67772e+07" },
    { "binary h --data 1", "!--data is JSON: it does not go with binary" },
    { "broadcast h --to-others -c 1",
      "!--to-others needs two connections and more" },
};

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        T_CASE("cli args: %s", rows[i].line);
        CHECK(strcmp(parse(rows[i].line), rows[i].want) == 0, "%s",
              parse(rows[i].line));
    }
    T_CASE("cli args: the limits of lists");
    many();
    T_CASE("cli args: --help");
    help();
    for (size_t i = 0; i < COUNT(bench_rows); i++) {
        T_CASE("sio bench: %s", bench_rows[i].line);
        CHECK(strcmp(bench(bench_rows[i].line), bench_rows[i].want) == 0, "%s",
              bench(bench_rows[i].line));
    }
    return t_done();
}
