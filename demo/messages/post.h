/*
 * post.h -- who there is, and what they have written to each other.
 *
 *     messages.c: events  -->  post.c: people, messages  -->  cJSON lists
 *
 * Plain data in memory without a socket in it. A person is known by a secret
 * token, so that a reload, or another tab, is the same person; a message by its
 * number. Both are kept within limits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEMO_MESSAGES_POST_H
#define DEMO_MESSAGES_POST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;

#define NAME_SIZE 73     /* bytes of a name, with its NUL: 24 characters */
#define TOKEN_SIZE 33    /* 32 hexadecimal digits and a NUL */
#define TEXT_LIMIT 3000  /* bytes of a message: 1000 characters */
#define NONCE_SIZE 33    /* what the page calls a message, with a NUL */
#define PERSON_LIMIT 200 /* people who are known */
#define MESSAGE_LIMIT                                      \
    2000 /* messages that are kept, of all people together \
          */

struct person {
    int64_t id; /* never used again */
    char name[NAME_SIZE];
    char token[TOKEN_SIZE];
    char key[32];     /* "person:7", the room of all this person's tabs */
    size_t tabs;      /* open now; 0: away */
    uint64_t seen_at; /* when the last one was closed, by the post's clock */
};

struct message {
    int64_t id;
    int64_t from, to; /* ids of people */
    int64_t time_ms;  /* since 1970 */
    bool read;
    char nonce[NONCE_SIZE];
    char *text;
};

struct post {
    struct person *people[PERSON_LIMIT];
    size_t people_count;
    struct message messages[MESSAGE_LIMIT]; /* a ring */
    int64_t last_message;                   /* id; 0: none yet */
    int64_t last_person;
    uint64_t now; /* counts departures */
};

/* Copy `text` to `name` without spaces around it. False: it is empty, too long,
 * or holds control characters. `text` is NUL-terminated. */
bool name_clean(const char *text, size_t size, char name[NAME_SIZE]);

struct person *post_by_token(struct post *post, const char *token);
struct person *post_by_id(struct post *post, int64_t id);

/* Somebody new. NULL: the name is taken, everybody of PERSON_LIMIT is here, or
 * out of memory. Who has been away for longest makes room. */
struct person *post_add(struct post *post, const char *name);

void person_arrive(struct person *person);
void person_depart(struct post *post, struct person *person);

/* Keep a message; the oldest goes when there are MESSAGE_LIMIT. One with the
 * same sender and nonce is there already when a page, whose connection broke
 * before the answer came, sends it again: that one is returned, and *again
 * set. NULL: out of memory. `text` is copied. */
struct message *post_write(struct post *post, int64_t from, int64_t to,
                           const char *text, size_t size, const char *nonce,
                           bool *again);

/* `reader` has seen what `from` wrote, up to message `upto`. How many were new.
 */
size_t post_read(struct post *post, int64_t reader, int64_t from, int64_t upto);

/* {"id","from","to","time","text","read","nonce"}; those of `person` after
 * message `after`, oldest first; [{"id","name","here"}]. NULL: out of memory.
 * The caller frees them. */
struct cJSON *message_json(const struct message *message);
struct cJSON *post_messages(const struct post *post,
                            const struct person *person, int64_t after);
struct cJSON *post_people(const struct post *post);

void post_free(struct post *post);

#endif /* DEMO_MESSAGES_POST_H */
