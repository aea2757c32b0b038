/*
 * test_ws_extension.c -- offers of permessage-deflate and what is answered,
 * each offer also cut at every byte.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/str.h"
#include "protocol/websocket/extension.h"
#include "tests/unit/exact.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

/* `want` is the answer, NULL = no extension, "!" = refused. */
struct row {
    const char *name;
    struct ws_deflate_params wishes;
    const char *offer, *want;
};

/* clang-format off */
#define PMD "permessage-deflate"
#define PLAIN(name, offer, want) { name, { false, false, 0, 0 }, offer, want }
#define WISH(server_no, client_no, server_bits, client_bits, name, offer, want) \
    { name, { server_no, client_no, server_bits, client_bits }, offer, want }
#define SNC "; server_no_context_takeover"
#define CNC "; client_no_context_takeover"
#define SBITS "; server_max_window_bits"
#define CBITS "; client_max_window_bits"

static const struct row rows[] = {
    PLAIN("E5.4: Chrome's", PMD CBITS, PMD),
    PLAIN("bare", PMD, PMD),
    PLAIN("E5.4: server_no_context_takeover", PMD SNC, PMD SNC),
    PLAIN("E5.4: client_no_context_takeover", PMD CNC, PMD CNC),
    PLAIN("E5.4: server_max_window_bits", PMD SBITS "=10", PMD SBITS "=10"),
    PLAIN("E5.4: client_max_window_bits", PMD CBITS "=10", PMD CBITS "=10"),
    PLAIN("all four", PMD CBITS "=9" SBITS "=11" CNC SNC,
          PMD SNC CNC SBITS "=11" CBITS "=9"),
    PLAIN("8 bits, the least", PMD SBITS "=8" CBITS "=8",
          PMD SBITS "=8" CBITS "=8"),
    PLAIN("15 bits, the most", PMD SBITS "=15" CBITS "=15",
          PMD SBITS "=15" CBITS "=15"),
    PLAIN("9 bits", PMD SBITS "=9", PMD SBITS "=9"),
    PLAIN("quoted", PMD SBITS "=\"10\"", PMD SBITS "=10"),
    PLAIN("no blanks", "permessage-deflate;server_max_window_bits=10", PMD SBITS
          "=10"),
    PLAIN("blanks and tabs", " \tpermessage-deflate \t;\t server_max_window_bits"
          " = \t10 ", PMD SBITS "=10"),
    PLAIN("the first of two", PMD SBITS "=10, " PMD, PMD SBITS "=10"),
    PLAIN("E5.4: unknown extension", "x-webkit-deflate-frame", NULL),
    PLAIN("E5.4: unknown ones around", "foo; bar=1, " PMD CBITS ", baz; q=\"z\"",
          PMD),
    PLAIN("unknown parameter of an unknown one", "foo; a; a; b=\"c\"; d=99",
          NULL),
    PLAIN("other case is another extension", "Permessage-Deflate", NULL),
    PLAIN("longer name is another extension", PMD "x; foo", NULL),
    PLAIN("2017 advisory: constructor", "constructor", NULL),
    PLAIN("2017 advisory: __proto__", "__proto__; constructor=toString", NULL),

    PLAIN("E5.4: unknown parameter", PMD "; foo", "!"),
    PLAIN("E5.4: unknown parameter before a valid offer", PMD "; foo, " PMD,
          "!"),
    PLAIN("E5.4: unknown parameter behind a valid offer", PMD ", " PMD "; foo",
          "!"),
    PLAIN("2017 advisory: parameter constructor", PMD "; constructor", "!"),
    PLAIN("server bits without a value", PMD SBITS, "!"),
    PLAIN("server bits 7", PMD SBITS "=7", "!"),
    PLAIN("server bits 16", PMD SBITS "=16", "!"),
    PLAIN("server bits 08", PMD SBITS "=08", "!"),
    PLAIN("server bits 1", PMD SBITS "=1", "!"),
    PLAIN("server bits 1/", PMD SBITS "=1!", "!"),
    PLAIN("server bits 25", PMD SBITS "=25", "!"),
    PLAIN("server bits 100", PMD SBITS "=100", "!"),
    PLAIN("server bits 0x9", PMD SBITS "=0x9", "!"),
    PLAIN("server bits -9", PMD SBITS "=-9", "!"),
    PLAIN("client bits 7", PMD CBITS "=7", "!"),
    PLAIN("client bits 16", PMD CBITS "=16", "!"),
    PLAIN("client bits of nothing", PMD CBITS "=", "!"),
    PLAIN("client bits of an empty string", PMD CBITS "=\"\"", "!"),
    PLAIN("flag with a value", PMD SNC "=1", "!"),
    PLAIN("other flag with a value", PMD CNC "=true", "!"),
    PLAIN("server flag twice", PMD SNC SNC, "!"),
    PLAIN("client flag twice", PMD CNC CNC, "!"),
    PLAIN("server bits twice", PMD SBITS "=9" SBITS "=9", "!"),
    PLAIN("client bits twice", PMD CBITS "=9" CBITS "=9", "!"),
    PLAIN("client bits twice without a value", PMD CBITS CBITS, "!"),
    PLAIN("client bits without a value, then with one", PMD CBITS CBITS "=9",
          "!"),

    PLAIN("empty", "", "!"),
    PLAIN("blank", " ", "!"),
    PLAIN("comma", ",", "!"),
    PLAIN("first empty", "," PMD, "!"),
    PLAIN("last empty", PMD ",", "!"),
    PLAIN("middle empty", PMD ", ," PMD, "!"),
    PLAIN("2017 advisory: ;;;=", ";;;=", "!"),
    PLAIN("empty parameter", PMD ";", "!"),
    PLAIN("empty parameter of an unknown one", "foo;;", "!"),
    PLAIN("value without a name", PMD "; =9", "!"),
    PLAIN("name and value without a parameter", "foo=1", "!"),
    PLAIN("two names", "foo bar", "!"),
    PLAIN("quote not closed", PMD SBITS "=\"10", "!"),
    PLAIN("quote not opened", PMD SBITS "=10\"", "!"),
    PLAIN("quoted pair", PMD SBITS "=\"1\\0\"", "!"),
    PLAIN("comma in quotes", "foo; a=\"b,c\"", "!"),
    PLAIN("above ASCII", "f\xc3\xb6o", "!"),
    PLAIN("line end", PMD "\r", "!"),

    WISH(true, false, 0, 0, "server forgets", PMD CBITS, PMD SNC),
    WISH(false, true, 0, 0, "client shall forget", PMD, PMD CNC),
    WISH(true, true, 0, 0, "both wish the same", PMD SNC CNC, PMD SNC CNC),
    WISH(false, false, 12, 0, "server bits", PMD, PMD SBITS "=12"),
    WISH(false, false, 12, 0, "server bits, offered fewer", PMD SBITS "=10",
         PMD SBITS "=10"),
    WISH(false, false, 12, 0, "server bits, offered more", PMD SBITS "=15",
         PMD SBITS "=12"),
    WISH(false, false, 0, 11, "client bits", PMD CBITS, PMD CBITS "=11"),
    WISH(false, false, 0, 11, "client bits, offered fewer", PMD CBITS "=9",
         PMD CBITS "=9"),
    WISH(false, false, 0, 11, "client bits, offered more", PMD CBITS "=14",
         PMD CBITS "=11"),
    WISH(false, false, 0, 11, "client bits, not offered", PMD, "!"),
    WISH(false, false, 0, 11, "client bits, offered second",
         PMD SNC ", foo, " PMD CBITS, PMD CBITS "=11"),
    WISH(false, false, 0, 11, "client bits, not offered by an unknown one",
         "foo", NULL),
    WISH(true, true, 8, 15, "everything", PMD CBITS,
         PMD SNC CNC SBITS "=8" CBITS "=15"),
};
/* clang-format on */

static bool same(const struct ws_deflate_params *a,
                 const struct ws_deflate_params *b)
{
    return a->server_no_context_takeover == b->server_no_context_takeover &&
           a->client_no_context_takeover == b->client_no_context_takeover &&
           a->server_max_window_bits == b->server_max_window_bits &&
           a->client_max_window_bits == b->client_max_window_bits;
}

static void run(const struct row *row)
{
    const struct ws_deflate_params none = { true, true, 77, 77 };
    struct ws_deflate_params agreed = none;
    const size_t n = strlen(row->offer);
    char *offer = exact_copy(row->offer, n);
    struct grow out;
    int r, want = !row->want ? 0 : row->want[0] == '!' ? SIO_E_INVAL : 1;

    T_CASE("extension: %s", row->name);
    r = ws_deflate_negotiate((sio_str){ offer, n }, &row->wishes, &agreed);
    CHECK(r == want, "got %d, want %d", r, want);
    if (r != 1) {
        CHECK(same(&agreed, &none), "the result was touched");
    } else {
        grow_init(&out, 200);
        CHECK(ws_deflate_answer(&out, &agreed) == 0, "no answer");
        CHECK(str_eq(grow_str(&out), str_of(row->want)), "got %.*s",
              (int)out.len, (char *)out.data);
        grow_free(&out);
    }
    free(offer);
}

/* No byte is read behind the end, and no parameter is believed that the part
 * does not have. */
static void run_cut(const struct row *row)
{
    T_CASE("extension: %s, cut everywhere", row->name);
    CHECK(strlen(row->offer) < 200, "too long a row");
    for (size_t n = 0; n < strlen(row->offer); n++) {
        char *offer = exact_copy(row->offer, n);
        struct ws_deflate_params agreed;
        int r =
            ws_deflate_negotiate((sio_str){ offer, n }, &row->wishes, &agreed);

        CHECK(r == 0 || r == 1 || r == SIO_E_INVAL, "%zu: got %d", n, r);
        CHECK(r != 1 || n >= strlen(PMD), "%zu: agreed on nothing", n);
        free(offer);
    }
}

static void test_absent(void)
{
    const struct ws_deflate_params wishes = { true, true, 8, 8 };
    struct ws_deflate_params agreed;

    T_CASE("extension: no bytes at all");
    CHECK(ws_deflate_negotiate((sio_str){ NULL, 0 }, &wishes, &agreed) ==
              SIO_E_INVAL,
          "not refused");
}

static void test_answer_limits(void)
{
    const struct ws_deflate_params all = { true, true, 15, 10 };
    const size_t want = strlen(PMD SNC CNC SBITS "=15" CBITS "=10");

    T_CASE("extension: limits of the answer");
    for (size_t max = 1; max <= want + 1; max++) {
        struct grow out;
        int r;

        grow_init(&out, max);
        grow_append_byte(&out, 'x');
        r = ws_deflate_answer(&out, &all);
        CHECK(r == (max <= want ? SIO_E_LIMIT : SIO_OK), "%zu: got %d", max, r);
        CHECK(out.len == (r < 0 ? 1 : want + 1), "len %zu", out.len);
        grow_free(&out);
    }
}

static void test_oom(void)
{
    const struct ws_deflate_params all = { true, true, 15, 10 };
    bool failed;
    long n = 0;

    T_CASE("extension: out of memory");
    do {
        struct grow out;
        int r;

        grow_init(&out, 200);
        oom_arm(n++);
        r = ws_deflate_answer(&out, &all);
        failed = oom_disarm();
        CHECK(r == (failed ? SIO_E_NOMEM : SIO_OK), "got %d", r);
        CHECK(!failed || out.len == 0, "len %zu", out.len);
        grow_free(&out);
    } while (failed);
    CHECK(n > 2, "%ld allocations", n - 1);
}

/* Each takes minutes if it is quadratic. */
static void test_linear(void)
{
    static const struct {
        const char *part;
        int want;
    } hostile[] = {
        { PMD ",", SIO_E_INVAL },
        { PMD ";", SIO_E_INVAL },
        { PMD SBITS "=10, ", SIO_E_INVAL },
        { " ", SIO_E_INVAL },
        { ";", SIO_E_INVAL },
        { "\"", SIO_E_INVAL },
        { "foo; a=\"", SIO_E_INVAL },
        { "a", 0 },
        { "foo; a;", 0 },
        { "foo; a=\"b\",", 0 },
    };
    const struct ws_deflate_params wishes = { false, false, 0, 9 };
    const size_t n = 1000000;

    T_CASE("extension: CVE-2021-32640: hostile headers of 1 MB");
    for (size_t i = 0; i < COUNT(hostile); i++) {
        char *header = malloc(n);
        struct ws_deflate_params agreed;
        int r;

        for (size_t at = 0, len = strlen(hostile[i].part); at < n; at++)
            header[at] = hostile[i].part[at % len];
        r = ws_deflate_negotiate((sio_str){ header, n }, &wishes, &agreed);
        CHECK(r == hostile[i].want, "%s: got %d", hostile[i].part, r);
        free(header);
    }
}

int main(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        run(&rows[i]);
        run_cut(&rows[i]);
    }
    test_absent();
    test_answer_limits();
    test_oom();
    test_linear();
    return t_done();
}
