"""The part of docs/BENCHMARKS.md about clusters, out of what cluster.py has
measured. Pure: text out.

SPDX-License-Identifier: MIT
"""
import document
import figures
from figures import median

NAME = 'bench-cluster'
DEPTH = 64  # events under way, where there is no rate


class Row:
    """load   of sioload
    rate   events per second that both kinds of nodes keep up with, on one core
           of which others may have some
    """

    def __init__(self, name, what, load, rate):
        self.name, self.what, self.load, self.rate = name, what, load, rate


# The pause is for the room's channel, of the sharded adapter.
ROWS = [
    Row('all1', 'to all: the sender, and 1 at the other node',
        'broadcast -c 2 -s 32', 2000),
    Row('all100', 'to all: the sender, and 100 at the other node',
        'broadcast -c 101 -s 32', 500),
    Row('room100', 'to a room: the sender, and 100 at the other node',
        'broadcast -c 101 -s 32 --event everybody --pause 0.1', 500),
    Row('ask10', 'to all, and each answers: the sender, and 10 at the other '
        'node', 'ask -c 11 -s 32', 500),
]
KINDS = {'libsio': 'libsio', 'node': 'Node'}
PROCESSES = ('µs, sending node', 'receiving node', 'Redis')
COST_HEAD = ['an event', 'a second', 'nodes', *PROCESSES, 'ms, p50', 'ms, p99',
             'Node / libsio']
MOST_HEAD = ['an event', 'nodes', 'events a second', 'of the core',
             'libsio / Node']


def column(results, figure):
    return [figure(r) for r in results if r]


def ratio(results, way, figure, above, below):
    """results: {kind: {way: [figures or None per round]}}"""
    rounds = figures.rounds_of(
        {kind: ways[way] for kind, ways in results.items()}, figure)
    return figures.ratio(rounds, above, below)


def nodes_cpu(result):
    return result['cpu'][0] + result['cpu'][1]


def per_s(result):
    return result['per_s']


def said(row, results, way):
    loud = figures.disturbed({kind: ways[way]
                              for kind, ways in results.items()})
    return row.what + (' (disturbed)' if loud else '')


def cost_lines(row, results):
    """CPU per event and delay, at the given rate: a line for each kind."""
    lines = []
    for kind, name in KINDS.items():
        got = results[kind]['rate']
        lines.append(
            ['', ''] + [name] +
            [document.with_spread(column(got, lambda r, i=i: r['cpu'][i]))
             for i in range(len(PROCESSES))] +
            [document.number(median(column(
                got, lambda r, p=p: r['delay_us'][p] / 1000)), 2)
             for p in ('p50', 'p99')] + [''])
    lines[0][0], lines[0][1] = said(row, results, 'rate'), f'{row.rate:,}'
    lines[-1][-1] = document.times(
        ratio(results, 'rate', nodes_cpu, 'node', 'libsio'))
    return lines


def most_lines(row, results):
    """Events per second: a line for each kind."""
    lines = []
    for kind, name in KINDS.items():
        got = results[kind]['most']
        busy = median(column(got, lambda r: r['busy_pct']))
        lines.append(['', name, document.with_spread(column(got, per_s)),
                      '-' if busy is None else f'{busy:.0f} %', ''])
    lines[0][0] = said(row, results, 'most')
    lines[-1][-1] = document.times(
        ratio(results, 'most', per_s, 'libsio', 'node'))
    return lines


def in_short(results):
    def spread_of(kind, way, figure):
        return document.with_spread(column(results[kind][way], figure))
    return ', '.join(
        f'{name} {spread_of(kind, "rate", nodes_cpu)} µs, '
        f'{spread_of(kind, "most", per_s)} a second'
        for kind, name in KINDS.items())


def tables(run):
    text = []
    for adapter, results in run['adapters'].items():
        rows = [r for r in ROWS if r.name in results]
        if not rows:
            continue
        text += [f'### {adapter}', document.table(COST_HEAD, [
            line for r in rows for line in cost_lines(r, results[r.name])]),
            document.table(MOST_HEAD, [
                line for r in rows
                for line in most_lines(r, results[r.name])])]
    return '\n\n'.join(text)


PART = '''## Two nodes and a Redis

{note}Of events that one client sends to one node, and that clients of another
one receive: two nodes of libsio and a Redis, beside two of **Node** and a Redis.
`make bench-cluster` has measured and written this part. Redis and both nodes
share one core, the clients have another one. Each event has to reach each client
once, with its content; questions are answered by each, and the answers come back
to the sender, who waits for all of them.

| | |
|---|---|
{machine}

First the CPU of each process, in microseconds per event, at a rate that both keep
up with, and how long it took until the last client had the event (of questions:
until the sender had all answers); the ratio is that of both nodes' CPU together.
Then what there is at most, with {depth} events under way: how many events a second
pass through all three processes on that core, and how much of it they used.
{disturbed}

{tables}
{failures}'''


def part(run):
    note = run['note'] and document.wrapped(f'**{run["note"]}**') + '\n\n'
    failures = ''.join(f'\n* not measured: {f}' for f in run['failures'])
    return PART.format(
        note=note, machine=document.machine_rows(run['meta']),
        disturbed=document.wrapped(document.disturbed(run)), depth=DEPTH,
        tables=tables(run), failures=failures).strip()
