/*
 * later.c -- see later.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/later.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct errand {
    struct errand *next;
    uint64_t due_ms;
    void (*fn)(void *arg);
    void *arg;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static pthread_t thread;
static bool started, stopping;
static struct errand *errands; /* the earliest first */

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* With the lock held, which it gives up for the call. */
static void run_first(void)
{
    struct errand *errand = errands;

    errands = errand->next;
    pthread_mutex_unlock(&lock);
    errand->fn(errand->arg);
    free(errand);
    pthread_mutex_lock(&lock);
}

static void wait_until(uint64_t due_ms)
{
    struct timespec t = { .tv_sec = (time_t)(due_ms / 1000),
                          .tv_nsec = (long)(due_ms % 1000) * 1000000 };

    pthread_cond_timedwait(&changed, &lock, &t);
}

static void *wait_and_run(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    while (!stopping) {
        if (!errands)
            pthread_cond_wait(&changed, &lock);
        else if (errands->due_ms > now_ms())
            wait_until(errands->due_ms);
        else
            run_first();
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* With the lock held. */
static bool start(void)
{
    pthread_condattr_t attr;

    if (started)
        return true;
    if (pthread_condattr_init(&attr) != 0)
        return false;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    started = pthread_cond_init(&changed, &attr) == 0 &&
              pthread_create(&thread, NULL, wait_and_run, NULL) == 0;
    pthread_condattr_destroy(&attr);
    return started;
}

bool later(uint32_t ms, void (*fn)(void *arg), void *arg)
{
    struct errand *errand = malloc(sizeof *errand), **at = &errands;
    bool ok;

    if (!errand)
        return false;
    *errand = (struct errand){ NULL, now_ms() + ms, fn, arg };
    pthread_mutex_lock(&lock);
    ok = start();
    if (ok) {
        while (*at && (*at)->due_ms <= errand->due_ms)
            at = &(*at)->next;
        errand->next = *at;
        *at = errand;
        pthread_cond_signal(&changed);
    }
    pthread_mutex_unlock(&lock);
    if (!ok)
        free(errand);
    return ok;
}

void later_stop(void)
{
    if (!started)
        return;
    pthread_mutex_lock(&lock);
    stopping = true;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    pthread_mutex_lock(&lock);
    while (errands)
        run_first();
    pthread_mutex_unlock(&lock);
}
