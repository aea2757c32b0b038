/*
 * args.c -- see args.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/args.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLUMN 26 /* where texts of --help begin */

struct parser {
    const struct cli_option *options;
    char *fields;
    char *why;
};

static const struct {
    enum cli_kind kind;
    const char *name;
    double factor;
} units[] = {
    { CLI_COUNT, "", 1 },      { CLI_COUNT, "k", 1e3 },
    { CLI_COUNT, "m", 1e6 },   { CLI_BYTES, "", 1 },
    { CLI_BYTES, "k", 1024 },  { CLI_BYTES, "m", 1024 * 1024 },
    { CLI_TIME, "", 1000 },    { CLI_TIME, "ms", 1 },
    { CLI_TIME, "s", 1000 },   { CLI_TIME, "m", 60 * 1000 },
    { CLI_TIME, "h", 3600e3 }, { CLI_NUMBER, "", 1 },
    { CLI_NUMBER, "k", 1000 }, { CLI_NUMBER, "m", 1e6 },
};

bool cli_args_number(enum cli_kind kind, const char *text, double *out)
{
    char *end;
    double n;

    if (*text < '0' || *text > '9')
        return false;
    n = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (units[i].kind == kind && strcmp(units[i].name, end) == 0) {
            *out = n * units[i].factor;
            return isfinite(*out);
        }
    return false;
}

/* ------------------------------------------------------------------ values */

static const char *noun(enum cli_kind kind)
{
    return kind == CLI_TIME    ? "time, such as 10s or 500ms"
           : kind == CLI_BYTES ? "number of bytes, such as 512 or 16k"
                               : "number";
}

static int set_number(const struct parser *p, const struct cli_option *o,
                      const char *text)
{
    double n;

    if (!cli_args_number(o->kind, text, &n)) {
        snprintf(p->why, CLI_ARGS_WHY, "--%s: \"%.60s\" is no %s", o->name,
                 text, noun(o->kind));
        return -1;
    }
    if (n < (double)o->min || n > (double)o->max) {
        snprintf(p->why, CLI_ARGS_WHY, "--%s: %.60s is not from %g to %g%s",
                 o->name, text, (double)o->min, (double)o->max,
                 o->kind == CLI_TIME ? " ms" : "");
        return -1;
    }
    if (o->kind == CLI_NUMBER)
        memcpy(p->fields + o->offset, &n, sizeof n);
    else
        memcpy(p->fields + o->offset, &(uint64_t){ (uint64_t)(n + 0.5) },
               sizeof(uint64_t));
    return 0;
}

static int set_choice(const struct parser *p, const struct cli_option *o,
                      const char *text)
{
    int n;

    for (unsigned i = 0; o->choices[i]; i++)
        if (strcmp(o->choices[i], text) == 0) {
            memcpy(p->fields + o->offset, &i, sizeof i);
            return 0;
        }
    n = snprintf(p->why, CLI_ARGS_WHY, "--%s: \"%.60s\" is none of", o->name,
                 text);
    for (unsigned i = 0; o->choices[i] && n > 0 && n < CLI_ARGS_WHY; i++)
        n += snprintf(p->why + n, CLI_ARGS_WHY - (size_t)n, " %s",
                      o->choices[i]);
    return -1;
}

static int set_list(const struct parser *p, const struct cli_option *o,
                    const char *text)
{
    struct cli_list list;

    memcpy(&list, p->fields + o->offset, sizeof list);
    if (list.count == CLI_LIST_MAX) {
        snprintf(p->why, CLI_ARGS_WHY, "--%s: more than %d of them", o->name,
                 CLI_LIST_MAX);
        return -1;
    }
    list.items[list.count++] = text;
    memcpy(p->fields + o->offset, &list, sizeof list);
    return 0;
}

static int set(const struct parser *p, const struct cli_option *o,
               const char *text)
{
    switch (o->kind) {
    case CLI_TEXT:
        memcpy(p->fields + o->offset, &text, sizeof text);
        return 0;
    case CLI_LIST:
        return set_list(p, o, text);
    case CLI_CHOICE:
        return set_choice(p, o, text);
    default:
        return set_number(p, o, text);
    }
}

/* ----------------------------------------------------------------- options */

static const struct cli_option *find(const struct parser *p, const char *name,
                                     size_t n)
{
    for (const struct cli_option *o = p->options; o->help; o++) {
        if (o->kind == CLI_HEADING)
            continue;
        if (n == 1 ? o->letter == *name
                   : strlen(o->name) == n && memcmp(o->name, name, n) == 0)
            return o;
    }
    return NULL;
}

/* The option of argv[*at], which is moved on where its value is the next one.
 */
static int take(const struct parser *p, int argc, char *const *argv, int *at)
{
    const char *word = argv[*at], *value = NULL;
    const bool is_long = word[1] == '-';
    const char *name = word + 1 + is_long;
    size_t n = is_long ? strcspn(name, "=") : 1;
    const struct cli_option *o = is_long && n == 1 ? NULL : find(p, name, n);

    if (!o) {
        snprintf(p->why, CLI_ARGS_WHY, "unknown option %.60s", word);
        return -1;
    }
    if (name[n])
        value = name + n + is_long;
    if (o->kind == CLI_FLAG) {
        if (value) {
            snprintf(p->why, CLI_ARGS_WHY, "--%s takes no value", o->name);
            return -1;
        }
        p->fields[o->offset] = (char)true;
        return 0;
    }
    if (!value && *at + 1 < argc)
        value = argv[++*at];
    if (!value) {
        snprintf(p->why, CLI_ARGS_WHY, "--%s needs a value", o->name);
        return -1;
    }
    return set(p, o, value);
}

int cli_args_parse(int argc, char *const *argv,
                   const struct cli_option *options, void *fields,
                   struct cli_list *words, char why[CLI_ARGS_WHY])
{
    const struct parser p = { options, fields, why };
    bool only_words = false;

    words->count = 0;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];

        if (!only_words && strcmp(word, "--") == 0) {
            only_words = true;
        } else if (!only_words && word[0] == '-' && word[1]) {
            if (take(&p, argc, argv, &i) < 0)
                return -1;
        } else if (words->count == CLI_LIST_MAX) {
            snprintf(why, CLI_ARGS_WHY, "too many arguments");
            return -1;
        } else {
            words->items[words->count++] = word;
        }
    }
    return 0;
}

/* -------------------------------------------------------------------- help */

static void help_one(FILE *out, const struct cli_option *o)
{
    char left[80];
    int n = o->letter
                ? snprintf(left, sizeof left, "  -%c, --%s", o->letter, o->name)
                : snprintf(left, sizeof left, "      --%s", o->name);

    if (o->value)
        snprintf(left + n, sizeof left - (size_t)n, " %s", o->value);
    fprintf(out, "%-*s", HELP_COLUMN, left);
    if (strlen(left) >= HELP_COLUMN)
        fprintf(out, "\n%*s", HELP_COLUMN, "");
    for (const char *p = o->help; *p; p++) {
        fputc(*p, out);
        if (*p == '\n')
            fprintf(out, "%*s", HELP_COLUMN, "");
    }
    fputc('\n', out);
}

void cli_args_help(FILE *out, const struct cli_option *options)
{
    for (const struct cli_option *o = options; o->help; o++)
        if (o->kind == CLI_HEADING)
            fprintf(out, "\n%s\n", o->help);
        else
            help_one(out, o);
}
