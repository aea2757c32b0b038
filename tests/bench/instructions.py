#!/usr/bin/env python3
"""Count what the server executes per event: instructions, and system calls.

    instructions.py [-c CONFIG,..] [-s SERVER] [--top N] [--calls]

The server runs under callgrind (or, with --calls, under strace) twice per
configuration, for a few events and for many; the difference divided by the
difference in events is what one event costs, without start, connecting and
end. Instructions are counted, so it does not matter what else the machine
does; only how events share a turn of the loop differs a little from run to
run. --top prints the functions that most of it went to.

The kernel's work is not in it: bench.py measures that.

SPDX-License-Identifier: MIT
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SIOLOAD = os.path.join(ROOT, 'build', 'bench', 'sioload')
SERVER = os.path.join(ROOT, 'build', 'release', 'servers', 'bench')
LIMIT = 300  # seconds for one load

CONFIGS = {  # name: (arguments of sioload, few, many, what counts events)
    'echo32': ('echo -c 20 -s 32', 400, 8400, '--count'),
    'echo1k': ('echo -c 20 -s 1024', 400, 8400, '--count'),
    'echo32-d16': ('echo -c 20 -s 32 -d 16', 4000, 44000, '--count'),
    'echo1k-d16': ('echo -c 20 -s 1024 -d 16', 4000, 44000, '--count'),
    'ack32-d16': ('ack -c 20 -s 32 -d 16', 4000, 44000, '--count'),
    'bin1k': ('binary -c 20 -s 1024', 400, 8400, '--count'),
    'obj256': ('echo -c 20 -s 256 --object', 400, 8400, '--count'),
    'bcast32': ('broadcast -c 200 -s 32', 4000, 84000, '--count'),
    'bcast32-w8': ('broadcast -c 200 -s 32 -d 8', 16000, 176000, '--count'),
    'poll32': ('polling -c 20 -s 32', 400, 4400, '--count'),
    'echo32-c1000': ('echo -c 1000 -s 32', 4000, 24000, '--count'),
    'upgrade': ('upgrade -c 20 --settle 0.1', 100, 600, '-n'),
    'churn': ('churn -c 20 --settle 0.1', 200, 2200, '-n'),
}


class Run:
    """One server under a tool, one load, and how often what was executed."""

    def __init__(self, server, tool):
        self.process = subprocess.Popen(
            tool + [server, '0'], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        self.port = self.process.stdout.readline().split()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def load(self, args):
        command = [SIOLOAD] + args.split() + [
            '--port', self.port, '--warm', '0', '--secs', str(LIMIT)]
        done = subprocess.run(command, capture_output=True, text=True,
                              timeout=LIMIT, check=False)
        if done.returncode:
            raise SystemExit(f'{args}: {done.stderr or done.stdout}')

    def stop(self):
        # strace does not pass the signal on: its child is asked.
        pid = self.process.pid
        with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as f:
            children = f.read().split()
        os.kill(int(children[0]) if children else pid, signal.SIGTERM)
        if self.process.wait(60) not in (0, -signal.SIGTERM):
            raise SystemExit('the server did not end well')


def callgrind(server, args, out):
    with Run(server, ['valgrind', '-q', '--tool=callgrind',
                      f'--callgrind-out-file={out}']) as run:
        run.load(args)
    with open(out, encoding='utf-8', errors='replace') as profile:
        for line in profile:
            if line.startswith('summary:') or line.startswith('totals:'):
                return {'Ir': int(line.split()[1])}
    raise SystemExit('no totals in ' + out)


def misses(server, args, out):
    """Lines of data that a first cache of 48 KiB does not have."""
    with Run(server, ['valgrind', '-q', '--tool=callgrind', '--cache-sim=yes',
                      '--D1=49152,12,64',
                      f'--callgrind-out-file={out}']) as run:
        run.load(args)
    events = []
    with open(out, encoding='utf-8', errors='replace') as profile:
        for line in profile:
            if line.startswith('events:'):
                events = line.split()[1:]
            if line.startswith('summary:') or line.startswith('totals:'):
                found = dict(zip(events, map(int, line.split()[1:])))
                return {'misses': found['D1mr'] + found['D1mw']}
    raise SystemExit('no totals in ' + out)


def strace(server, args, out):
    with Run(server, ['strace', '-f', '-c', '-o', out]) as run:
        run.load(args)
    counts = {}
    with open(out, encoding='utf-8') as table:
        for line in table:
            cells = line.split()
            if len(cells) >= 5 and cells[3].isdigit() and cells[-1] != 'total':
                counts[cells[-1]] = int(cells[3])
    return counts


def per_event(few, many, events):
    return {name: (many[name] - few.get(name, 0)) / events for name in many}


COUNT = r'([\d,]+|\.) (?:\(\s*[\d.]+%\))?'
LINE = re.compile(rf'\s*{COUNT}\s+(?:{COUNT}\s+)?(\S+)')


def own_costs(text):
    """{function: count} of what callgrind_annotate prints, its columns
    together; "?" is what has no symbol."""
    own = {}
    for line in text.splitlines():
        found = LINE.match(line)
        if not found or 'PROGRAM TOTALS' in line:
            continue
        # What was inlined from a header is a row of its own.
        name = os.path.basename(found[3]).split(':', 1)[-1]
        name = '?' if name.startswith('0x') else name
        own[name] = own.get(name, 0) + sum(
            int(n.replace(',', '')) for n in found.group(1, 2)
            if n and n != '.')
    return own


def annotated(profile, columns):
    return own_costs(subprocess.run(
        ['callgrind_annotate', '--auto=no', '--threshold=100',
         f'--show={columns}', f'--sort={columns}', profile],
        capture_output=True, text=True, check=False).stdout)


def top(config, n, folder, columns='Ir'):
    """[(function, count per event)] of what costs() has left in `folder`, by
    what functions execute themselves; columns: what is counted, one or two
    with a comma."""
    _, few, many, _ = CONFIGS[config]
    first = annotated(os.path.join(folder, 'few'), columns)
    second = annotated(os.path.join(folder, 'many'), columns)
    each = per_event(first, second, many - few)
    return sorted(each.items(), key=lambda f: -f[1])[:n]


def costs(config, measured, folder, server=SERVER):
    """What one event costs. measured: callgrind, misses or strace, whose output
    stays in `folder`, as "few" and "many"."""
    load, few, many, counts = CONFIGS[config]
    first = measured(server, f'{load} {counts} {few}',
                     os.path.join(folder, 'few'))
    second = measured(server, f'{load} {counts} {many}',
                      os.path.join(folder, 'many'))
    return per_event(first, second, many - few)


def calls_text(calls):
    """'read 1.000, sendmsg 0.996'"""
    return ', '.join(f'{name} {count:.3f}' for name, count in sorted(
        calls.items(), key=lambda c: -c[1]) if count >= 0.005)


def measure(server, config, args):
    with tempfile.TemporaryDirectory() as folder:
        if args.calls:
            calls = costs(config, strace, folder, server)
            print(f'{config}: {calls_text(calls)}', flush=True)
            return
        ir = costs(config, callgrind, folder, server)['Ir']
        print(f'{config}: {ir:.0f}', flush=True)
        if args.top:
            for name, ir in top(config, args.top, folder):
                print(f'    {ir:8.1f}  {name}')


def main():
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument('-c', default=','.join(CONFIGS), help='configurations')
    ap.add_argument('-s', default=SERVER, help='server; gets port 0 as argument')
    ap.add_argument('--top', type=int, default=0, help='functions to show')
    ap.add_argument('--calls', action='store_true', help='system calls instead')
    args = ap.parse_args()
    for config in args.c.split(','):
        measure(args.s, config, args)
    return 0


if __name__ == '__main__':
    sys.exit(main())
