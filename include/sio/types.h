/*
 * types.h -- the few types every layer speaks: results, borrowed strings and
 * the values that an event carries.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_TYPES_H
#define SIO_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SIO_API __attribute__((visibility("default")))
#else
#define SIO_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct cJSON;

/* Every failing call returns one of these; 0 is success, > 0 is a count. */
/* clang-format off */
#define SIO_ERRORS(X)                                                       \
    X(SIO_OK,            0, "success")                                      \
    X(SIO_E_NOMEM,      -1, "out of memory, nothing was changed")           \
    X(SIO_E_INVAL,      -2, "invalid argument")                             \
    X(SIO_E_LIMIT,      -3, "a configured limit was reached")               \
    X(SIO_E_STATE,      -4, "not possible in the present state")            \
    X(SIO_E_SYS,        -5, "system call failed, errno has the reason")     \
    X(SIO_E_TYPE,       -6, "the argument is of another type")              \
    X(SIO_E_RANGE,      -7, "no such argument, or number out of range")     \
    X(SIO_E_TIMEOUT,    -8, "operation has timed out")                      \
    X(SIO_E_RESERVED,   -9, "the event name is reserved")                   \
    X(SIO_E_ADDRESS,   -10, "the address could not be parsed or resolved")

typedef enum sio_error {
#define X(name, number, text) name = number,
    SIO_ERRORS(X)
#undef X
} sio_error;
/* clang-format on */

/* What a result means, in English; never NULL, static storage. Any thread. */
SIO_API const char *sio_strerror(int error);

/* Borrowed bytes: not owned, not NUL-terminated, n may be 0. */
typedef struct sio_str {
    const char *p;
    size_t n;
} sio_str;

#define SIO_ADDRESS_SIZE 48 /* bytes that an IP address as text may need */

/* What one argument of an event is. */
typedef enum sio_kind {
    SIO_NULL,
    SIO_BOOL,
    SIO_INT,
    SIO_NUMBER,
    SIO_STRING,
    SIO_BINARY,
    SIO_JSON,       /* a cJSON tree */
    SIO_RAW_JSON,   /* JSON text, possibly with attachments */
    SIO_RAW_MSGPACK /* one value in MessagePack */
} sio_kind;

/*
 * One argument to send. A plain value, made by sio_string() and its siblings
 * in <sio/value.h>; everything it points at is borrowed until the call that
 * takes it returns.
 */
typedef struct sio_value {
    sio_kind kind;
    bool boolean;
    bool trusted; /* SIO_RAW_* that the library itself has validated */
    int64_t integer;
    double number;
    const void *data; /* bytes, text, or the tree */
    size_t size;      /* bytes at data */
    /* SIO_RAW_JSON: what {"_placeholder":true,"num":N} in it stands for */
    const sio_str *attachments;
    size_t attachment_count;
} sio_value;

#ifdef __cplusplus
}
#endif

#endif /* SIO_TYPES_H */
