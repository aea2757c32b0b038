/*
 * house.c -- rooms, people and their names; see house.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "demo/chat/house.h"

#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Control characters (C0, DEL and C1) and halves of surrogate pairs, which JSON
 * can carry but UTF-8 cannot; the library has checked the rest. `p` is read up
 * to the byte after the one in question: the NUL at the latest. */
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

static bool is_taken(const struct house *house, const char *name)
{
    for (const struct room *r = house->rooms; r; r = r->next)
        for (const struct person *p = r->people; p; p = p->next)
            if (strcasecmp(p->name, name) == 0)
                return true;
    return false;
}

void person_name(const struct house *house, struct person *person)
{
    char wish[NAME_SIZE], suffix[16];
    size_t keep = strlen(person->name), length;

    memcpy(wish, person->name, sizeof wish);
    for (unsigned i = 2; is_taken(house, person->name); i++) {
        length = (size_t)snprintf(suffix, sizeof suffix, " %u", i);
        if (keep > NAME_SIZE - 1 - length)
            keep = NAME_SIZE - 1 - length;
        while (keep > 0 && ((unsigned char)wish[keep] & 0xC0) == 0x80)
            keep--; /* not in the middle of a character */
        memcpy(person->name, wish, keep);
        memcpy(person->name + keep, suffix, length + 1);
    }
}

struct room *room_open(struct house *house, const char *name)
{
    struct room **end = &house->rooms, *room;

    for (; *end; end = &(*end)->next)
        if (strcasecmp((*end)->name, name) == 0)
            return *end;
    if (house->count == ROOM_LIMIT || !(room = calloc(1, sizeof *room)))
        return NULL;
    snprintf(room->name, sizeof room->name, "%s", name);
    /* Socket ids are names of rooms too. Without a prefix of its own, somebody
     * could open the "room" that is another's id and read what is for them. */
    snprintf(room->key, sizeof room->key, "room:%s", room->name);
    house->count++;
    return *end = room;
}

void room_enter(struct room *room, struct person *person)
{
    struct person **end = &room->people;

    while (*end)
        end = &(*end)->next;
    *end = person;
    person->room = room;
    room->count++;
}

static void room_close(struct house *house, struct room *room)
{
    struct room **link = &house->rooms;

    while (*link != room)
        link = &(*link)->next;
    *link = room->next;
    house->count--;
    free(room);
}

struct room *room_leave(struct house *house, struct person *person)
{
    struct room *room = person->room;
    struct person **link;

    if (!room)
        return NULL;
    for (link = &room->people; *link != person; link = &(*link)->next)
        ;
    *link = person->next;
    person->next = NULL;
    person->room = NULL;
    if (--room->count > 0 || room->permanent)
        return room;
    room_close(house, room);
    return NULL;
}

/* Takes `item` over, also when it fails. */
static bool append(cJSON *list, cJSON *item)
{
    if (cJSON_AddItemToArray(list, item))
        return true;
    cJSON_Delete(item);
    return false;
}

struct cJSON *house_rooms(const struct house *house)
{
    cJSON *list = cJSON_CreateArray(), *item;

    for (const struct room *r = house->rooms; r; r = r->next) {
        item = cJSON_CreateObject();
        if (!append(list, item) ||
            !cJSON_AddStringToObject(item, "name", r->name) ||
            !cJSON_AddNumberToObject(item, "count", (double)r->count)) {
            cJSON_Delete(list);
            return NULL;
        }
    }
    return list;
}

struct cJSON *room_people(const struct room *room)
{
    cJSON *list = cJSON_CreateArray();

    for (const struct person *p = room->people; p; p = p->next)
        if (!append(list, cJSON_CreateString(p->name))) {
            cJSON_Delete(list);
            return NULL;
        }
    return list;
}

void house_free(struct house *house)
{
    while (house->rooms)
        room_close(house, house->rooms);
}
