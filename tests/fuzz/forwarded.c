/*
 * forwarded.c -- any bytes as what a client sends in X-Forwarded-For or
 * Forwarded (the first byte says which), and behind it what a trusted proxy
 * appends: nothing that the client can say changes whose address it is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/http/forwarded.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static struct net_networks trusted;

/* `fields` of one name, from the trusted 10.0.0.1. */
static struct http_client ask(const struct http_field *fields, size_t n)
{
    struct http_request r = { .fields = fields, .field_count = n };
    struct http_client client = { 0 };

    if (!trusted.list)
        net_networks_add(&trusted, "10.0.0.0/8");
    require(net_address_parse(&client.address, STR("10.0.0.1")));
    http_forwarded(&r, &trusted, HTTP_FORWARDED_ANY, &client);
    return client;
}

static void check(const struct http_client *client, const char *want)
{
    char text[NET_ADDRESS_TEXT];

    net_address_text(&client->address, text);
    require(strcmp(text, want) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct {
        sio_str name;
        const char *append, *want;
    } kinds[] = {
        { { "x-forwarded-for", 15 }, "192.0.2.7", "192.0.2.7" },
        { { "forwarded", 9 }, "for=192.0.2.7;proto=https", "192.0.2.7" },
        { { "forwarded", 9 },
          "proto=https;for=\"[2001:db8::7]:80\"",
          "2001:db8::7" },
    };
    struct http_field fields[2];
    struct http_client client;
    size_t kind, n;
    char *text;

    if (size == 0)
        return 0;
    kind = *data % 3;
    data++;
    size--;
    fields[0].name = fields[1].name = kinds[kind].name;
    text = malloc(size + 64);
    require(text);
    memcpy(text, data, size);

    /* As a field of its own, and as more of the client's. */
    fields[0].value = (sio_str){ text, size };
    fields[1].value = str_of(kinds[kind].append);
    ask(fields, 1);
    client = ask(fields, 2);
    check(&client, kinds[kind].want);
    require(kind == 0 || client.secure);
    n = (size_t)snprintf(text + size, 64, ", %s", kinds[kind].append);
    fields[0].value.n += n;
    client = ask(fields, 1);
    check(&client, kinds[kind].want);
    require(kind == 0 || client.secure);
    free(text);
    return 0;
}
