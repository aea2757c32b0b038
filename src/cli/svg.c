/*
 * svg.c -- see svg.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "src/cli/svg.h"

#include <math.h>

#define WIDTH 760.0
#define HEIGHT 240.0
#define LEFT 70.0
#define RIGHT 14.0
#define TOP 12.0
#define BOTTOM 28.0
#define EDGE 40.0 /* a text so near to it ends at its tick */
#define TICKS 5   /* about so many on an axis */
#define TICKS_MAX 24

/* 0 to 1 along the axis. */
static double along(const struct svg_axis *a, double value)
{
    double from = a->min, to = a->max;

    if (a->log) {
        from = log10(from);
        to = log10(to);
        value = value > 0 ? log10(value) : from;
    }
    value = to > from ? (value - from) / (to - from) : 0;
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

static double x_of(const struct svg *s, double value)
{
    return LEFT + along(&s->x, value) * (WIDTH - LEFT - RIGHT);
}

static double y_of(const struct svg *s, double value)
{
    return HEIGHT - BOTTOM - along(&s->y, value) * (HEIGHT - TOP - BOTTOM);
}

/* ------------------------------------------------------------------- ticks */

static size_t linear_ticks(const struct svg_axis *a, double *out)
{
    const double rough = (a->max - a->min) / TICKS;
    const double power = rough > 0 ? pow(10, floor(log10(rough))) : 1;
    const double part = rough / power;
    const double step = power * (part <= 1   ? 1
                                 : part <= 2 ? 2
                                 : part <= 5 ? 5
                                             : 10);
    size_t n = 0;

    for (double v = ceil(a->min / step) * step;
         v <= a->max + step / 1000 && n < TICKS_MAX; v += step)
        out[n++] = v;
    return n;
}

/* 1, 2, 5 of each power where there are few powers, else the powers. */
static size_t log_ticks(const struct svg_axis *a, double *out)
{
    static const double parts[] = { 1, 2, 5 };
    const size_t few = log10(a->max / a->min) < 2.5 ? 3 : 1;
    size_t n = 0;

    for (double p = pow(10, floor(log10(a->min))); p <= a->max; p *= 10)
        for (size_t i = 0; i < few; i++)
            if (p * parts[i] >= a->min * 0.999 &&
                p * parts[i] <= a->max * 1.001 && n < TICKS_MAX)
                out[n++] = p * parts[i];
    return n;
}

static size_t ticks_of(const struct svg_axis *a, double *out)
{
    size_t n = 0;

    if (!a->ticks)
        return a->log ? log_ticks(a, out) : linear_ticks(a, out);
    for (; n < a->tick_count && n < TICKS_MAX; n++)
        out[n] = a->ticks[n];
    return n;
}

/* -------------------------------------------------------------------- parts */

void svg_begin(struct svg *s, const char *title)
{
    double ticks[TICKS_MAX];
    char text[32];
    size_t n;

    fprintf(s->out,
            "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s\">\n",
            WIDTH, HEIGHT, title);
    n = ticks_of(&s->y, ticks);
    for (size_t i = 0; i < n; i++)
        fprintf(s->out,
                "<line class=\"grid\" x1=\"%g\" x2=\"%g\" y1=\"%.1f\" "
                "y2=\"%.1f\"/><text class=\"y\" x=\"%g\" y=\"%.1f\">%s</text>"
                "\n",
                LEFT, WIDTH - RIGHT, y_of(s, ticks[i]), y_of(s, ticks[i]),
                LEFT - 8, y_of(s, ticks[i]) + 4, s->y.label(ticks[i], text));
    n = ticks_of(&s->x, ticks);
    for (size_t i = 0; i < n; i++)
        fprintf(s->out,
                "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%g\" "
                "y2=\"%g\"/><text class=\"%s\" x=\"%.1f\" y=\"%g\">%s"
                "</text>\n",
                x_of(s, ticks[i]), x_of(s, ticks[i]), TOP, HEIGHT - BOTTOM,
                x_of(s, ticks[i]) > WIDTH - EDGE ? "x last" : "x",
                x_of(s, ticks[i]), HEIGHT - BOTTOM + 18,
                s->x.label(ticks[i], text));
}

static void area_of(const struct svg *s, const char *css,
                    const struct svg_point *p, size_t n)
{
    if (n < 2)
        return;
    fprintf(s->out, "<path class=\"area %s\" d=\"M%.1f %g", css,
            x_of(s, p[0].x), HEIGHT - BOTTOM);
    for (size_t i = 0; i < n; i++)
        fprintf(s->out, "L%.1f %.1f", x_of(s, p[i].x), y_of(s, p[i].y));
    fprintf(s->out, "L%.1f %gZ\"/>\n", x_of(s, p[n - 1].x), HEIGHT - BOTTOM);
}

void svg_line(const struct svg *s, const char *css, const char *name,
              const struct svg_point *p, size_t count, bool area)
{
    char x[32], y[32];
    bool gap = true;

    if (area)
        area_of(s, css, p, count);
    fprintf(s->out, "<path class=\"line %s\" d=\"", css);
    for (size_t i = 0; i < count; i++) {
        if (p[i].y >= 0)
            fprintf(s->out, "%c%.1f %.1f", gap ? 'M' : 'L', x_of(s, p[i].x),
                    y_of(s, p[i].y));
        gap = p[i].y < 0;
    }
    fputs("\"/>\n", s->out);
    for (size_t i = 0; i < count; i++)
        if (p[i].y >= 0)
            fprintf(s->out,
                    "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\">"
                    "<title>%s %s at %s</title></circle>\n",
                    css, x_of(s, p[i].x), y_of(s, p[i].y), name,
                    s->y.label(p[i].y, y), s->x.label(p[i].x, x));
}

void svg_end(const struct svg *s)
{
    fputs("</svg>\n", s->out);
}
