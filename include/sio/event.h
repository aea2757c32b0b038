/*
 * event.h -- a received event: its arguments and its acknowledgement.
 *
 * A sio_event is good inside its handler, and so is everything read from it.
 * Loop thread, unless said otherwise.
 *
 * Readers return SIO_OK with *out set, SIO_E_RANGE (there is no argument i),
 * SIO_E_TYPE (it is of another type) or SIO_E_NOMEM; *out is untouched then.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SIO_EVENT_H
#define SIO_EVENT_H

#include <sio/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sio_pending_ack sio_pending_ack;

/* The event's name, unescaped, NUL-terminated. "" for an answer. */
SIO_API const char *sio_event_name(sio_event *event);

/* Arguments after the name. */
SIO_API size_t sio_arg_count(const sio_event *event);

/* What argument i is: SIO_NULL also when there is none; SIO_JSON for arrays and
 * objects; numbers are SIO_INT when integral within 2^53, else SIO_NUMBER. */
SIO_API sio_kind sio_arg_kind(const sio_event *event, size_t i);

/* The decoded text, NUL-terminated; it may hold NULs: see *n. n may be NULL. */
SIO_API int sio_arg_string(sio_event *event, size_t i, const char **out,
                           size_t *n);
/* SIO_E_RANGE also for a number that is not integral or beyond +-(2^53 - 1). */
SIO_API int sio_arg_int(const sio_event *event, size_t i, int64_t *out);
SIO_API int sio_arg_number(const sio_event *event, size_t i, double *out);
SIO_API int sio_arg_bool(const sio_event *event, size_t i, bool *out);
SIO_API int sio_arg_binary(const sio_event *event, size_t i, const void **out,
                           size_t *n);

/* The argument's JSON text as it came; a binary inside reads
 * {"_placeholder":true,"num":N}. With another parser than JSON (<sio/parser.h>)
 * all arguments are written as JSON on the first call; then also SIO_E_NOMEM,
 * and SIO_E_LIMIT: over max_buffered_amount. */
SIO_API int sio_arg_raw(const sio_event *event, size_t i, sio_str *out);

/* The argument as a cJSON tree, made on the first call and owned by the event.
 * A tree cannot hold a NUL in a string (cut there) nor a lone surrogate
 * (SIO_E_TYPE); sio_arg_string() and sio_arg_raw() can. */
SIO_API int sio_arg_json(sio_event *event, size_t i, const struct cJSON **out);

/* Binary attachments of the event: number, and the N that a placeholder inside
 * a tree or raw text names. With another parser than JSON: its binary values,
 * in order; 0 when sio_arg_raw() fails. */
SIO_API size_t sio_attachment_count(const sio_event *event);
SIO_API int sio_attachment(const sio_event *event, size_t n, const void **out,
                           size_t *size);

/* Argument i, to be passed on as it is, binary included, without being parsed;
 * also to a server with another parser.
 * null when there is none. */
SIO_API sio_value sio_arg(const sio_event *event, size_t i);

/* Does the client want an acknowledgement? */
SIO_API bool sio_wants_ack(const sio_event *event);

/* Acknowledge with `count` values; use the macro sio_ack() of <sio/emit.h>.
 * The first call counts; SIO_E_STATE when none was asked for, or it was given
 * already. */
SIO_API int sio_ack_values(sio_event *event, const sio_value *values,
                           size_t count);

/* Take the acknowledgement out of the event, to be given later: once, from any
 * thread, by sio_answer(), which frees the handle unless it fails, or by
 * sio_answer_drop() to never give it; not after sio_server_free(). NULL when
 * none was asked for, or it was given already, or out of memory. */
SIO_API sio_pending_ack *sio_ack_later(sio_event *event);
SIO_API int sio_answer_values(sio_pending_ack *ack, const sio_value *values,
                              size_t count);
SIO_API void sio_answer_drop(sio_pending_ack *ack);

#ifdef __cplusplus
}
#endif

#endif /* SIO_EVENT_H */
