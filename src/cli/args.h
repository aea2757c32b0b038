/*
 * args.h -- options of a command line, by a table: what is allowed, where it
 * goes, what --help says.
 *
 *     --name VALUE   --name=VALUE   -n VALUE   -nVALUE   --flag   --
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_CLI_ARGS_H
#define SRC_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CLI_LIST_MAX 32 /* times that an option may be given */
#define CLI_ARGS_WHY 200

struct cli_list {
    size_t count;
    const char *items[CLI_LIST_MAX];
};

enum cli_kind {
    CLI_HEADING, /* only for --help: `help` is the text */
    CLI_FLAG,    /* bool */
    CLI_TEXT,    /* const char * */
    CLI_LIST,    /* struct cli_list */
    CLI_COUNT,   /* uint64_t: 100, 10k, 2m */
    CLI_BYTES,   /* uint64_t: 100, 16k, 1m, by 1024 */
    CLI_TIME,    /* uint64_t, ms: 10, 10s, 500ms, 2m, 1h; without unit s */
    CLI_NUMBER,  /* double */
    CLI_CHOICE   /* unsigned: the index of one of `choices` */
};

struct cli_option {
    enum cli_kind kind;
    char letter; /* 0: none */
    const char *name;
    const char *value;          /* what --help calls it; NULL for flags */
    size_t offset;              /* of the field in the struct that is filled */
    uint64_t min, max;          /* COUNT, BYTES, TIME, NUMBER */
    const char *const *choices; /* ends with NULL */
    const char *help;
};

/*
 * Read argv[1..argc) into *fields, which has the defaults; texts stay argv's.
 * What is no option goes to `words`.
 *
 * options  ends with one whose help is NULL
 * Returns  0, or -1: see `why`
 */
int cli_args_parse(int argc, char *const *argv,
                   const struct cli_option *options, void *fields,
                   struct cli_list *words, char why[CLI_ARGS_WHY]);

/* What --help says about the options. */
void cli_args_help(FILE *out, const struct cli_option *options);

/* A number with its unit, as above. False: it is none, or not in the range. */
bool cli_args_number(enum cli_kind kind, const char *text, double *out);

#endif
