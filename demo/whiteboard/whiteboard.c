/*
 * whiteboard.c -- drawing together: page, client bundle and Socket.IO server on
 * the same port; one room for each board.
 *
 *     browser                             whiteboard.c
 *     enter board, ack             -->    ack (error, guest, picture)
 *                                  <--    guests count
 *     draw piece                   -->    kept, then to the board
 *                                  <--    draw piece
 *     cursor x, y (volatile)       -->    to the board, volatile
 *                                  <--    cursor guest, x, y
 *     clear, ack                   -->    ack (), then to all of the board
 *                                  <--    picture bytes: instead of what is
 *                                         there: cleared, or faded
 *                                  <--    left guest
 *
 * Pieces and pictures are binary: see board.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "demo/common/site.h"
#include "demo/whiteboard/board.h"

#include <sio/sio.h>

#include <stdio.h>
#include <stdlib.h>

struct whiteboard {
    sio_namespace *nsp;
    struct desk desk;
};

/* What hangs on a socket. */
struct guest {
    struct board *board; /* NULL: at none yet */
    unsigned number;     /* on that board */
};

static void tell_guests(struct whiteboard *w, const struct board *board)
{
    sio_emit(sio_to(w->nsp, board->key), "guests",
             sio_int((int64_t)board->guests));
}

static void tell_picture(struct whiteboard *w, const struct board *board)
{
    sio_emit(sio_to(w->nsp, board->key), "picture",
             sio_binary(board->picture, board->size));
}

static void leave(struct whiteboard *w, sio_socket *socket)
{
    struct guest *guest = sio_data(socket);
    struct board *board = guest->board;

    if (!board)
        return;
    guest->board = NULL;
    sio_leave(socket, board->key);
    desk_leave(&w->desk, board);
    sio_emit(sio_to(w->nsp, board->key), "left", sio_int(guest->number));
    tell_guests(w, board);
}

static void add_guest(sio_socket *socket, sio_next *next, void *user)
{
    struct guest *guest = calloc(1, sizeof *guest);

    (void)user;
    sio_set_data(socket, guest, free);
    if (guest)
        sio_next_ok(next);
    else
        sio_next_error(next, "The whiteboard is out of memory.", NULL);
}

static void on_disconnect(sio_socket *socket, const char *reason, void *user)
{
    (void)reason;
    leave(user, socket);
}

static void on_enter(sio_socket *socket, sio_event *event, void *user)
{
    struct whiteboard *w = user;
    struct guest *guest = sio_data(socket);
    struct board *board;
    const char *name;
    size_t size;

    if (sio_arg_string(event, 0, &name, &size) != SIO_OK ||
        !board_name_fits(name, size)) {
        sio_ack(event, sio_string("A board's name has 1 to 40 of the letters "
                                  "a to z, digits and hyphens."));
        return;
    }
    leave(w, socket);
    board = desk_open(&w->desk, name);
    if (!board || sio_join(socket, board->key) != SIO_OK) {
        sio_ack(event, sio_string("All boards are in use."));
        return;
    }
    board->guests++;
    guest->board = board;
    guest->number = ++board->last_guest;
    sio_ack(event, sio_null(), sio_int(guest->number),
            sio_binary(board->picture, board->size));
    tell_guests(w, board);
}

static void on_draw(sio_socket *socket, sio_event *event, void *user)
{
    struct guest *guest = sio_data(socket);
    const void *piece;
    size_t size;

    if (!guest->board || sio_arg_binary(event, 0, &piece, &size) != SIO_OK ||
        !piece_fits(piece, size))
        return;
    switch (board_draw(guest->board, piece, size)) {
    case BOARD_DRAWN:
        sio_emit(sio_to(socket, guest->board->key), "draw", sio_arg(event, 0));
        break;
    case BOARD_FADED:
        tell_picture(user, guest->board);
        break;
    case BOARD_FULL:
        break;
    }
}

/* Volatile: where a hand was a moment ago is of no interest any more. */
static void on_cursor(sio_socket *socket, sio_event *event, void *user)
{
    struct guest *guest = sio_data(socket);
    int64_t x, y;

    (void)user;
    if (guest->board && sio_arg_int(event, 0, &x) == SIO_OK &&
        sio_arg_int(event, 1, &y) == SIO_OK && x >= 0 && x <= BOARD_WIDTH &&
        y >= 0 && y <= BOARD_HEIGHT)
        sio_emit(sio_volatile(sio_to(socket, guest->board->key)), "cursor",
                 sio_int(guest->number), sio_int(x), sio_int(y));
}

static void on_clear(sio_socket *socket, sio_event *event, void *user)
{
    struct guest *guest = sio_data(socket);

    if (guest->board) {
        board_clear(guest->board);
        tell_picture(user, guest->board);
    }
    sio_ack(event);
}

static sio_server *make_server(struct whiteboard *w, struct site *site)
{
    sio_options options;
    sio_server *server;

    sio_options_init(&options);
    site_options(site, &options);
    options.max_http_buffer_size = 64 * 1024; /* pieces are small */
    server = sio_server_new(&options);
    if (!server)
        return NULL;
    w->nsp = sio_of(server, "/");
    if (w->nsp && sio_use(w->nsp, add_guest, w) == SIO_OK &&
        sio_on_disconnect(w->nsp, on_disconnect, w) == SIO_OK &&
        sio_on(w->nsp, "enter", on_enter, w) == SIO_OK &&
        sio_on(w->nsp, "draw", on_draw, w) == SIO_OK &&
        sio_on(w->nsp, "cursor", on_cursor, w) == SIO_OK &&
        sio_on(w->nsp, "clear", on_clear, w) == SIO_OK)
        return server;
    sio_server_free(server);
    return NULL;
}

int main(int argc, char **argv)
{
    struct whiteboard w = { 0 };
    struct site site;
    sio_server *server;
    int status;

    if (!site_read(&site, "whiteboard", "a whiteboard", argc, argv, &status))
        return status;
    server = make_server(&w, &site);
    if (!server)
        fprintf(stderr, "whiteboard: out of memory\n");
    else if (site_open(&site, server) && sio_run(server) == SIO_OK)
        status = EXIT_SUCCESS;
    sio_server_free(server);
    desk_free(&w.desk);
    return status;
}
