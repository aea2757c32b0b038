/*
 * main.c -- `sio`, a Socket.IO client and load tool for the terminal: finds the
 * command and calls it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/bench.h"

#include <sio/version.h>
#include <string.h>

static const struct {
    const char *name, *help;
    int (*run)(int argc, char *const *argv);
} commands[] = {
    { "bench", "puts load on a server, and measures it", bench_main },
};

static void help(FILE *out)
{
    fputs("usage: sio COMMAND ...\n\n", out);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(out, "  sio %-10s %s\n", commands[i].name, commands[i].help);
    fputs(
        "\nsio COMMAND --help tells more; sio --version, which one this is.\n",
        out);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(command, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (strcmp(command, "--version") == 0) {
        puts("sio " SIO_VERSION);
        return 0;
    }
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0) {
        help(stdout);
        return 0;
    }
    if (*command)
        fprintf(stderr, "sio: there is no command \"%s\"\n", command);
    help(stderr);
    return 2;
}
