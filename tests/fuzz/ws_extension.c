/*
 * ws_extension.c -- any bytes as a Sec-WebSocket-Extensions header; the first
 * two choose what the server wishes. What is agreed on keeps to the wishes, and
 * its answer, read as an offer, leads to the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/websocket/extension.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool bits_keep_to(unsigned bits, unsigned wish)
{
    return (bits == 0 ||
            (bits >= WS_MIN_WINDOW_BITS && bits <= WS_MAX_WINDOW_BITS)) &&
           (wish == 0 || (bits != 0 && bits <= wish));
}

static void check_agreed(const struct ws_deflate_params *wishes,
                         const struct ws_deflate_params *agreed)
{
    static const struct ws_deflate_params none;
    struct ws_deflate_params again;
    struct grow answer;

    require(agreed->server_no_context_takeover ||
            !wishes->server_no_context_takeover);
    require(agreed->client_no_context_takeover ||
            !wishes->client_no_context_takeover);
    require(bits_keep_to(agreed->server_max_window_bits,
                         wishes->server_max_window_bits));
    require(bits_keep_to(agreed->client_max_window_bits,
                         wishes->client_max_window_bits));
    grow_init(&answer, 200);
    require(ws_deflate_answer(&answer, agreed) == SIO_OK);
    require(ws_deflate_negotiate(grow_str(&answer), &none, &again) == 1);
    require(again.server_no_context_takeover ==
                agreed->server_no_context_takeover &&
            again.client_no_context_takeover ==
                agreed->client_no_context_takeover &&
            again.server_max_window_bits == agreed->server_max_window_bits &&
            again.client_max_window_bits == agreed->client_max_window_bits);
    grow_free(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ws_deflate_params wishes, agreed;
    char *header;
    int r;

    if (size < 2)
        return 0;
    wishes.server_no_context_takeover = data[0] & 1;
    wishes.client_no_context_takeover = data[0] & 2;
    wishes.server_max_window_bits = data[0] & 4 ? 8 + (data[0] >> 3) % 8 : 0;
    wishes.client_max_window_bits = data[1] & 4 ? 8 + (data[1] >> 3) % 8 : 0;
    header = malloc(size > 2 ? size - 2 : 1);
    require(header);
    memcpy(header, data + 2, size - 2);
    r = ws_deflate_negotiate((sio_str){ header, size - 2 }, &wishes, &agreed);
    require(r == 0 || r == 1 || r == SIO_E_INVAL);
    if (r == 1)
        check_agreed(&wishes, &agreed);
    free(header);
    return 0;
}
