/*
 * replay.c -- a fuzz target without a fuzzer: run it over the inputs that are
 * kept in tests/fuzz/corpus, in the folder of the program's own name. What
 * fails there aborts.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (1u << 20) /* bytes */

static const char *running = "";

/* A copy of exactly n bytes, so that a sanitizer sees an overrun. */
static void run(const uint8_t *data, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);

    if (!copy)
        exit(1);
    memcpy(copy, data, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static int run_file(const char *folder, const char *name)
{
    static uint8_t data[INPUT_MAX];
    char path[512];
    FILE *f;
    size_t n;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "rb");
    if (!f)
        return 0;
    n = fread(data, 1, sizeof data, f);
    fclose(f);
    running = path;
    run(data, n);
    running = "";
    return 1;
}

static void on_abort(int number)
{
    (void)number;
    fprintf(stderr, "# failed with %s\n", running);
}

int main(int argc, char **argv)
{
    const char *slash = argc ? strrchr(argv[0], '/') : NULL;
    const char *target = slash ? slash + 1 : argv[0];
    char folder[256];
    struct dirent *entry;
    int count = 0;
    DIR *dir;

    signal(SIGABRT, on_abort);
    snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", target);
    dir = opendir(folder);
    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            count += run_file(folder, entry->d_name);
    if (dir)
        closedir(dir);
    printf("ok - fuzz: the inputs kept for %s%s\n# %d inputs\n", target,
           count ? "" : " # SKIP there are none", count);
    return 0;
}
