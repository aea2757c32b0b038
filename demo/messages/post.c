/*
 * post.c -- people and their messages; see post.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "demo/messages/post.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

/* ------------------------------------------------------------------ people */

/* Control characters (C0, DEL and C1) and halves of surrogate pairs, which JSON
 * can carry but UTF-8 cannot. `p` is read up to the NUL at the latest. */
static bool is_unfit(const unsigned char *p)
{
    return p[0] < 0x20 || p[0] == 0x7F || (p[0] == 0xC2 && p[1] < 0xA0) ||
           (p[0] == 0xED && p[1] >= 0xA0);
}

bool name_clean(const char *text, size_t size, char name[NAME_SIZE])
{
    while (size > 0 && text[0] == ' ') {
        text++;
        size--;
    }
    while (size > 0 && text[size - 1] == ' ')
        size--;
    if (size == 0 || size >= NAME_SIZE)
        return false;
    for (size_t i = 0; i < size; i++)
        if (is_unfit((const unsigned char *)text + i))
            return false;
    memcpy(name, text, size);
    name[size] = '\0';
    return true;
}

/* In the same time wherever they differ: a token is a password. */
static bool same_token(const char *a, const char *b)
{
    unsigned char difference = 0;

    for (size_t i = 0; i < TOKEN_SIZE; i++)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return difference == 0;
}

struct person *post_by_token(struct post *post, const char *token)
{
    char given[TOKEN_SIZE] = { 0 };

    snprintf(given, sizeof given, "%s", token);
    for (size_t i = 0; i < post->people_count; i++)
        if (same_token(post->people[i]->token, given))
            return post->people[i];
    return NULL;
}

struct person *post_by_id(struct post *post, int64_t id)
{
    for (size_t i = 0; i < post->people_count; i++)
        if (post->people[i]->id == id)
            return post->people[i];
    return NULL;
}

/* The place of somebody who may go, or the one behind the last. */
static size_t find_place(const struct post *post)
{
    size_t place = PERSON_LIMIT;

    if (post->people_count < PERSON_LIMIT)
        return post->people_count;
    for (size_t i = 0; i < post->people_count; i++)
        if (post->people[i]->tabs == 0 &&
            (place == PERSON_LIMIT ||
             post->people[i]->seen_at < post->people[place]->seen_at))
            place = i;
    return place;
}

static bool make_token(char token[TOKEN_SIZE])
{
    unsigned char bytes[TOKEN_SIZE / 2];

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(token + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

struct person *post_add(struct post *post, const char *name)
{
    struct person *person;
    size_t place = find_place(post);

    for (size_t i = 0; i < post->people_count; i++)
        if (strcasecmp(post->people[i]->name, name) == 0)
            return NULL;
    if (place == PERSON_LIMIT || !(person = calloc(1, sizeof *person)))
        return NULL;
    if (!make_token(person->token)) {
        free(person);
        return NULL;
    }
    person->id = ++post->last_person;
    snprintf(person->name, sizeof person->name, "%s", name);
    /* Socket ids are names of rooms too: hence a prefix. */
    snprintf(person->key, sizeof person->key, "person:%lld",
             (long long)person->id);
    if (place < post->people_count)
        free(post->people[place]);
    else
        post->people_count++;
    return post->people[place] = person;
}

void person_arrive(struct person *person)
{
    person->tabs++;
}

void person_depart(struct post *post, struct person *person)
{
    if (--person->tabs == 0)
        person->seen_at = ++post->now;
}

/* ---------------------------------------------------------------- messages */

static int64_t first_message(const struct post *post)
{
    return post->last_message > MESSAGE_LIMIT
               ? post->last_message - MESSAGE_LIMIT + 1
               : 1;
}

static size_t slot(int64_t id)
{
    return (size_t)(id % MESSAGE_LIMIT);
}

static struct message *find_nonce(struct post *post, int64_t from,
                                  const char *nonce)
{
    for (int64_t id = post->last_message; id >= first_message(post); id--) {
        struct message *message = &post->messages[slot(id)];

        if (message->from == from && strcmp(message->nonce, nonce) == 0)
            return message;
    }
    return NULL;
}

struct message *post_write(struct post *post, int64_t from, int64_t to,
                           const char *text, size_t size, const char *nonce,
                           bool *again)
{
    struct message *message = find_nonce(post, from, nonce);
    struct timespec now;
    char *copy;

    *again = message != NULL;
    if (message)
        return message;
    copy = malloc(size + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    clock_gettime(CLOCK_REALTIME, &now);
    message = &post->messages[slot(++post->last_message)];
    free(message->text);
    *message = (struct message){ .id = post->last_message,
                                 .from = from,
                                 .to = to,
                                 .time_ms = (int64_t)now.tv_sec * 1000 +
                                            now.tv_nsec / 1000000,
                                 .text = copy };
    snprintf(message->nonce, sizeof message->nonce, "%s", nonce);
    return message;
}

size_t post_read(struct post *post, int64_t reader, int64_t from, int64_t upto)
{
    size_t count = 0;

    for (int64_t id = first_message(post); id <= post->last_message; id++) {
        struct message *message = &post->messages[slot(id)];

        if (id <= upto && message->from == from && message->to == reader &&
            !message->read) {
            message->read = true;
            count++;
        }
    }
    return count;
}

/* ------------------------------------------------------------------- lists */

struct cJSON *message_json(const struct message *message)
{
    cJSON *item = cJSON_CreateObject();

    if (cJSON_AddNumberToObject(item, "id", (double)message->id) &&
        cJSON_AddNumberToObject(item, "from", (double)message->from) &&
        cJSON_AddNumberToObject(item, "to", (double)message->to) &&
        cJSON_AddNumberToObject(item, "time", (double)message->time_ms) &&
        cJSON_AddStringToObject(item, "text", message->text) &&
        cJSON_AddBoolToObject(item, "read", message->read) &&
        cJSON_AddStringToObject(item, "nonce", message->nonce))
        return item;
    cJSON_Delete(item);
    return NULL;
}

/* Takes `item` over, also when it fails. */
static bool append(cJSON *list, cJSON *item)
{
    if (item && cJSON_AddItemToArray(list, item))
        return true;
    cJSON_Delete(item);
    return false;
}

struct cJSON *post_messages(const struct post *post,
                            const struct person *person, int64_t after)
{
    cJSON *list = cJSON_CreateArray();
    int64_t id = first_message(post);

    for (id = after >= id ? after + 1 : id; id <= post->last_message; id++) {
        const struct message *message = &post->messages[slot(id)];

        if ((message->from == person->id || message->to == person->id) &&
            !append(list, message_json(message))) {
            cJSON_Delete(list);
            return NULL;
        }
    }
    return list;
}

static cJSON *person_json(const struct person *person)
{
    cJSON *item = cJSON_CreateObject();

    if (cJSON_AddNumberToObject(item, "id", (double)person->id) &&
        cJSON_AddStringToObject(item, "name", person->name) &&
        cJSON_AddBoolToObject(item, "here", person->tabs > 0))
        return item;
    cJSON_Delete(item);
    return NULL;
}

struct cJSON *post_people(const struct post *post)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < post->people_count; i++)
        if (!append(list, person_json(post->people[i]))) {
            cJSON_Delete(list);
            return NULL;
        }
    return list;
}

void post_free(struct post *post)
{
    for (size_t i = 0; i < post->people_count; i++)
        free(post->people[i]);
    for (size_t i = 0; i < MESSAGE_LIMIT; i++)
        free(post->messages[i].text);
}
