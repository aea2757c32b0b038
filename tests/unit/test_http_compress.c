/*
 * test_http_compress.c -- which coding is chosen, and that it can be read
 * again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/compress.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <zlib.h>

static const struct row {
    const char *accept;
    enum http_coding want;
} rows[] = {
    { "gzip", HTTP_GZIP },
    { "deflate", HTTP_DEFLATE },
    { "gzip, deflate", HTTP_GZIP },
    { "deflate, gzip", HTTP_DEFLATE },
    { "gzip, deflate, br, zstd", HTTP_GZIP },
    { "GZIP", HTTP_GZIP },
    { "gzip;q=0.5, deflate", HTTP_DEFLATE },
    { "gzip;q=0.5, deflate;q=0.5", HTTP_GZIP },
    { "gzip;q=0.001,deflate;q=0.002", HTTP_DEFLATE },
    { "deflate;q=1.000, gzip;q=1", HTTP_DEFLATE },
    { "*", HTTP_GZIP },
    { "gzip;q=0, *", HTTP_DEFLATE },
    { "gzip;q=0", HTTP_IDENTITY },
    { "*;q=0", HTTP_IDENTITY },
    { "gzip;q=0,deflate;q=0", HTTP_IDENTITY },
    { "identity", HTTP_IDENTITY },
    { "br", HTTP_IDENTITY },
    { "", HTTP_IDENTITY },
    { ",,;;,", HTTP_IDENTITY },
    { "gzipx", HTTP_IDENTITY },
    { " gzip ; q=0.3 ,\tdeflate;q=0.2", HTTP_GZIP },
    { "*, deflate", HTTP_DEFLATE },
    { "gzip;q=0.2, gzip;q=0.4, deflate;q=0.3", HTTP_GZIP },
    { "*;q=0.5, deflate;q=0.4", HTTP_GZIP },
    { "br, gzip;q=0.1", HTTP_GZIP },
};

static void test_choice(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum http_coding got =
            http_choose_coding(str_of(rows[i].accept), HTTP_GZIP);

        T_CASE("compress: Accept-Encoding: %s", rows[i].accept);
        CHECK(got == rows[i].want, "%d", (int)got);
    }
    T_CASE("compress: no Accept-Encoding");
    CHECK(http_choose_coding((sio_str){ NULL, 0 }, HTTP_GZIP) == HTTP_IDENTITY,
          "chosen");
}

/* bits: 31 gzip, 15 zlib */
static bool reads_back(const struct buf *b, int bits, const char *want,
                       size_t n)
{
    static uint8_t text[100000];
    z_stream z = { 0 };
    int r;

    if (inflateInit2(&z, bits) != Z_OK)
        return false;
    z.next_in = (Bytef *)(uintptr_t)b->data;
    z.avail_in = (uInt)b->len;
    z.next_out = text;
    z.avail_out = sizeof text;
    r = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    return r == Z_STREAM_END && z.total_out == n && memcmp(text, want, n) == 0;
}

static void test_bodies(void)
{
    static char body[50000];
    struct http_compressor c;

    memset(body, 'x', sizeof body);
    http_compressor_init(&c);
    for (int round = 0; round < 3; round++) {
        struct buf *gzip, *deflate;

        T_CASE("compress: round %d with the same compressors", round);
        gzip = http_compress(&c, HTTP_GZIP, (sio_str){ body, sizeof body });
        deflate =
            http_compress(&c, HTTP_DEFLATE, (sio_str){ body, sizeof body });
        CHECK(gzip && gzip->len < 500 && gzip->data[0] == 0x1f, "gzip");
        CHECK(gzip && reads_back(gzip, 31, body, sizeof body), "gzip");
        CHECK(deflate && reads_back(deflate, 15, body, sizeof body), "deflate");
        buf_unref(gzip);
        buf_unref(deflate);
    }

    T_CASE("compress: what does not get shorter stays as it is");
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)(i * i * 31 + i * 7 + (i >> 3) * (i >> 5));
    CHECK(!http_compress(&c, HTTP_GZIP, (sio_str){ "abc", 3 }), "3 bytes");
    CHECK(!http_compress(&c, HTTP_IDENTITY, (sio_str){ body, 100 }),
          "identity");
    http_compressor_free(&c);
}

int main(void)
{
    test_choice();
    test_bodies();
    return t_done();
}
