/*
 * board.h -- the boards and what is drawn on them, as plain bytes.
 *
 *     whiteboard.c: events  -->  board.c: pieces of lines  -->  one picture
 *
 * A line is drawn in pieces while the hand moves. A piece is what travels, what
 * is kept, and what a page draws: 4 bytes of head (colour, width, number of
 * points as 16 bits) and x, y of each point as 16 bits, all little-endian. A
 * picture is pieces one after the other, so a late-comer gets it as one value.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEMO_WHITEBOARD_BOARD_H
#define DEMO_WHITEBOARD_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_WIDTH 1600 /* points are within it, in units of its own */
#define BOARD_HEIGHT 1200
#define COLOUR_COUNT 8  /* 0 rubs out; what the others look like, pages know */
#define WIDTH_LIMIT 64  /* units a line may be wide */
#define POINT_LIMIT 512 /* points of a piece */

#define BOARD_LIMIT 64             /* boards there can be */
#define PICTURE_LIMIT (256 * 1024) /* bytes of a picture */
#define BOARD_NAME_SIZE 41         /* bytes of a name, with its NUL */

struct board {
    char name[BOARD_NAME_SIZE];
    char key[BOARD_NAME_SIZE + 6]; /* "board:home", the name for sio_join() */
    size_t guests;                 /* who are there now */
    unsigned last_guest;           /* number of the one who came last */
    uint64_t left_at;              /* when the last one left, by the desk */
    uint8_t *picture;              /* NULL: nothing was drawn */
    size_t size;
};

struct desk {
    struct board *boards[BOARD_LIMIT];
    size_t count;
    uint64_t now; /* counts departures */
};

/* May a board be called so? 1 to 40 of a-z, 0-9 and "-". */
bool board_name_fits(const char *name, size_t size);

/* The board of that name, made when there is none. When there are BOARD_LIMIT,
 * that which nobody is at, and has not been for longest, makes room. NULL:
 * somebody is at each of them, or out of memory. */
struct board *desk_open(struct desk *desk, const char *name);

/* Somebody leaves the board. */
void desk_leave(struct desk *desk, struct board *board);

/* Is this one well-formed piece within the board? */
bool piece_fits(const uint8_t *piece, size_t size);

enum board_draw { BOARD_DRAWN, BOARD_FADED, BOARD_FULL };

/* Add a piece that fits. BOARD_FADED: the picture was full, and its oldest
 * quarter went. BOARD_FULL: out of memory, nothing was added. */
enum board_draw board_draw(struct board *board, const uint8_t *piece,
                           size_t size);

void board_clear(struct board *board);
void desk_free(struct desk *desk);

#endif /* DEMO_WHITEBOARD_BOARD_H */
