/*
 * oom.c -- see oom.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/unit/oom.h"

#include <stdatomic.h>
#include <stddef.h>

static atomic_long left = -1; /* allocations until the one that fails */
static atomic_bool failed;
static atomic_long count;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void oom_arm(long n)
{
    atomic_store(&failed, false);
    atomic_store(&left, n);
}

bool oom_disarm(void)
{
    atomic_store(&left, -1);
    return atomic_load(&failed);
}

long oom_count(void)
{
    return atomic_load(&count);
}

static bool refuse(void)
{
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    if (atomic_load_explicit(&left, memory_order_relaxed) < 0)
        return false;
    if (atomic_fetch_sub(&left, 1) != 0)
        return false;
    atomic_store(&failed, true);
    return true;
}

void *__wrap_malloc(size_t n)
{
    return refuse() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return refuse() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return refuse() ? NULL : __real_realloc(p, n);
}
