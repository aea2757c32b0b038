/*
 * close.c -- see close.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/websocket/close.h"

bool ws_close_code_valid(unsigned code)
{
    if (code >= 3000)
        return code <= 4999;
    return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 &&
           code != 1006;
}

const char *ws_close_code_name(unsigned code)
{
    switch (code) {
#define X(name, number) \
    case number:        \
        return #name;
        WS_CLOSE_CODES(X)
#undef X
    default:
        return "";
    }
}
