/*
 * values.c -- see values.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/values.h"

#include <stdlib.h>
#include <string.h>

#define ATTACHMENTS_MAX 64

sio_value *args_from(const sio_event *event, size_t first, size_t *count)
{
    size_t n = sio_arg_count(event);
    size_t rest = n > first ? n - first : 0;
    sio_value *values = calloc(rest + 1, sizeof *values);

    *count = values ? rest : 0;
    for (size_t i = 0; i < *count; i++)
        values[i] = sio_arg(event, first + i);
    return values;
}

void echo_as(sio_socket *socket, sio_event *event, const char *name)
{
    size_t count;
    sio_value *values = args_from(event, 0, &count);

    if (values)
        sio_socket_emit_values(socket, name, values, count);
    free(values);
}

void ack_args(sio_event *event)
{
    size_t count;
    sio_value *values = args_from(event, 0, &count);

    if (values)
        sio_ack_values(event, values, count);
    free(values);
}

void on_echo(sio_socket *socket, sio_event *event, void *user)
{
    (void)user;
    echo_as(socket, event, "echo");
}

void on_ack(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)user;
    ack_args(event);
}

const char *arg_text(sio_event *event, size_t i)
{
    const char *text;
    size_t n;

    if (sio_arg_string(event, i, &text, &n) != SIO_OK || strlen(text) != n)
        return NULL;
    return text;
}

static cJSON *raw_item(sio_str text)
{
    char *copy = malloc(text.n + 1);
    cJSON *item;

    if (!copy)
        return NULL;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    item = cJSON_CreateRaw(copy);
    free(copy);
    return item;
}

cJSON *arg_item(const sio_event *event, size_t i)
{
    sio_str text;

    if (sio_arg_raw(event, i, &text) != SIO_OK)
        return cJSON_CreateNull();
    return raw_item(text);
}

/* The tree's text as a value; *text is to be freed after the value was sent. */
static sio_value tree_value(const cJSON *tree, const sio_event *event,
                            sio_str attachments[ATTACHMENTS_MAX], char **text)
{
    size_t n = event ? sio_attachment_count(event) : 0;

    *text = cJSON_PrintUnformatted(tree);
    if (!*text || n > ATTACHMENTS_MAX)
        return sio_null();
    for (size_t i = 0; i < n; i++) {
        const void *p = NULL;

        sio_attachment(event, i, &p, &attachments[i].n);
        attachments[i].p = p;
    }
    return sio_raw_json_binary(*text, strlen(*text), attachments, n);
}

void emit_tree(sio_socket *socket, const char *name, cJSON *tree,
               const sio_event *event)
{
    sio_str attachments[ATTACHMENTS_MAX];
    char *text;
    sio_value value = tree_value(tree, event, attachments, &text);

    sio_emit(socket, name, value);
    cJSON_free(text);
    cJSON_Delete(tree);
}

void ack_tree(sio_event *event, cJSON *tree)
{
    char *text;
    sio_value value = tree_value(tree, NULL, NULL, &text);

    sio_ack(event, value);
    cJSON_free(text);
    cJSON_Delete(tree);
}

void answer_tree(sio_pending_ack *ack, cJSON *tree, const sio_event *event)
{
    sio_str attachments[ATTACHMENTS_MAX];
    char *text;
    sio_value value = tree_value(tree, event, attachments, &text);

    if (sio_answer(ack, sio_null(), value) < 0)
        sio_answer_drop(ack);
    cJSON_free(text);
    cJSON_Delete(tree);
}

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c | 0x20) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* In place: "+" is a blank, %XX a byte; what is no %XX stays. */
static void decode(char *text)
{
    char *to = text;

    for (const char *at = text; *at; at++) {
        if (*at == '+') {
            *to++ = ' ';
        } else if (*at == '%' && hex(at[1]) >= 0 && hex(at[2]) >= 0) {
            *to++ = (char)(hex(at[1]) * 16 + hex(at[2]));
            at += 2;
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
}

/* One "name=value"; cut up and decoded in place. */
static void add_parameter(cJSON *tree, char *name)
{
    char *value = strchr(name, '=');

    if (value)
        *value++ = '\0';
    decode(name);
    if (value)
        decode(value);
    cJSON_DeleteItemFromObjectCaseSensitive(tree, name);
    cJSON_AddStringToObject(tree, name, value ? value : "");
}

cJSON *query_tree(const sio_socket *socket)
{
    sio_str url = sio_request_url(socket);
    cJSON *tree = cJSON_CreateObject();
    char *copy = strndup(url.p ? url.p : "", url.n), *at, *next;

    at = copy ? strchr(copy, '?') : NULL;
    for (at = at ? at + 1 : NULL; at; at = next) {
        next = strchr(at, '&');
        if (next)
            *next++ = '\0';
        if (*at)
            add_parameter(tree, at);
    }
    free(copy);
    return tree;
}

cJSON *auth_tree(const sio_socket *socket)
{
    return raw_item(sio_auth(socket));
}
