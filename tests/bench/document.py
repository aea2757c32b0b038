"""docs/BENCHMARKS.md out of what a run has measured. Pure: text out.

SPDX-License-Identifier: MIT
"""
from figures import Goal, column, median, ratio, rounds_of, spread


def number(value, digits=3):
    """Three significant digits, never in powers of ten; '-' for None."""
    if value is None:
        return '-'
    if abs(value) >= 10 ** (digits - 1):
        return f'{value:,.0f}'
    return f'{value:.{digits}g}'


def times(value):
    return '-' if value is None else f'{number(value)}x'


def verdict(goals):
    """'yes', 'no', or '' where there is no goal or nothing was measured."""
    known = [g.reached for g in goals if g.reached is not None]
    if not known or len(known) < len(goals):
        return '' if not goals else 'not measured'
    return 'yes' if all(known) else '**no**'


def table(head, rows):
    """Markdown. The first column is text, the others are figures."""
    lines = ['| ' + ' | '.join(head) + ' |',
             '|' + '|'.join(['---'] + ['--:'] * (len(head) - 1)) + '|']
    lines += ['| ' + ' | '.join(cells) + ' |' for cells in rows]
    return '\n'.join(lines)


def with_spread(values, digits=3):
    """'3.26 ±2 %': the median, and how far from it the farthest round was."""
    wide = spread(values)
    text = number(median(values), digits)
    return text if wide is None else f'{text} ±{wide:.0f} %'


def cpu(result):
    return result['cpu_us_per_msg']


def event_goals(row, rounds):
    """What the row wants of the measured rounds: none, one or two goals."""
    goals = []
    if row.floor:
        goals.append(Goal(row.what, ratio(rounds, 'libsio', 'floor'),
                          row.floor, unit='x'))
    if row.node:
        goals.append(Goal(row.what, ratio(rounds, 'node', 'libsio'),
                          row.node, at_most=False, unit='x'))
    return goals


def event_row(row, results):
    rounds = rounds_of(results, cpu)
    goals = event_goals(row, rounds)
    return [f'{row.what} (`{row.name}`)'] + [
        with_spread(column(rounds, name))
        for name in ('floor', 'libsio', 'node')] + [
        times(ratio(rounds, 'libsio', 'floor')),
        f'<= {row.floor:.2f}x' if row.floor else '',
        times(ratio(rounds, 'node', 'libsio')),
        f'>= {row.node:g}x' if row.node else '',
        verdict(goals)]


EVENT_HEAD = ['what', 'floor', 'libsio', 'Node', 'libsio / floor', 'goal',
              'Node / libsio', 'goal', 'reached']


def event_table(rows, results):
    """results: {row name: {server: [result or None per round]}}"""
    return table(EVENT_HEAD, [event_row(row, results[row.name])
                              for row in rows if row.name in results])
