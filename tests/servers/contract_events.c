/*
 * contract_events.c -- the role contract: events of "/" that concern one
 * socket: answers, questions, bursts, kinds of values, what it is and
 * remembers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/servers/contract.h"
#include "tests/servers/later.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_MAX_MS 3600000
#define BURST_MAX 1000000
#define SIZE_MAX_BYTES (16 << 20)
#define BINARY_MAX 1000

bool arg_number(const sio_event *event, size_t i, int64_t max, int64_t *out)
{
    int64_t n;

    if (sio_arg_int(event, i, &n) != SIO_OK || n < 0 || n > max)
        return false;
    *out = n;
    return true;
}

static void on_nothing(sio_socket *socket, sio_event *event, void *user)
{
    (void)socket, (void)event, (void)user;
}

/* ------------------------------------------------------------ late answers */

/* An argument of an event that is over. */
struct late {
    sio_pending_ack *ack;
    char *text;
    size_t count;
    sio_str attachments[]; /* each is owned */
};

static void free_late(struct late *late)
{
    for (size_t i = 0; i < late->count; i++)
        free((void *)(uintptr_t)late->attachments[i].p);
    free(late->text);
    free(late);
}

static struct late *keep_arg(const sio_event *event, size_t i)
{
    size_t count = sio_attachment_count(event);
    struct late *late = calloc(1, sizeof *late + count * sizeof(sio_str));
    sio_str text = { "null", 4 };

    if (!late)
        return NULL;
    sio_arg_raw(event, i, &text);
    late->text = strndup(text.p, text.n);
    for (; late->text && late->count < count; late->count++) {
        sio_str *to = &late->attachments[late->count];
        const void *from;
        char *copy;

        sio_attachment(event, late->count, &from, &to->n);
        copy = malloc(to->n + 1);
        if (!copy)
            break;
        memcpy(copy, from, to->n);
        to->p = copy;
    }
    if (late->text && late->count == count)
        return late;
    free_late(late);
    return NULL;
}

static void answer_late(void *arg)
{
    struct late *late = arg;

    if (sio_answer(late->ack,
                   sio_raw_json_binary(late->text, strlen(late->text),
                                       late->attachments, late->count)) < 0)
        sio_answer_drop(late->ack);
    free_late(late);
}

static void on_ack_late(sio_socket *socket, sio_event *event, void *user)
{
    struct late *late;
    int64_t ms;

    (void)socket, (void)user;
    if (!arg_number(event, 0, WAIT_MAX_MS, &ms) || !sio_wants_ack(event))
        return;
    late = keep_arg(event, 1);
    if (!late)
        return;
    late->ack = sio_ack_later(event);
    if (late->ack && later((uint32_t)ms, answer_late, late))
        return;
    if (late->ack)
        sio_answer_drop(late->ack);
    free_late(late);
}

/* --------------------------------------------------------------- questions */

static void on_answer(int error, sio_event *answer, void *user)
{
    sio_socket *socket = user;
    cJSON *tree = cJSON_CreateObject();

    cJSON_AddBoolToObject(tree, "ok", error == SIO_OK);
    if (error != SIO_OK)
        cJSON_AddStringToObject(tree, "error", sio_strerror(error));
    else if (sio_arg_count(answer) > 0)
        cJSON_AddItemToObject(tree, "answer", arg_item(answer, 0));
    emit_tree(socket, "ask-result", tree, error == SIO_OK ? answer : NULL);
    sio_release(socket);
}

static void on_ask(sio_socket *socket, sio_event *event, void *user)
{
    sio_value *values;
    size_t count;
    int64_t ms;

    (void)user;
    if (!arg_number(event, 0, WAIT_MAX_MS, &ms))
        return;
    values = args_from(event, 1, &count);
    sio_retain(socket);
    if (!values || sio_emit_ack_values(
                       sio_timeout(socket, (uint32_t)(ms ? ms : 1)), on_answer,
                       socket, "question", values, count) != SIO_OK)
        sio_release(socket);
    free(values);
}

/* ------------------------------------------------------ bursts and binaries */

/* "burst" n times, then "burst-done"; user: whether the n are volatile. */
static void on_burst(sio_socket *socket, sio_event *event, void *user)
{
    sio_target to = user ? sio_volatile(socket) : sio_target_socket(socket);
    int64_t n, size;
    char *text;

    if (!arg_number(event, 0, BURST_MAX, &n) ||
        !arg_number(event, 1, SIZE_MAX_BYTES, &size))
        return;
    text = malloc((size_t)size + 1);
    if (!text)
        return;
    memset(text, 'x', (size_t)size);
    for (int64_t i = 0; i < n; i++)
        sio_emit(to, "burst", sio_int(i), sio_stringn(text, (size_t)size));
    free(text);
    sio_emit(socket, "burst-done", sio_int(n));
}

static cJSON *placeholder(int64_t i)
{
    cJSON *item = cJSON_CreateObject();

    cJSON_AddTrueToObject(item, "_placeholder");
    cJSON_AddNumberToObject(item, "num", (double)i);
    return item;
}

/* n buffers of `size` bytes, the i-th full of i % 256; NULL: out of memory. */
static char *make_buffers(sio_str *list, int64_t n, int64_t size)
{
    char *bytes = malloc((size_t)(n * size) + 1);

    for (int64_t i = 0; bytes && i < n; i++) {
        memset(bytes + i * size, (int)(i % 256), (size_t)size);
        list[i] = (sio_str){ bytes + i * size, (size_t)size };
    }
    return bytes;
}

static void on_binary(sio_socket *socket, sio_event *event, void *user)
{
    static sio_str attachments[BINARY_MAX];
    int64_t n, size;
    cJSON *tree, *list;
    char *bytes, *text;

    (void)user;
    if (!arg_number(event, 0, BINARY_MAX, &n) ||
        !arg_number(event, 1, SIZE_MAX_BYTES / (n ? n : 1), &size))
        return;
    tree = cJSON_CreateObject();
    list = cJSON_AddArrayToObject(tree, "list");
    for (int64_t i = 0; i < n; i++)
        cJSON_AddItemToArray(list, placeholder(i));
    cJSON_AddNumberToObject(tree, "last", (double)n);
    bytes = make_buffers(attachments, n, size);
    text = cJSON_PrintUnformatted(tree);
    if (bytes && text)
        sio_emit(
            socket, "binary",
            sio_raw_json_binary(text, strlen(text), attachments, (size_t)n));
    cJSON_free(text);
    free(bytes);
    cJSON_Delete(tree);
}

static void on_kinds(sio_socket *socket, sio_event *event, void *user)
{
    static const char text[] = "é€😀\0\xe2\x80\xa8\"\\";
    static const char nested[] = "[[1],{\"a\":[null]}]";

    (void)event, (void)user;
    sio_emit(socket, "kinds", sio_null(), sio_bool(true), sio_bool(false),
             sio_int(0), sio_number(-1.5), sio_int(9007199254740991),
             sio_string(""), sio_stringn(text, sizeof text - 1),
             sio_raw_json("[]", 2), sio_raw_json("{}", 2),
             sio_raw_json(nested, sizeof nested - 1));
}

/* ------------------------------------------------------- identity and memory
 */

/* One thing remembered: both are JSON text. */
struct memory {
    struct memory *next;
    char *value;
    char key[];
};

void memory_free(struct memory *m)
{
    struct memory *next;

    for (; m; m = next) {
        next = m->next;
        free(m->value);
        free(m);
    }
}

cJSON *memory_tree(const struct memory *remembered)
{
    cJSON *tree = cJSON_CreateObject();

    for (const struct memory *m = remembered; m; m = m->next)
        cJSON_AddRawToObject(tree, m->key, m->value);
    return tree;
}

static struct memory *recall(struct person *person, const char *key)
{
    struct memory *m = person->remembered;

    while (m && strcmp(m->key, key) != 0)
        m = m->next;
    if (m || !(m = calloc(1, sizeof *m + strlen(key) + 1)))
        return m;
    memcpy(m->key, key, strlen(key) + 1);
    m->next = person->remembered;
    person->remembered = m;
    return m;
}

/* It was on another server before: its data is what that has shown. */
void memory_learn(struct person *person, sio_str json)
{
    cJSON *tree = cJSON_ParseWithLength(json.p ? json.p : "", json.n);
    const cJSON *item;

    cJSON_ArrayForEach(item, tree)
    {
        char *text = cJSON_PrintUnformatted(item);
        struct memory *m = text ? recall(person, item->string) : NULL;

        if (m) {
            free(m->value);
            m->value = strdup(text);
        }
        cJSON_free(text);
    }
    cJSON_Delete(tree);
}

/* Other servers see it as the socket's data. */
static void show(sio_socket *socket)
{
    const struct person *person = sio_data(socket);
    cJSON *tree = memory_tree(person->remembered);
    char *text = cJSON_PrintUnformatted(tree);

    if (text)
        sio_set_data_json(socket, text, strlen(text));
    cJSON_free(text);
    cJSON_Delete(tree);
}

static void on_remember(sio_socket *socket, sio_event *event, void *user)
{
    const char *key = arg_text(event, 0);
    struct memory *m;
    sio_str raw;

    (void)user;
    if (!key || sio_arg_raw(event, 1, &raw) != SIO_OK ||
        sio_attachment_count(event) > 0)
        return;
    m = recall(sio_data(socket), key);
    if (!m)
        return;
    free(m->value);
    m->value = strndup(raw.p, raw.n);
    show(socket);
    sio_ack(event);
}

cJSON *person_tree(sio_socket *socket, const struct person *person)
{
    sio_str header = sio_request_header(socket, "x-test");
    char *text = header.p ? strndup(header.p, header.n) : NULL;
    char eio[2] = "";
    cJSON *tree = cJSON_CreateObject();

    sio_request_query(socket, "EIO", eio, sizeof eio);
    cJSON_AddStringToObject(tree, "id", sio_id(socket));
    cJSON_AddStringToObject(tree, "transport", sio_transport(socket));
    cJSON_AddNumberToObject(tree, "protocol", eio[0] == '3' ? 3 : 4);
    cJSON_AddItemToObject(tree, "auth", auth_tree(socket));
    cJSON_AddItemToObject(tree, "query", query_tree(socket));
    cJSON_AddItemToObject(tree, "header",
                          text ? cJSON_CreateString(text) : cJSON_CreateNull());
    cJSON_AddBoolToObject(tree, "secure", sio_request_secure(socket));
    cJSON_AddBoolToObject(tree, "recovered", sio_recovered(socket));
    cJSON_AddItemToObject(tree, "data", memory_tree(person->remembered));
    free(text);
    return tree;
}

static void on_drop(sio_socket *socket, sio_event *event, void *user)
{
    (void)event, (void)user;
    sio_close_connection(socket);
}

int contract_events(sio_namespace *root)
{
    static char is_volatile;
    static const struct {
        const char *event;
        sio_event_fn fn;
        void *user;
    } handlers[] = {
        { "ack-never", on_nothing, NULL },
        { "ack-late", on_ack_late, NULL },
        { "ask", on_ask, NULL },
        { "burst", on_burst, NULL },
        { "volatile-burst", on_burst, &is_volatile },
        { "binary", on_binary, NULL },
        { "kinds", on_kinds, NULL },
        { "remember", on_remember, NULL },
        { "drop", on_drop, NULL },
    };
    int r = SIO_OK;

    for (size_t i = 0; r == SIO_OK && i < sizeof handlers / sizeof *handlers;
         i++)
        r = sio_on(root, handlers[i].event, handlers[i].fn, handlers[i].user);
    return r;
}
