/*
 * site.h -- what the demos share: command line, folders, files, listening.
 *
 *     main() --> site_read() --> options, handlers --> site_open() --> the loop
 *
 * Every demo is one process that serves its page, the client bundle and its
 * sockets on one port, and prints one line when it does:
 *
 *     NAME: http://localhost:PORT
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef DEMO_COMMON_SITE_H
#define DEMO_COMMON_SITE_H

#include <sio/sio.h>

#include <limits.h>
#include <stdbool.h>

struct site {
    const char *name; /* "chat"; its page is in demo/NAME/public */
    unsigned port;
    char page[PATH_MAX];
    char common[PATH_MAX]; /* demo/common/public, served as /common/ */
    char bundle[PATH_MAX]; /* the Socket.IO client, for options.client_dir */
};

/* Read the command line "NAME [PORT]" and find the folders. `about` completes
 * the sentence "Serves ... on http://localhost:PORT". False: the program ends
 * with *status; what is wrong has been printed. */
bool site_read(struct site *site, const char *name, const char *about, int argc,
               char **argv, int *status);

/* For a program with a command line of its own: find the folders of site->name.
 * False: which one is missing has been printed. */
bool site_find(struct site *site);

/* Set client_dir and a log on stderr. */
void site_options(struct site *site, sio_options *options);

/* Serve the page. False: why has been printed. */
bool site_serve(const struct site *site, sio_server *server);

/* The same, listen, and print the line. False: why has been printed. */
bool site_open(const struct site *site, sio_server *server);

#endif /* DEMO_COMMON_SITE_H */
