"""Plots as SVG text, readable on light and on dark pages. Pure: no files.

SPDX-License-Identifier: MIT
"""
import math
from xml.sax.saxutils import escape

from figures import median

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 44, 52
COLOURS = 3  # c0, c1, c2 of STYLE, then from the start
KNOWN = {'libsio': 'c0', 'Node': 'c1', 'floor': 'c2'}

# Colours that differ in lightness as well as in hue, on either ground.
STYLE = '''
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 15px; font-weight: 600; }
.ground { fill: #ffffff; }
.grid { stroke: #d0d7de; }
.line { fill: none; stroke-width: 2; }
.c0 { stroke: #0969da; fill: #0969da; }
.c1 { stroke: #bc4c00; fill: #bc4c00; }
.c2 { stroke: #57606a; fill: #57606a; }
text.c0, text.c1, text.c2 { stroke: none; }
.line.c0, .line.c1, .line.c2 { fill: none; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.ground { fill: #0d1117; }
.grid { stroke: #30363d; }
.c0 { stroke: #58a6ff; fill: #58a6ff; }
.c1 { stroke: #f0883e; fill: #f0883e; }
.c2 { stroke: #9198a1; fill: #9198a1; }
}'''


def page(title, body, width=WIDTH, height=HEIGHT):
    return '\n'.join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} '
        f'{height}" width="{width}" height="{height}" role="img">',
        f'<title>{escape(title)}</title>', f'<style>{STYLE}\n</style>',
        f'<rect class="ground" width="{width}" height="{height}"/>',
        text(LEFT, 24, title, 'title')] + body + ['</svg>', ''])


def colour_of(name, names):
    """The same in every plot for who is in several."""
    return KNOWN.get(name, f'c{list(names).index(name) % COLOURS}')


def text(x, y, words, kind='', anchor='start', more=''):
    kind = f' class="{kind}"' if kind else ''
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}'
            f'{more}>{escape(words)}</text>')


def straight(x1, y1, x2, y2, kind):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'class="{kind}"/>')


def dot(x, y, colour, label):
    return (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="{colour}">'
            f'<title>{escape(label)}</title></circle>')


def short(value):
    """'20k', '1.5M', '0.25'"""
    for size, unit in ((1e6, 'M'), (1e3, 'k')):
        if value >= size:
            return f'{value / size:.3g}{unit}'
    return f'{value:.3g}'


def linear_ticks(top):
    """0 and some round numbers; the last one is at least `top`."""
    rough = top / 5 or 1
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)
    return [step * i for i in range(math.ceil(top / step - 1e-9) + 1)]


def log_ticks(low, high):
    """The powers of ten around them."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0 ** p for p in range(first, max(last, first + 1) + 1)]


class Axis:
    """Values to places. log: equal factors are equal distances."""

    def __init__(self, ticks, start, end, log=False):
        self.ticks, self.log = ticks, log
        self.start, self.end = start, end

    def place(self, value):
        low, high = self.ticks[0], self.ticks[-1]
        if self.log:
            low, high, value = map(math.log10, (low, high, value))
        return self.start + (value - low) / (high - low) * (
            self.end - self.start)


def grid(x, y, x_label, y_label):
    body = []
    for tick in y.ticks:
        body.append(straight(x.start, y.place(tick), x.end, y.place(tick),
                             'grid'))
        body.append(text(x.start - 8, y.place(tick) + 4, short(tick),
                         anchor='end'))
    for tick in x.ticks:
        body.append(text(x.place(tick), y.start + 18, short(tick),
                         anchor='middle'))
    middle = (y.start + y.end) / 2
    body.append(text((x.start + x.end) / 2, y.start + 40, x_label,
                     anchor='middle'))
    body.append(text(18, middle, y_label, anchor='middle',
                     more=f' transform="rotate(-90 18 {middle:.1f})"'))
    return body


def legend(names):
    body, place = [], WIDTH - RIGHT
    for name in reversed(list(names)):
        body.append(text(place, 24, name, colour_of(name, names), 'end'))
        place -= 9 * len(name) + 14
    return body


def lines(title, x_label, y_label, curves, y_log=False):
    """curves: {name: [(x, [y of each round])]}; x is logarithmic. The curve
    goes through the medians, the bars to the farthest rounds."""
    xs = [x for points in curves.values() for x, _ in points]
    ys = [y for points in curves.values() for _, some in points for y in some]
    if not ys:
        return page(title, [text(LEFT, HEIGHT / 2, 'not measured')])
    x = Axis(log_ticks(min(xs), max(xs)), LEFT, WIDTH - RIGHT, True)
    y = Axis(log_ticks(min(ys), max(ys)) if y_log else linear_ticks(max(ys)),
             HEIGHT - BOTTOM, TOP, y_log)
    body = grid(x, y, x_label, y_label) + legend(curves)
    for name, points in curves.items():
        body += curve(x, y, [p for p in points if p[1]],
                      colour_of(name, curves))
    return page(title, body)


def curve(x, y, points, colour):
    body, path = [], []
    for at, some in points:
        middle = median(some)
        here = x.place(at)
        body.append(straight(here, y.place(min(some)), here,
                             y.place(max(some)), colour))
        body.append(dot(here, y.place(middle), colour,
                        f'{at:,}: {middle:.4g}'))
        path.append(f'{here:.1f},{y.place(middle):.1f}')
    return [f'<polyline class="line {colour}" points="{" ".join(path)}"/>'
            ] + body


def dots(title, x_label, rows):
    """rows: [(label, {name: value})]: one line each, values on a logarithmic
    axis; None is left out."""
    values = [v for _, some in rows for v in some.values() if v]
    if not values:
        return page(title, [text(LEFT, HEIGHT / 2, 'not measured')])
    names = list(dict.fromkeys(n for _, some in rows for n in some))
    left, height = 300, TOP + BOTTOM + 24 * len(rows)
    x = Axis(log_ticks(min(values), max(values)), left, WIDTH - RIGHT, True)
    body = legend(names)
    for tick in x.ticks:
        body.append(straight(x.place(tick), TOP, x.place(tick),
                             height - BOTTOM, 'grid'))
        body.append(text(x.place(tick), height - BOTTOM + 18, short(tick),
                         anchor='middle'))
    for i, (label, some) in enumerate(rows):
        at = TOP + 12 + 24 * i
        body.append(text(left - 10, at + 4, label, anchor='end'))
        for name, value in some.items():
            if value:
                body.append(dot(x.place(value), at,
                                colour_of(name, names),
                                f'{name}: {value:.3g}'))
    body.append(text((left + WIDTH) / 2, height - 12, x_label,
                     anchor='middle'))
    return page(title, body, height=height)
