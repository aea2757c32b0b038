/*
 * bench_result.c -- adding up what threads have seen.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/bench.h"

#include <string.h>
#include <unistd.h>

void bench_error(struct bench_errors *e, const char *why, uint64_t count)
{
    for (size_t i = 0; i < e->kinds; i++)
        if (strcmp(e->list[i].why, why) == 0) {
            e->list[i].count += count;
            return;
        }
    if (e->kinds == BENCH_ERRORS) {
        e->others += count;
        return;
    }
    snprintf(e->list[e->kinds].why, sizeof e->list->why, "%s", why);
    e->list[e->kinds++].count = count;
}

void bench_errors_merge(struct bench_errors *into,
                        const struct bench_errors *from)
{
    for (size_t i = 0; i < from->kinds; i++)
        bench_error(into, from->list[i].why, from->list[i].count);
    into->others += from->others;
}

uint64_t bench_errors_count(const struct bench_errors *e)
{
    uint64_t n = e->others;

    for (size_t i = 0; i < e->kinds; i++)
        n += e->list[i].count;
    return n;
}

void bench_counts_add(struct bench_counts *into,
                      const struct bench_counts *from)
{
    into->connected += from->connected;
    into->opened += from->opened;
    into->failed += from->failed;
    into->lost += from->lost;
    into->sent += from->sent;
    into->received += from->received;
    into->waiting += from->waiting;
    into->unsent += from->unsent;
    into->measured += from->measured;
    into->wrong += from->wrong;
    into->other += from->other;
    into->bytes_in += from->bytes_in;
    into->bytes_out += from->bytes_out;
}

bool bench_passed(const struct bench_result *r)
{
    return !r->failure[0] && !r->counts.unsent && !r->counts.wrong &&
           !r->counts.failed && !r->counts.lost &&
           !bench_errors_count(&r->errors);
}

/* --------------------------------------------------------------- processes */

static bool read_file(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "r");
    size_t n;

    if (!f)
        return false;
    n = fread(text, 1, size - 1, f);
    fclose(f);
    text[n] = 0;
    return n > 0;
}

/* proc(5): fields 14 and 15 of stat, in clock ticks; the name before them may
 * have blanks and brackets in it. */
bool bench_process_read(uint64_t pid, struct bench_process *out)
{
    unsigned long user, system, pages;
    char path[64], text[1024];
    const char *p;

    snprintf(path, sizeof path, "/proc/%llu/stat", (unsigned long long)pid);
    if (!read_file(path, text, sizeof text))
        return false;
    p = strrchr(text, ')');
    if (!p ||
        sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
               &user, &system) != 2)
        return false;
    out->cpu_s = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
    snprintf(path, sizeof path, "/proc/%llu/statm", (unsigned long long)pid);
    if (!read_file(path, text, sizeof text) ||
        sscanf(text, "%*u %lu", &pages) != 1)
        return false;
    out->rss = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}
