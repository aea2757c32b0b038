/*
 * tell.h -- what a handler is told about an event, by every reader there is, as
 * one text: two events that tell the same are the same to a program.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_FLOW_TELL_H
#define TESTS_FLOW_TELL_H

#include <sio/event.h>

extern char story[1 << 16]; /* what was told since it was emptied */

__attribute__((format(printf, 1, 2))) void tell(const char *fmt, ...);
void tell_event(sio_event *event);

#endif
