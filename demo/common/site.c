/*
 * site.c -- command line, folders, files, listening; see site.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "demo/common/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMON "demo/common/public" /* what all pages use */

/* Find a folder of the source tree: above this executable, which is in
 * build/VARIANT/demo, or in the working directory. False when neither has a
 * file `probe` in it. */
static bool find_folder(const char *folder, const char *probe,
                        char path[PATH_MAX])
{
    char self[PATH_MAX / 2], file[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    self[n > 0 ? n : 0] = '\0';
    for (int up = 0; up < 4 && (slash = strrchr(self, '/')); up++)
        *slash = '\0';
    for (int i = 0; i < 2; i++) {
        snprintf(path, PATH_MAX, "%s/%s", i == 0 ? self : ".", folder);
        n = snprintf(file, sizeof file, "%s/%s", path, probe);
        if (n < (ssize_t)sizeof file && access(file, R_OK) == 0)
            return true;
    }
    return false;
}

bool site_find(struct site *site)
{
    char folder[PATH_MAX / 2];
    const char *missing = NULL;

    snprintf(folder, sizeof folder, "demo/%s/public", site->name);
    if (!find_folder(folder, "index.html", site->page))
        missing = folder;
    else if (!find_folder(COMMON, "base.css", site->common))
        missing = COMMON;
    if (missing) {
        fprintf(stderr,
                "%s: %s is not there: start this from the top of the source "
                "tree\n",
                site->name, missing);
        return false;
    }
    if (!find_folder("node_modules/socket.io/client-dist", "socket.io.min.js",
                     site->bundle)) {
        fprintf(stderr,
                "%s: the Socket.IO client is not there: run "
                "\"make setup-demo\" first\n",
                site->name);
        return false;
    }
    return true;
}

static bool parse_port(const char *text, unsigned *port)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end || value > 65535)
        return false;
    *port = (unsigned)value;
    return true;
}

bool site_read(struct site *site, const char *name, const char *about, int argc,
               char **argv, int *status)
{
    site->name = name;
    site->port = 3000;
    if (argc > 2 || (argc == 2 && !parse_port(argv[1], &site->port))) {
        bool help = argc == 2 && strcmp(argv[1], "--help") == 0;

        fprintf(help ? stdout : stderr,
                "usage: %s [PORT]\n\n"
                "Serves %s on http://localhost:PORT (3000 when not given, 0 "
                "for any free port).\n",
                name, about);
        *status = help ? EXIT_SUCCESS : 2;
        return false;
    }
    *status = EXIT_FAILURE;
    return site_find(site);
}

static void print_log(void *user, sio_log_level level, const char *message)
{
    const struct site *site = user;

    (void)level;
    fprintf(stderr, "%s: %s\n", site->name, message);
}

void site_options(struct site *site, sio_options *options)
{
    options->client_dir = site->bundle;
    options->log = print_log;
    options->log_user = site;
}

static bool serve(const struct site *site, sio_server *server,
                  const char *prefix, const char *folder)
{
    int rc = sio_serve_files(server, prefix, folder);

    if (rc != SIO_OK)
        fprintf(stderr, "%s: %s: %s\n", site->name, folder, sio_strerror(rc));
    return rc == SIO_OK;
}

bool site_serve(const struct site *site, sio_server *server)
{
    return serve(site, server, "/common", site->common) &&
           serve(site, server, "/", site->page);
}

bool site_open(const struct site *site, sio_server *server)
{
    char address[16];

    if (!site_serve(site, server))
        return false;
    snprintf(address, sizeof address, ":%u", site->port);
    if (sio_listen(server, address, NULL) != SIO_OK)
        return false; /* the log has told why */
    printf("%s: http://localhost:%u\n", site->name, sio_port(server));
    fflush(stdout);
    return true;
}
