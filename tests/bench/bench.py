#!/usr/bin/env python3
"""Measure libsio beside Node and the floor, and write docs/BENCHMARKS.md.

    bench.py                   everything; writes the page and its plots
    bench.py --only NAME,..    some of it; printed, the page stays as it is
    bench.py --page FILE       the page again, from an earlier run's file
    bench.py --list            the names

    --rounds N (5)   --seconds S (0.5) of each measurement   --note TEXT, for
    the head of the page   --add NAME=COMMAND: another server that keeps the
    contract and prints "ready PORT"; with --only

The servers of a row run side by side, each idle while another is measured, all
pinned to one core, the generator to another. A round measures each of them
once. What was measured is kept in build/bench/run.json (--only: some.json).

It ends what it has started and nothing else. Nothing leaves the machine.

SPDX-License-Identifier: MIT
"""
import argparse
import json
import os
import platform
import resource
import signal
import subprocess
import sys
import time

import document
import special
from figures import NOISE, noise
from instructions import calls_text
from rows import ROWS, SERIES, SPECIAL
from servers import (BUILD, CERTS, CORES, HERE, ROOT, SERVERS, Failed, Server,
                     load, quiet_load)

ROW_LIMIT = 240  # seconds for one row; rounds that do not fit are left out
SPARE = 200      # descriptors that are no connections
THREE = ['floor', 'libsio', 'node']
MOST = 20000     # connections, where the system allows for them


def say(text):
    print(text, file=sys.stderr, flush=True)


def most_connections():
    """As many as the system lets both sides have, MOST at most."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return MOST if hard == resource.RLIM_INFINITY else min(MOST, hard - SPARE)


class Rounds:
    """Measures what belongs together in turn, round by round."""

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
        if 'noise' in result:
            self.measured += 1
            self.disturbed += noise(result) > NOISE
        return result

    def run(self, what, measures, count=None, limit=ROW_LIMIT):
        """measures: {name: function}. Returns {name: [result per round]}."""
        results = {name: [] for name in measures}
        begin = time.monotonic()
        for done in range(count or self.rounds):
            if time.monotonic() - begin > limit:
                self.failures.append(f'{what}: only {done} rounds')
                break
            for name, measure in measures.items():
                results[name].append(self.one(what, measure))
        return results


def warm_up(server, args, seconds=1.5):
    """Node's compiler has its time; the others only need to be awake."""
    quick = seconds if server.name not in ('floor', 'libsio') else 0.2
    load(server, args, quick)


def event_row(row, names, rounds):
    """Servers that do not start or fail while warming up are left out."""
    servers = {}
    try:
        for name in names:
            servers[name] = Server(name)
            warm_up(servers[name], row.warm)
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
        try:
            results[row.name] = event_row(row, names, rounds)
        except Failed as why:
            rounds.failures.append(f'{row.name}: {why}')
            say(f'    failed: {why}')
            continue
        say('    ' + ', '.join(
            f'{name} {document.with_spread(values)}' for name, values in (
                (n, [document.cpu(r) for r in some if r])
                for n, some in results[row.name].items())))
    return results


def series_results(series, rounds):
    """Points of the same server and arguments share it."""
    servers = {}
    try:
        for p in series.points:
            key = (p.server, p.args)
            if key not in servers:
                servers[key] = Server(p.server, [
                    a.format(certs=CERTS) for a in p.args])
        return rounds.run(series.name, {
            p.name: lambda p=p: quiet_load(servers[p.server, p.args], p.load,
                                           rounds.seconds)
            for p in series.points}, (rounds.rounds + 1) // 2)
    finally:
        for server in servers.values():
            server.stop()


def measure_series(names, all_series, rounds):
    results = {}
    for name in names:
        say(f'{name}: {all_series[name].what}')
        try:
            results[name] = series_results(all_series[name], rounds)
        except Failed as why:
            rounds.failures.append(f'{name}: {why}')
            say(f'    failed: {why}')
    return results


def measure_special(names, rounds):
    few = (rounds.rounds + 1) // 2
    ways = {
        'memory': lambda: rounds.one(
            'memory', lambda: special.memory_once(say)),
        'start': lambda: rounds.run(
            'start', {'': special.start_round})[''],
        'loops': lambda: rounds.run('loops', {
            '': lambda: special.loops_round(rounds.seconds)}, few)[''],
        'held': lambda: rounds.run('held', {
            '': lambda: special.held_round(2 * rounds.seconds)}, few)[''],
        'instructions': lambda: rounds.one(
            'instructions', lambda: special.instructions_once(say)),
        'misses': lambda: rounds.one(
            'misses', lambda: special.misses_once(say)),
    }
    results = {}
    for name in names:
        say(f'{name}: {SPECIAL[name]}')
        results[name] = ways[name]()
    return results


# ------------------------------------------------------------- the outcome --

def said(*command):
    """The first line that a command prints, or '?'."""
    try:
        out = subprocess.run(command, capture_output=True, text=True, cwd=HERE,
                             timeout=20, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        out = ''
    return out.splitlines()[0].strip() if out.strip() else '?'


def processor():
    with open('/proc/cpuinfo', encoding='utf-8') as info:
        for line in info:
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.machine()


def memory_of_machine():
    pages = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    return f'{pages / 2 ** 30:.0f} GiB'


def socket_io_version():
    with open(os.path.join(HERE, 'node', 'package-lock.json'),
              encoding='utf-8') as lock:
        return json.load(lock)['packages']['node_modules/socket.io']['version']


def describe(args):
    # The pages are what is written here.
    changed = said('git', 'status', '--porcelain', '--untracked-files=no',
                   '--', '.', ':!docs')
    return {
        'libsio': said('git', 'rev-parse', '--short=12', 'HEAD') +
        ('' if changed == '?' else ', with changes'),
        'machine': f'{processor()}, {len(CORES)} cores, '
                   f'{memory_of_machine()}',
        'system': f'{platform.system()} {platform.release()}, '
                  f'{platform.machine()}',
        'compiler': f'{said("cc", "--version")}, -O2',
        'Node': f'{said("node", "--version")} with socket.io '
                f'{socket_io_version()}',
        'rounds': f'{args.rounds} of {args.seconds:g} s each',
        'when': time.strftime('%Y-%m-%d'),
    }


def write(path, text):
    with open(path, 'w', encoding='utf-8') as out:
        out.write(text)


def write_page(run, all_series):
    images = os.path.join(ROOT, 'docs', 'images')
    for name, svg in document.plots(run, ROWS, all_series).items():
        write(os.path.join(images, f'bench-{name}.svg'), svg)
    page = os.path.join(ROOT, 'docs', 'BENCHMARKS.md')
    text = document.full_page(run, ROWS, all_series, calls_text)
    if os.path.exists(page):
        with open(page, encoding='utf-8') as old:
            text = document.with_parts_of(text, old.read())
    write(page, text)
    say(f'written: {page}')


def print_some(run, rows, all_series):
    if run['events']:
        print(document.event_table(rows, run['events']))
    goals = document.goal_table(run, all_series)
    if goals:
        print(goals)
    if run.get('instructions'):
        print(document.instruction_table(run['instructions'], calls_text))
    for failure in run['failures']:
        print('failed: ' + failure)


def measure(args, only, all_series):
    rows = [row for row in ROWS if not only or row.name in only]
    names = list(THREE)
    for added in args.add:
        name, command = added.split('=', 1)
        SERVERS[name] = ['sh', '-c', f'exec {command}']
        names.append(name)
    begin = time.monotonic()
    rounds = Rounds(args.rounds, args.seconds)
    run = {'meta': describe(args), 'note': args.note, 'noise': NOISE}
    run['events'] = measure_events(rows, names, rounds)
    run['series'] = measure_series(
        [n for n in SERIES if not only or n in only], all_series, rounds)
    run.update(measure_special(
        [n for n in SPECIAL if not only or n in only], rounds))
    run['meta']['took'] = f'{(time.monotonic() - begin) / 60:.0f} minutes'
    run.update(failures=rounds.failures, measured=rounds.measured,
               disturbed=rounds.disturbed)
    return run, rows


def arguments():
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument('--only', default='')
    ap.add_argument('--rounds', type=int, default=5)
    ap.add_argument('--seconds', type=float, default=0.5)
    ap.add_argument('--note', default='')
    ap.add_argument('--page', metavar='FILE')
    ap.add_argument('--list', action='store_true')
    ap.add_argument('--add', action='append', default=[],
                    metavar='NAME=COMMAND')
    args = ap.parse_args()
    if args.rounds < 1 or not 0.1 <= args.seconds <= 20:
        ap.error('--rounds is at least 1, --seconds 0.1 to 20')
    return args


def known_names():
    most = most_connections()
    return {**{row.name: row.what for row in ROWS},
            **{name: make(most).what for name, make in SERIES.items()},
            **SPECIAL}


def interrupted(*_):
    raise KeyboardInterrupt


def main():
    args = arguments()
    known = known_names()
    only = [name for name in args.only.split(',') if name]
    if args.list:
        for name, what in known.items():
            print(f'{name:14} {what}')
        return 0
    if set(only) - set(known):
        raise SystemExit('no such row: ' + ', '.join(
            sorted(set(only) - set(known))) + '; see --list')
    all_series = {n: make(most_connections()) for n, make in SERIES.items()}
    if args.page:
        with open(args.page, encoding='utf-8') as kept:
            write_page(json.load(kept), all_series)
        return 0
    for end in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(end, interrupted)
    try:
        run, rows = measure(args, only, all_series)
    except KeyboardInterrupt:
        say('interrupted')
        return 130
    finally:
        Server.stop_all()
    write(os.path.join(BUILD, 'bench', 'some.json' if only else 'run.json'),
          json.dumps(run))
    print_some(run, rows, all_series)
    if not only:
        write_page(run, all_series)
    return 1 if run['failures'] else 0


if __name__ == '__main__':
    sys.exit(main())
