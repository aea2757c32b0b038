/*
 * test_net_random.c -- random bytes are there and differ.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/net/random.h"
#include "tests/unit/test.h"

#include <stdint.h>

int main(void)
{
    uint8_t a[32] = { 0 }, b[32] = { 0 };
    uint8_t most[NET_RANDOM_MAX], none = 7;

    T_CASE("random: two draws differ, and none is zero");
    CHECK(net_random(a, sizeof a) == SIO_OK, "first");
    CHECK(net_random(b, sizeof b) == SIO_OK, "second");
    CHECK(memcmp(a, b, sizeof a) != 0, "the same bytes");
    CHECK(memcmp(a, (uint8_t[32]){ 0 }, sizeof a) != 0, "nothing drawn");

    T_CASE("random: nothing and too much");
    CHECK(net_random(&none, 0) == SIO_OK && none == 7, "wrote");
    CHECK(net_random(most, sizeof most) == SIO_OK, "as much as there is");
    CHECK(net_random(a, NET_RANDOM_MAX + 1) == SIO_E_SYS, "more than that");
    CHECK(net_random(a, SIZE_MAX) == SIO_E_SYS, "much more");
    return t_done();
}
