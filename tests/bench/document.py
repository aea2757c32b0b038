"""docs/BENCHMARKS.md out of what a run has measured. Pure: text out.

SPDX-License-Identifier: MIT
"""
import re
import textwrap

import figures
import plot
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


def verdict(goals, disturbed=False):
    """'yes', 'no', 'not measured', or '' where there is no goal."""
    known = [g.reached for g in goals if g.reached is not None]
    if not known or len(known) < len(goals):
        return '' if not goals else 'not measured'
    text = 'yes' if all(known) else '**no**'
    return text + ' (disturbed)' if disturbed else text


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
        verdict(goals, figures.disturbed(results))]


EVENT_HEAD = ['what', 'floor', 'libsio', 'Node', 'libsio / floor', 'goal',
              'Node / libsio', 'goal', 'reached']


def event_table(rows, results):
    """results: {row name: {server: [result or None per round]}}"""
    return table(EVENT_HEAD, [event_row(row, results[row.name])
                              for row in rows if row.name in results])


# ------------------------------------------------------------ one by one --

GOAL_HEAD = ['what', 'libsio', 'Node', 'goal', 'Node / libsio', 'goal',
             'reached']


def plain_goal(what, value, goal, digits=3, other='', factor='', wanted='',
               more=(), disturbed=False):
    """A line of the second table. more: goals besides `goal`."""
    goals = [g for g in (goal, *more) if g]
    return [what, value, other, goal.wanted if goal else '', factor, wanted,
            verdict(goals, disturbed)]


def memory_lines(memory):
    """memory: {'libsio websocket': what memory.py measured, ...}"""
    lines = []
    for kind, what, limit, factor in (
            ('websocket', 'WebSocket', 1000, 14),
            ('polling', 'long-polling, its poll waiting', 1500, 14),
            ('tls', 'WebSocket over TLS', 12 * 1024, None)):
        mine = memory.get(f'libsio {kind}', {}).get('each')
        node = memory.get(f'node {kind}', {}).get('each')
        by = node / mine if node and mine else None
        more = [Goal('', by, factor, at_most=False)] if factor else []
        lines.append(plain_goal(
            f'RSS per idle client, {what}, bytes', number(mine),
            Goal('', mine, limit), other=number(node) if factor else '',
            factor=times(by) if factor else '',
            wanted=f'>= {factor}x' if factor else '', more=more))
    left = memory.get('libsio websocket')
    if left:
        grown = (left['after'] / left['start'] - 1) * 100
        lines.append(plain_goal(
            f'RSS after {left["clients"]:,} WebSockets have left, beside '
            'before', f'{grown:+.0f} %', Goal('', abs(grown), 10, unit=' %')))
    return lines


def start_lines(rounds):
    """rounds: [{'libsio': {'ms', 'rss'}, 'node': ...} or None]"""
    rounds = [r for r in rounds if r]
    lines = []
    for what, key, scale, limit, unit in (
            ('start to the first answer, ms', 'ms', 1, 20, ''),
            ('RSS just then, MB', 'rss', 1e6, 6, '')):
        mine = [r['libsio'][key] / scale for r in rounds]
        node = [r['node'][key] / scale for r in rounds]
        lines.append(plain_goal(
            what, with_spread(mine), Goal('', median(mine), limit, unit=unit),
            other=with_spread(node)))
    return lines


def case_rounds(results, figure):
    """Of a series: [{'libsio/100': figure, ...} per round]"""
    return rounds_of(results, FIGURES[figure])


FIGURES = {'cpu': cpu, 'p99': lambda r: r['lat_us']['p99']}


def growth_line(what, series, results, limit, curve='libsio'):
    """How much more the last point of a curve needs than `first`, the first
    point with at least 100 of what is on the x axis."""
    xs = [p.x for p in series.points if p.curve == curve]
    first, last = min(x for x in xs if x >= min(100, xs[-1])), xs[-1]
    grown = ratio(case_rounds(results, series.figure), f'{curve}/{last}',
                  f'{curve}/{first}')
    return plain_goal(what.format(first=f'{first:,}', last=f'{last:,}'),
                      times(grown), Goal('', grown, limit, unit='x'),
                      disturbed=figures.disturbed(results))


def size_lines(series, results):
    rounds = case_rounds(results, 'cpu')
    lines = []
    for size in (32, 1024):
        by = ratio(rounds, f'TLS/{size}', f'plain/{size}')
        lines.append(plain_goal(
            f'CPU of an echo of {size:,} B over TLS, beside plain', times(by),
            Goal('', by, 2, unit='x'),
            disturbed=figures.disturbed(results)))
    return lines


def series_lines(all_series, results):
    lines = []
    for name, what, limit in (
            ('connections', 'CPU per event beside {last} idle connections, '
             'beside that with {first}', 1.1),
            ('rooms', 'CPU per event with {last} rooms, beside {first}', 1.1),
            ('namespaces', 'CPU per event with {last} namespaces, beside '
             '{first}', 1.1),
            ('latency', 'p99 of {last} connections, beside {first}, at the '
             'same rate', 2)):
        if name in results:
            lines.append(growth_line(what, all_series[name], results[name],
                                     limit))
    if 'sizes' in results:
        lines += size_lines(all_series['sizes'], results['sizes'])
    return lines


def loops_lines(rounds):
    by = ratio([{loops: r[loops]['per_s'] for loops in ('1', '2')}
                for r in rounds if r], '2', '1')
    work = median([r['1']['cpu_us_per_msg'] for r in rounds if r])
    return [plain_goal(
        'events a second of two loops on two cores, beside one loop, of '
        f'{number(work, 2)} µs each', times(by), Goal('', by, 1.7, at_most=False, unit='x'),
        disturbed=figures.disturbed(
            {n: [r[n] for r in rounds if r] for n in ('1', '2')}))]


def held_lines(rounds):
    """The loop never sleeps for long: what it was away for beyond computing,
    others had its core."""
    rounds = [r for r in rounds if r]
    held = [r['held_us'] / 1000 for r in rounds]
    cpu_ms = [r['cpu_us'] / 1000 for r in rounds]
    echo = [r['echoes']['lat_us']['p99'] / 1000 for r in rounds]
    kept_away = bool(rounds) and median(held) > 1.5 * median(cpu_ms)
    return [
        plain_goal('the longest that a broadcast to 9,000 keeps the loop, ms',
                   with_spread(held), Goal('', median(held), 25),
                   disturbed=kept_away),
        plain_goal('of that, what the loop computed at most without a break, '
                   'ms', with_spread(cpu_ms), None),
        plain_goal('p99 of other clients\' echoes meanwhile, ms',
                   with_spread(echo), None)]


def goal_table(run, all_series):
    lines = series_lines(all_series, run.get('series', {}))
    for name, make in (('memory', memory_lines), ('start', start_lines),
                       ('loops', loops_lines), ('held', held_lines)):
        if run.get(name):
            lines += make(run[name])
    return table(GOAL_HEAD, lines) if lines else ''


def instruction_table(counted, calls_text):
    return table(['what', 'instructions', 'system calls'],
                 [[f'`{name}`', number(one['Ir'], 4),
                   calls_text(one['calls'])]
                  for name, one in counted.items()])


def profile_table(counted):
    """The functions of each profile, side by side."""
    profiles = {n: one['profile'] for n, one in counted.items()
                if one.get('profile')}
    if not profiles:
        return ''
    longest = max(len(p) for p in profiles.values())
    lines = []
    for i in range(longest):
        line = []
        for p in profiles.values():
            line += [f'`{p[i][0]}`', number(p[i][1], 3)] if i < len(p) else [
                '', '']
        lines.append(line)
    head = []
    for name in profiles:
        head += [f'`{name}`', 'instructions']
    return table(head, lines)


def misses_text(counted):
    lines = [[f'`{name}`', number(n, 3)]
             for name, n in counted['libsio']['profile']]
    return MISSES.format(floor=number(counted['floor']['misses'], 3),
                         libsio=number(counted['libsio']['misses'], 3),
                         table=table(['function', 'misses'], lines))


# ----------------------------------------------------------------- plots --

def plots(run, rows, all_series):
    """{name: SVG}, of what was measured."""
    pictures = {}
    for name, results in run.get('series', {}).items():
        pictures[name] = series_plot(all_series[name], results)
    if run.get('events'):
        pictures['ratios'] = ratio_plot(rows, run['events'])
    return pictures


def series_plot(series, results):
    figure, curves = FIGURES[series.figure], {}
    for p in series.points:
        some = [figure(r) for r in results.get(p.name, []) if r]
        curves.setdefault(p.curve, []).append((p.x, some))
    return plot.lines(series.what, series.x_label, series.y_label, curves,
                      series.y_log)


def ratio_plot(rows, results):
    lines = []
    for row in rows:
        if row.name in results:
            rounds = rounds_of(results[row.name], cpu)
            lines.append((row.what, {
                'libsio': ratio(rounds, 'libsio', 'floor'),
                'Node': ratio(rounds, 'node', 'floor'),
                'floor': 1}))
    return plot.dots('Server CPU, as a multiple of the floor\'s',
                     'times the floor', lines)


# -------------------------------------------------------------- the page --

HEAD = '''# Benchmarks

<!-- Written by `make bench`: change tests/bench/document.py instead. -->

{note}What libsio needs beside two others that do the same over the same loopback
interface: **Node**'s `socket.io`, and the **floor**, a program that pretends to
be a Socket.IO server with one read and at most one write per event, constants
for answers and no parsing. What each row does, and how to run it, is in
[tests/bench](../tests/bench/README.md). Everything on this page was measured
and written by one run of `make bench`, but for parts that say otherwise.

| | |
|---|---|
{machine}

A figure is the median of the rounds, ± how far the farthest was from it; a
ratio is the median of each round's ratio.
{disturbed}
'''

EVENTS = '''
## What an event costs

Microseconds of the server's CPU, user and system, from the kernel's accounts,
per event (broadcasts: per delivery; the last two: per client). The server has a
core to itself, and the generator another one.

{table}

![Server CPU as a multiple of the floor's](images/bench-ratios.svg)

With one event in flight the system calls decide; with 16 they are shared, and a
server's own code is what is left. A broadcast with others outstanding is below
the floor because libsio writes once per connection and turn, the floor once per
broadcast.
'''

GOALS = '''
## Memory, start, growth

{table}

RSS is measured once, of 10,000 clients (TLS: 2,000); growth with half of the
rounds. CPU that grows by less than a tenth counts as not growing: rounds differ
by as much. On a machine of two cores the generator has to share one of them
with the second loop; the handlers of that row work, so that it needs little of
it.
'''

WHY = '''
## Where a goal is not reached

Or where it is near, and may not be on another machine.

* **Connecting** (`upgrade`, `churn`). Much of it is the kernel's: accepting,
  reads and writes, closing. Of our own part the largest function, by the
  profile below, is http-parser, which goes over each head byte by byte. It is
  the judge of what a request is, and stays; only the request line of usual shape
  is judged without it. What the floor does instead is to look for the end of the
  head. Node's part of the ratio is what it needs on this machine.
* **1,000 clients.** Between two events of a client there are those of 999 others,
  and what belongs to it is out of the nearest caches by the time it comes again.
  The floor keeps a descriptor and a buffer per client, libsio a connection, a
  WebSocket, a session, a client and a socket
  ([decision 25](decisions/0025-answers-go-out-in-groups.md)).
* **100,000 rooms.** Each event goes to another room than the last ones: its
  place in the table, the room, its list of members and the member are memory
  that no cache holds. The number of instructions is the same.
* **Memory per idle client.** Where it goes, and what was taken away so far, is in
  [decision 17](decisions/0017-what-an-idle-connection-costs.md). A polling client
  has a request that waits, besides what a WebSocket has. Over TLS most of it is
  OpenSSL's own, which has no call to give more of it back.

{table}

Instructions that each function executes itself, per client; `?` is what has no
symbol.
'''

MISSES = '''
An echo of 1,000 clients reads or writes so many lines of data that a first cache
of 48 KiB does not have (callgrind's model of one, the server's own code alone):
the floor {floor}, libsio {libsio}. Those of libsio, by function:

{table}
'''

INSTRUCTIONS = '''
## Instructions and system calls

Of libsio per event, counted by callgrind and by strace, in the server itself:
what the kernel does for it is in the first table.

{table}
'''


def machine_rows(meta):
    return '\n'.join(f'| {name} | {value} |' for name, value in meta.items())


def disturbed(run):
    if not run['measured']:
        return ''
    return (f'{run["disturbed"]} of {run["measured"]} measurements were '
            f'disturbed: other processes took more than {run["noise"]:g} % of '
            'a core, each of three times. Of a row that says so more than '
            'half were.')


def wrapped(text):
    return '\n'.join(textwrap.wrap(text, 80, break_long_words=False,
                                   break_on_hyphens=False))


def full_page(run, rows, all_series, calls_text):
    """Markdown. run: what bench.py keeps."""
    note = wrapped('**' + run['note'] + '**') + '\n\n' if run['note'] else ''
    text = HEAD.format(note=note, machine=machine_rows(run['meta']),
                       disturbed=wrapped(disturbed(run)))
    if run.get('events'):
        text += EVENTS.format(table=event_table(rows, run['events']))
    goals = goal_table(run, all_series)
    if goals:
        text += GOALS.format(table=goals)
    for name in run.get('series', {}):
        text += (f'\n![{all_series[name].what}](images/bench-{name}.svg)\n')
    if run.get('instructions'):
        text += INSTRUCTIONS.format(
            table=instruction_table(run['instructions'], calls_text))
        text += WHY.format(table=profile_table(run['instructions']))
    if run.get('misses'):
        text += misses_text(run['misses'])
    if run['failures']:
        text += '\n## Not measured\n\n' + '\n'.join(
            f'* {failure}' for failure in run['failures']) + '\n'
    return text


# ------------------------------------------------- parts of other programs --

def _marks(name):
    return (f'<!-- {name}: written by `make {name}` -->',
            f'<!-- end of {name} -->')


def with_part(text, name, body):
    """text with body between the marks of that name, at the end if there are
    none."""
    begin, end = _marks(name)
    if begin not in text or end not in text:
        text = f'{text.rstrip()}\n\n{begin}\n{end}\n'
    before, rest = text.split(begin, 1)
    return f'{before}{begin}\n\n{body.strip()}\n\n{end}{rest.split(end, 1)[1]}'


def with_parts_of(text, old):
    """text with the parts that an older page has."""
    for name in re.findall(r'^<!-- end of (\S+) -->$', old, re.MULTILINE):
        begin, end = _marks(name)
        if begin in old:
            text = with_part(text, name, old.split(begin)[1].split(end)[0])
    return text
