/*
 * test_ws_close.c -- which close codes may be sent, and their names.
 *
 * SPDX-License-Identifier: MIT
 */
#include "protocol/websocket/close.h"
#include "tests/unit/test.h"

int main(void)
{
    /* From each code on, until the next row's. */
    static const struct {
        unsigned from;
        bool valid;
    } rows[] = {
        { 0, false },    { 1000, true }, { 1004, false }, { 1007, true },
        { 1015, false }, { 3000, true }, { 5000, false }, { 65536, false },
    };

    for (size_t i = 0; i + 1 < COUNT(rows); i++) {
        T_CASE("close: %u to %u are %s", rows[i].from, rows[i + 1].from - 1,
               rows[i].valid ? "valid" : "refused");
        for (unsigned c = rows[i].from; c < rows[i + 1].from; c++)
            CHECK(ws_close_code_valid(c) == rows[i].valid, "%u", c);
    }

    T_CASE("close: names");
    CHECK(strcmp(ws_close_code_name(1000), "NORMAL") == 0, "1000");
    CHECK(strcmp(ws_close_code_name(1009), "TOO_BIG") == 0, "1009");
    CHECK(strcmp(ws_close_code_name(1011), "INTERNAL_ERROR") == 0, "1011");
    CHECK(strcmp(ws_close_code_name(1004), "") == 0, "1004");
    CHECK(strcmp(ws_close_code_name(4000), "") == 0, "4000");
    return t_done();
}
