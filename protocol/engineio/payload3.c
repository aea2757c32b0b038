/*
 * payload3.c -- see payload3.h.
 *
 * A length is the number that JavaScript would print: no sign, no leading
 * zero. Node reads more ("1e0", " 1"), which no client writes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/engineio/payload3.h"

#include "protocol/base/utf8.h"

/* What a length ends with, and its digits begin with. */
static const struct {
    unsigned char stop, zero;
} spelling[] = {
    [EIO_FORM3_TEXT] = { ':', '0' },
    [EIO_FORM3_BINARY] = { 0xff, 0 },
};

/* ------------------------------------------------------------- decoding -- */

void eio_payload3_init(struct eio_payload3 *it, enum eio_form3 form, char *body,
                       size_t n)
{
    it->at = body;
    it->end = n ? body + n : body;
    it->form = form;
    it->done = form == EIO_FORM3_BINARY && n == 0;
}

static bool read_length(struct eio_payload3 *it, size_t *length)
{
    const unsigned char zero = spelling[it->form].zero;
    const char *first = it->at;
    char *p = it->at;
    size_t n = 0;

    for (; p < it->end; p++) {
        const unsigned digit = (unsigned char)*p - (unsigned)zero;

        if (digit > 9)
            break;
        if (n > (SIZE_MAX - 9) / 10)
            return false;
        n = n * 10 + digit;
    }
    if (p == it->end || (unsigned char)*p != spelling[it->form].stop)
        return false;
    if (p == first || ((unsigned char)*first == zero && p - first > 1))
        return false;
    it->at = p + 1;
    *length = n;
    return true;
}

static bool is_trail(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Begins a character above U+FFFF, which is two code units. */
static bool is_pair(char c)
{
    return (unsigned char)c >= 0xf0;
}

/* The end of the text of so many UTF-16 code units at p. NULL when there are
 * fewer, or when the last one is half a surrogate pair. */
static char *skip_units(char *p, const char *end, size_t units)
{
    uint64_t word;
    size_t cost;

    while (units > 0) {
        if (units >= sizeof word && end - p >= (ptrdiff_t)sizeof word) {
            memcpy(&word, p, sizeof word);
            if (!(word & 0x8080808080808080)) {
                p += sizeof word;
                units -= sizeof word;
                continue;
            }
        }
        if (p == end)
            return NULL;
        cost = is_pair(*p) ? 2 : 1;
        if (cost > units)
            return NULL;
        units -= cost;
        do
            p++;
        while (p < end && is_trail(*p));
    }
    return p;
}

/* Both forms return what eio_payload3_next() does, but 0 for a packet to pass
 * over. */

static int next_text(struct eio_payload3 *it, struct eio_packet *out)
{
    char *packet, *stop;
    size_t units;

    if (!read_length(it, &units))
        return SIO_E_INVAL;
    packet = it->at;
    stop = skip_units(packet, it->end, units);
    if (!stop)
        return SIO_E_INVAL;
    it->at = stop;
    if (stop == packet)
        return 0;
    return eio_packet3_decode_text(packet, (size_t)(stop - packet), out);
}

static int next_binary(struct eio_payload3 *it, struct eio_packet *out)
{
    const char kind = *it->at++;
    char *packet;
    size_t n;

    if ((kind != 0 && kind != 1) || !read_length(it, &n))
        return SIO_E_INVAL;
    packet = it->at;
    if (n > (size_t)(it->end - packet))
        n = (size_t)(it->end - packet);
    it->at += n;
    if (kind == 1)
        return eio_packet3_decode_binary((sio_str){ packet, n }, out);
    if (n == 0)
        return 0;
    if (!utf8_valid(packet, n))
        return SIO_E_INVAL;
    return eio_packet3_decode_text(packet, n, out);
}

int eio_payload3_next(struct eio_payload3 *it, struct eio_packet *out)
{
    int r = 0;

    while (r == 0 && !it->done) {
        r = it->form == EIO_FORM3_TEXT ? next_text(it, out)
                                       : next_binary(it, out);
        it->done = r < 0 || it->at == it->end;
    }
    return r;
}

/* ------------------------------------------------------------- encoding -- */

static size_t count_units(sio_str text)
{
    size_t units = 0;

    for (size_t i = 0; i < text.n; i++)
        units += (size_t)!is_trail(text.p[i]) + is_pair(text.p[i]);
    return units;
}

/* Make room for a packet of n bytes, then write what goes before it. */
static int begin_packet(struct grow *out, enum eio_form3 form, bool binary,
                        size_t length, size_t n)
{
    uint8_t header[22]; /* a kind, 20 digits, a stop */
    size_t at = sizeof header;
    int r;

    header[--at] = spelling[form].stop;
    do
        header[--at] = (uint8_t)(spelling[form].zero + length % 10);
    while (length /= 10);
    if (form == EIO_FORM3_BINARY)
        header[--at] = binary;
    r = grow_reserve(out, sizeof header - at + n);
    return r == SIO_OK ? grow_append(out, header + at, sizeof header - at) : r;
}

int eio_payload3_append(struct grow *out, enum eio_form3 form,
                        enum eio_type type, sio_str data)
{
    size_t length = form == EIO_FORM3_TEXT ? count_units(data) : data.n;
    int r = begin_packet(out, form, false, 1 + length, 1 + data.n);

    if (r != SIO_OK)
        return r;
    out->data[out->len++] = (uint8_t)eio_packet_digit(type);
    return grow_append(out, data.p, data.n);
}

int eio_payload3_append_binary(struct grow *out, enum eio_form3 form,
                               sio_str data)
{
    const bool text = form == EIO_FORM3_TEXT;
    size_t n = text ? EIO_PACKET3_BASE64_LEN(data.n) : 1 + data.n;
    int r = begin_packet(out, form, true, n, n);

    if (r != SIO_OK)
        return r;
    return text ? eio_packet3_append_base64(out, data)
                : eio_packet3_append_binary(out, data);
}
