/*
 * error.c -- what the results of <sio/types.h> mean, for every layer and for
 * programs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sio/types.h>

const char *sio_strerror(int error)
{
    switch (error) {
        /* clang-format off */
#define X(name, number, text) case number: return text;
        SIO_ERRORS(X)
#undef X
        /* clang-format on */
    default:
        return "unknown error";
    }
}
