/*
 * test_eio_open.c -- what the server tells a client first, and why it refuses
 * one: compared byte by byte with what Node sends.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/base/str.h"
#include "protocol/engineio/error.h"
#include "protocol/engineio/open.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

static const struct eio_open defaults = {
    .sid = { "lv_VI97HAXpY6yYWAAAC", 20 },
    .upgrade_websocket = true,
    .ping_interval_ms = 25000,
    .ping_timeout_ms = 20000,
    .max_payload = 1000000,
};

static const char defaults_json[] =
    "{\"sid\":\"lv_VI97HAXpY6yYWAAAC\",\"upgrades\":[\"websocket\"],"
    "\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}";

static void check_open(const struct eio_open *open, const char *want)
{
    struct grow out;
    int r;

    grow_init(&out, strlen(want));
    r = eio_open_encode(&out, open);
    CHECK(r == SIO_OK && str_eq(grow_str(&out), str_of(want)), "%d: %.*s", r,
          (int)out.len, (char *)out.data);
    grow_free(&out);
    grow_init(&out, strlen(want) - 1);
    CHECK(eio_open_encode(&out, open) == SIO_E_LIMIT && out.len == 0,
          "one byte short");
    grow_free(&out);
}

static void test_open(void)
{
    struct eio_open open = defaults;

    T_CASE("open: E190, defaults, 117 bytes behind the type");
    CHECK(strlen(defaults_json) == 117, "%zu", strlen(defaults_json));
    check_open(&open, defaults_json);

    T_CASE("open: E32, no upgrades; the largest numbers");
    open.upgrade_websocket = false;
    open.ping_interval_ms = open.ping_timeout_ms = UINT32_MAX;
    open.max_payload = UINT64_MAX;
    open.sid = STR("a\"b");
    check_open(&open,
               "{\"sid\":\"a\\\"b\",\"upgrades\":[],\"pingInterval\":4294967295"
               ",\"pingTimeout\":4294967295,"
               "\"maxPayload\":18446744073709551615}");
}

static void test_refusals(void)
{
    static const struct {
        enum eio_refusal code;
        const char *message;
        int status;
        const char *want;
    } rows[] = {
        { EIO_REFUSED_UNKNOWN_TRANSPORT, NULL, 400,
          "{\"code\":0,\"message\":\"Transport unknown\"}" },
        { EIO_REFUSED_UNKNOWN_SID, NULL, 400,
          "{\"code\":1,\"message\":\"Session ID unknown\"}" },
        { EIO_REFUSED_BAD_HANDSHAKE_METHOD, NULL, 400,
          "{\"code\":2,\"message\":\"Bad handshake method\"}" },
        { EIO_REFUSED_BAD_REQUEST, NULL, 400,
          "{\"code\":3,\"message\":\"Bad request\"}" },
        { EIO_REFUSED_FORBIDDEN, NULL, 403,
          "{\"code\":4,\"message\":\"Forbidden\"}" },
        { EIO_REFUSED_FORBIDDEN, "Thou shall \"not\" pass", 403,
          "{\"code\":4,\"message\":\"Thou shall \\\"not\\\" pass\"}" },
        { EIO_REFUSED_UNSUPPORTED_PROTOCOL, NULL, 400,
          "{\"code\":5,\"message\":\"Unsupported protocol version\"}" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct grow out;

        T_CASE("refusal: %s", rows[i].want);
        grow_init(&out, 100);
        CHECK(eio_refusal_encode(&out, rows[i].code, rows[i].message) == SIO_OK,
              "encode");
        CHECK(str_eq(grow_str(&out), str_of(rows[i].want)), "got %.*s",
              (int)out.len, (char *)out.data);
        CHECK(eio_refusal_status(rows[i].code) == rows[i].status, "status %d",
              eio_refusal_status(rows[i].code));
        out.len = 0;
        out.max = strlen(rows[i].want) - 1;
        CHECK(eio_refusal_encode(&out, rows[i].code, rows[i].message) ==
                      SIO_E_LIMIT &&
                  out.len == 0,
              "one byte short");
        grow_free(&out);
    }
    T_CASE("CVE-2023-31125: code 0 is an error, acceptance is not 0");
    CHECK(EIO_ACCEPTED != 0, "0");
    CHECK(eio_refusal_status(EIO_ACCEPTED) == 200, "status %d",
          eio_refusal_status(EIO_ACCEPTED));
    CHECK(eio_refusal_status(EIO_REFUSED_UNKNOWN_TRANSPORT) == 400, "status");
    CHECK(strcmp(eio_refusal_text(EIO_NREFUSALS), "?") == 0, "no text");
}

static void test_reasons(void)
{
    T_CASE("close reasons, as applications see them");
    CHECK(!strcmp(eio_close_reason_name(EIO_CLOSE_TRANSPORT_CLOSE),
                  "transport close"),
          "transport close");
    CHECK(
        !strcmp(eio_close_reason_name(EIO_CLOSE_PING_TIMEOUT), "ping timeout"),
        "ping timeout");
    CHECK(!strcmp(eio_close_reason_name(EIO_CLOSE_SERVER_SHUTDOWN),
                  "server shutting down"),
          "server shutting down");
    CHECK(!strcmp(eio_close_reason_name((enum eio_close_reason)99), "?"), "?");
}

static void test_oom(void)
{
    T_CASE("open, refusal: out of memory at every allocation");
    for (long n = 0; n < 20; n++) {
        struct grow out;
        int r, r2;

        grow_init(&out, 500);
        oom_arm(n);
        r = eio_open_encode(&out, &defaults);
        r2 = r ? r : eio_refusal_encode(&out, EIO_REFUSED_FORBIDDEN, NULL);
        if (!oom_disarm()) {
            CHECK(n > 0 && r2 == SIO_OK, "got %d", r2);
            grow_free(&out);
            return;
        }
        CHECK(r2 == SIO_E_NOMEM, "got %d", r2);
        CHECK(out.len == (r ? 0 : sizeof defaults_json - 1), "len %zu",
              out.len);
        grow_free(&out);
    }
}

int main(void)
{
    test_open();
    test_refusals();
    test_reasons();
    test_oom();
    return t_done();
}
