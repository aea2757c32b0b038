/*
 * svg.h -- line plots as SVG, for pages that have the colours as CSS classes.
 *
 *   svg_begin() --> axes;  svg_line() for each line;  svg_end()
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SRC_CLI_SVG_H
#define SRC_CLI_SVG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct svg_axis {
    double min, max;
    bool log; /* base 10; min is above 0 then */
    /* What stands at a tick; into text[32]. */
    const char *(*label)(double value, char *text);
    /* Ticks of one's own, `tick_count` of them; NULL: chosen by the range. */
    const double *ticks;
    size_t tick_count;
};

struct svg {
    FILE *out;
    struct svg_axis x, y;
};

struct svg_point {
    double x, y;
};

/* title  what a screen reader says */
void svg_begin(struct svg *svg, const char *title);
/* css    the class of the line; area: filled below. A point with y < 0 is a
 *        gap. name: of the line, in what is shown at a point. */
void svg_line(const struct svg *svg, const char *css, const char *name,
              const struct svg_point *points, size_t count, bool area);
void svg_end(const struct svg *svg);

#endif
