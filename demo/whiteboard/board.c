/*
 * board.c -- the boards and what is drawn on them; see board.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "demo/whiteboard/board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD 4  /* bytes before the points of a piece */
#define POINT 4 /* bytes of a point */

static unsigned read16(const uint8_t *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

static size_t piece_size(const uint8_t *piece)
{
    return HEAD + POINT * (size_t)read16(piece + 2);
}

bool piece_fits(const uint8_t *piece, size_t size)
{
    if (size < HEAD + POINT || piece[0] >= COLOUR_COUNT || piece[1] == 0 ||
        piece[1] > WIDTH_LIMIT || read16(piece + 2) > POINT_LIMIT ||
        piece_size(piece) != size)
        return false;
    for (size_t i = HEAD; i < size; i += POINT)
        if (read16(piece + i) > BOARD_WIDTH ||
            read16(piece + i + 2) > BOARD_HEIGHT)
            return false;
    return true;
}

bool board_name_fits(const char *name, size_t size)
{
    if (size == 0 || size >= BOARD_NAME_SIZE)
        return false;
    for (size_t i = 0; i < size; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", name[i]) ||
            !name[i])
            return false;
    return true;
}

static void board_free(struct board *board)
{
    free(board->picture);
    free(board);
}

/* The place of a board that may go, or the one behind the last. */
static size_t find_place(const struct desk *desk)
{
    size_t place = BOARD_LIMIT;

    if (desk->count < BOARD_LIMIT)
        return desk->count;
    for (size_t i = 0; i < desk->count; i++)
        if (desk->boards[i]->guests == 0 &&
            (place == BOARD_LIMIT ||
             desk->boards[i]->left_at < desk->boards[place]->left_at))
            place = i;
    return place;
}

struct board *desk_open(struct desk *desk, const char *name)
{
    struct board *board;
    size_t place;

    for (size_t i = 0; i < desk->count; i++)
        if (strcmp(desk->boards[i]->name, name) == 0)
            return desk->boards[i];
    place = find_place(desk);
    if (place == BOARD_LIMIT || !(board = calloc(1, sizeof *board)))
        return NULL;
    snprintf(board->name, sizeof board->name, "%s", name);
    /* Socket ids are names of rooms too: without a prefix of its own, somebody
     * could open the "board" that is another's id. */
    snprintf(board->key, sizeof board->key, "board:%s", board->name);
    if (place < desk->count)
        board_free(desk->boards[place]);
    else
        desk->count++;
    return desk->boards[place] = board;
}

void desk_leave(struct desk *desk, struct board *board)
{
    if (--board->guests == 0)
        board->left_at = ++desk->now;
}

/* Drop whole pieces from the front until a quarter of the picture is gone. */
static void fade(struct board *board)
{
    size_t gone = 0;

    while (gone < PICTURE_LIMIT / 4)
        gone += piece_size(board->picture + gone);
    board->size -= gone;
    memmove(board->picture, board->picture + gone, board->size);
}

enum board_draw board_draw(struct board *board, const uint8_t *piece,
                           size_t size)
{
    enum board_draw result = BOARD_DRAWN;

    /* Nobody draws on most boards for long: the picture is made by the first
     * piece, and whole, so that its size is its limit. */
    if (!board->picture && !(board->picture = malloc(PICTURE_LIMIT)))
        return BOARD_FULL;
    if (board->size + size > PICTURE_LIMIT) {
        fade(board);
        result = BOARD_FADED;
    }
    memcpy(board->picture + board->size, piece, size);
    board->size += size;
    return result;
}

void board_clear(struct board *board)
{
    free(board->picture);
    board->picture = NULL;
    board->size = 0;
}

void desk_free(struct desk *desk)
{
    for (size_t i = 0; i < desk->count; i++)
        board_free(desk->boards[i]);
    desk->count = 0;
}
