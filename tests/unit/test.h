/*
 * test.h -- the whole test framework: named cases, checks that never abort,
 * one TAP line per case ("ok - name" or "not ok - name") for tests/run.sh.
 *
 *     T_CASE("ws: %s, cut everywhere", row->name);
 *     CHECK(got == want, "got %d", got);
 *     ...
 *     return t_done();
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static char t_name[200];
static int t_case_failed, t_failed, t_passed, t_checks;

static inline void t_end_case(void)
{
    if (!t_name[0])
        return;
    if (!t_checks)
        printf("# no check was made in: %s\n", t_name);
    if (t_case_failed || !t_checks)
        t_failed++;
    else
        t_passed++;
    printf("%s - %s\n", t_case_failed || !t_checks ? "not ok" : "ok", t_name);
    fflush(stdout);
    t_name[0] = 0;
}

__attribute__((format(printf, 1, 2))) static inline void
t_begin_case(const char *fmt, ...)
{
    va_list ap;

    t_end_case();
    va_start(ap, fmt);
    vsnprintf(t_name, sizeof t_name, fmt, ap);
    va_end(ap);
    t_case_failed = t_checks = 0;
}

#define T_CASE(...) t_begin_case(__VA_ARGS__)

/* Never aborts: one run shows every broken row, not just the first. The first
 * ten failures of a case are printed. */
#define CHECK(cond, ...)                                            \
    do {                                                            \
        t_checks++;                                                 \
        if (!(cond)) {                                              \
            if (t_case_failed++ < 10) {                             \
                printf("# %s:%d: %s: ", __FILE__, __LINE__, #cond); \
                printf(__VA_ARGS__);                                \
                printf("\n");                                       \
            }                                                       \
        }                                                           \
    } while (0)

static inline int t_done(void)
{
    t_end_case();
    return t_failed != 0;
}

#endif
