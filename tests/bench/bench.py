#!/usr/bin/env python3
"""Measure libsio beside Node and the floor, and print a table of ratios.

    bench.py                   everything
    bench.py --only NAME,..    some rows
    bench.py --list            their names

    --rounds N (5)   --seconds S (0.8) of each measurement   --add NAME=COMMAND:
    another server that keeps the contract and prints "ready PORT"

The servers of a row run side by side, each idle while another is measured, all
pinned to one core, the generator to another. A round measures each of them
once. What is measured is kept in build/bench/run.json.

It ends what it has started and nothing else. Nothing leaves the machine.

SPDX-License-Identifier: MIT
"""
import argparse
import json
import os
import signal
import sys
import time

import document
from rows import ROWS
from servers import (BUILD, NOISE, SERVERS, Failed, Server, load, noise,
                     quiet_load)

ROW_LIMIT = 240  # seconds for one row; rounds that do not fit are left out
THREE = ['floor', 'libsio', 'node']


def say(text):
    print(text, file=sys.stderr, flush=True)


def warm_up(server, args, seconds=1.5):
    """Node's compiler has its time; the others only need to be awake."""
    quick = 0.2 if server.name in ('floor', 'libsio') else seconds
    load(server, args, quick)


class Rounds:
    """Measures what belongs to one row in turn, round by round."""

    def __init__(self, rounds, seconds):
        self.rounds, self.seconds = rounds, seconds
        self.failures, self.measured, self.disturbed = [], 0, 0

    def one(self, what, measure):
        """What measure() says, or None when it fails."""
        try:
            result = measure()
        except Failed as why:
            self.failures.append(f'{what}: {why}')
            say(f'    failed: {why}')
            return None
        self.measured += 1
        self.disturbed += noise(result) > NOISE
        return result

    def run(self, what, measures):
        """measures: {name: function}. Returns {name: [result per round]}."""
        results = {name: [] for name in measures}
        begin = time.monotonic()
        for _ in range(self.rounds):
            if time.monotonic() - begin > ROW_LIMIT:
                self.failures.append(f'{what}: only {len(results)} rounds')
                break
            for name, measure in measures.items():
                results[name].append(self.one(what, measure))
        return results


def event_row(row, names, rounds):
    servers = {}
    for name in names:
        servers[name] = Server(name)
        warm_up(servers[name], row.warm)
    try:
        return rounds.run(row.name, {
            name: lambda s=server: quiet_load(s, row.load, rounds.seconds)
            for name, server in servers.items()})
    finally:
        for server in servers.values():
            server.stop()


def measure_events(rows, names, rounds):
    results = {}
    for row in rows:
        say(f'{row.name}: {row.what}')
        results[row.name] = event_row(row, names, rounds)
        say('    ' + ', '.join(
            f'{name} {document.with_spread(values)}' for name, values in (
                (n, [document.cpu(r) for r in some if r])
                for n, some in results[row.name].items())))
    return results


def chosen(only):
    rows = [row for row in ROWS if not only or row.name in only]
    unknown = set(only or []) - {row.name for row in ROWS}
    if unknown:
        raise SystemExit(f'no such row: {", ".join(sorted(unknown))}; '
                         'see --list')
    return rows


def arguments():
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument('--only', default='')
    ap.add_argument('--rounds', type=int, default=5)
    ap.add_argument('--seconds', type=float, default=0.8)
    ap.add_argument('--list', action='store_true')
    ap.add_argument('--add', action='append', default=[],
                    metavar='NAME=COMMAND')
    args = ap.parse_args()
    if args.rounds < 1 or not 0.1 <= args.seconds <= 20:
        ap.error('--rounds is at least 1, --seconds 0.1 to 20')
    return args


def run(args):
    only = [name for name in args.only.split(',') if name]
    rows = chosen(only)
    names = list(THREE)
    for added in args.add:
        name, command = added.split('=', 1)
        SERVERS[name] = ['sh', '-c', f'exec {command}']
        names.append(name)
    rounds = Rounds(args.rounds, args.seconds)
    results = measure_events(rows, names, rounds)
    os.makedirs(os.path.join(BUILD, 'bench'), exist_ok=True)
    with open(os.path.join(BUILD, 'bench', 'run.json'), 'w',
              encoding='utf-8') as out:
        json.dump({'events': results, 'failures': rounds.failures}, out)
    print(document.event_table(rows, results))
    for failure in rounds.failures:
        print('failed: ' + failure)
    return 1 if rounds.failures else 0


def main():
    args = arguments()
    if args.list:
        for row in ROWS:
            print(f'{row.name:14} {row.what}')
        return 0
    for end in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(end, lambda *_: sys.exit(130))
    try:
        return run(args)
    finally:
        Server.stop_all()


if __name__ == '__main__':
    sys.exit(main())
