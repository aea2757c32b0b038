/*
 * house.h -- who is where: the rooms of the chat and the people in them.
 *
 *     chat.c: events  -->  house.c: names, rooms, people  -->  cJSON lists
 *
 * Plain data without a socket in it, so that the rules about names can be read
 * in one place. A person is in at most one room at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEMO_CHAT_HOUSE_H
#define DEMO_CHAT_HOUSE_H

#include <stdbool.h>
#include <stddef.h>

struct cJSON;

/* Bytes of a name of a person or a room, with its NUL: the 24 characters that
 * the page allows, in any script. */
#define NAME_SIZE 73
#define ROOM_LIMIT 50

struct room;

struct person {
    char name[NAME_SIZE];
    struct room *room; /* NULL: in none yet */
    struct person *next;
};

struct room {
    char name[NAME_SIZE];
    char key[NAME_SIZE + 5]; /* "room:lobby", the name for sio_join() */
    bool permanent;          /* stays when the last one leaves */
    size_t count;
    struct person *people; /* in the order they came */
    struct room *next;
};

struct house {
    struct room *rooms; /* in the order they were opened */
    size_t count;
};

/* Copy `text` to `name` without spaces around it. False when nothing is left,
 * it is too long, or it holds control characters or half a surrogate pair: the
 * name will be sent to everybody else. `text` is NUL-terminated. */
bool name_clean(const char *text, size_t size, char name[NAME_SIZE]);

/* Make the name unique in the house: "Ann" becomes "Ann 2" when there is one.
 */
void person_name(const struct house *house, struct person *person);

/* The room of that name (case does not matter), opened when there is none.
 * NULL: ROOM_LIMIT is reached, or out of memory. */
struct room *room_open(struct house *house, const char *name);

void room_enter(struct room *room, struct person *person);

/* Leave the room one is in, if any. Returns it, or NULL when it is gone: a room
 * that somebody opened closes behind the last one in it. */
struct room *room_leave(struct house *house, struct person *person);

/* [{"name":"lobby","count":2},...] and ["Ann","Bob",...]; NULL when out of
 * memory. The caller frees them. */
struct cJSON *house_rooms(const struct house *house);
struct cJSON *room_people(const struct room *room);

void house_free(struct house *house);

#endif /* DEMO_CHAT_HOUSE_H */
