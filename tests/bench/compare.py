#!/usr/bin/env python3
"""Measure Socket.IO servers side by side with sioload.

    compare.py [-r ROUNDS] [-s SERVER,..] [-c CONFIG,..] [-o FILE] [--add NAME=COMMAND]
    compare.py --table FILE

The server runs on core 0, sioload on core 1. Every measurement is one line of
JSON in FILE (build/bench/results.jsonl), with the keys "name", "config" and
"round" added. A measurement during which other processes took more than NOISE
per cent of a core is repeated, up to TRIES times; all are kept. --table prints
the medians of the quiet ones as a Markdown table.

COMMAND of --add is run by sh with $PORT set, in the folder of this file; it
must end by exec'ing the server (its process is what is measured) and listen on
127.0.0.1:$PORT. Nothing is sent anywhere but to 127.0.0.1.

SPDX-License-Identifier: MIT
"""
import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, 'build')
SIOLOAD = os.path.join(BUILD, 'bench', 'sioload')
NOISE, TRIES = 12.0, 3

SERVERS = {  # name: command
    'floor': f'exec {BUILD}/bench/cfloor $PORT',
    'node': 'exec node node/server.js',
    'libsio': f'exec {BUILD}/release/servers/bench $PORT',
}

CONFIGS = {  # name: (arguments of sioload, what warms the server up, fresh server?)
    'echo32': ('echo -c 100 -s 32', 'echo', False),
    'echo1k': ('echo -c 100 -s 1024', 'echo', False),
    'echo32-c1000': ('echo -c 1000 -s 32', 'echo', False),
    'echo1k-c1000': ('echo -c 1000 -s 1024', 'echo', False),
    'echo32-d16': ('echo -c 100 -s 32 -d 16', 'echo', False),
    'echo1k-d16': ('echo -c 100 -s 1024 -d 16', 'echo', False),
    'rate2k': ('echo -c 100 -s 32 --rate 2000', 'echo', False),
    'bcast32': ('broadcast -c 1000 -s 32', 'echo', False),
    'bcast1k': ('broadcast -c 1000 -s 1024', 'echo', False),
    'bcast32-w8': ('broadcast -c 1000 -s 32 -d 8', 'echo', False),
    'poll32': ('polling -c 100 -s 32', 'echo', False),
    'poll1k': ('polling -c 100 -s 1024', 'echo', False),
    'poll32-hang': ('polling -c 100 -s 32 --hang', 'echo', False),
    'upgrade': ('upgrade -c 100 -n 2000 --settle 0.2', 'echo', False),
    'ack32': ('ack -c 100 -s 32', 'ack', False),
    'ack32-d16': ('ack -c 100 -s 32 -d 16', 'ack', False),
    'bin1k': ('binary -c 100 -s 1024', 'binary', False),
    'obj256': ('echo -c 100 -s 256 --object', 'echo --object -s 256', False),
    'idle10k': ('idle -c 10000 --warm 1 --secs 30', '', True),
    'churn30k': ('churn -c 50 -n 30000 --settle 3', '', True),
}


def busy():
    """Seconds of CPU that the machine has spent, all cores."""
    with open('/proc/stat', encoding='ascii') as stat:
        v = [int(x) for x in stat.readline().split()[1:9]]
    return (v[0] + v[1] + v[2] + v[5] + v[6]) / os.sysconf('SC_CLK_TCK')


def wait_quiet(limit=90):
    end = time.time() + limit
    while time.time() < end:
        a, t = busy(), time.time()
        time.sleep(0.5)
        if (busy() - a) / (time.time() - t) * 100 < NOISE:
            return
    print('  (never quiet)', flush=True)


class Server:
    running = set()

    def __init__(self, name, port):
        self.name, self.port = name, port
        self.process = subprocess.Popen(
            ['taskset', '-c', '0', 'sh', '-c', SERVERS[name]], cwd=HERE,
            env=dict(os.environ, PORT=str(port)),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        Server.running.add(self)
        self.wait_until_it_listens()

    def wait_until_it_listens(self):
        for _ in range(200):
            if self.process.poll() is not None:
                raise SystemExit(f'{self.name} ended at once: built? port {self.port} taken?')
            try:
                socket.create_connection(('127.0.0.1', self.port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise SystemExit(f'{self.name} does not listen')
        time.sleep(0.5)

    def load(self, args):
        command = ['taskset', '-c', '1', SIOLOAD] + args.split() + [
            '--port', str(self.port), '--pid', str(self.process.pid)]
        if '--warm' not in args:
            command += ['--warm', '1']
        if '--secs' not in args:
            command += ['--secs', '3']
        run = subprocess.run(command, capture_output=True, text=True,
                             errors='replace', timeout=400, check=False)
        try:
            result = json.loads(run.stdout)
        except ValueError:
            result = {'ok': False, 'noise': {'other_pct': 0}}
        result['stderr'] = run.stderr[:300]
        return result

    def stop(self):
        Server.running.discard(self)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Round:
    """One server through all configurations, restarted where one asks for it."""

    def __init__(self, name, number, ports):
        self.name, self.number, self.ports = name, number, ports
        self.server, self.warmed = None, None

    def ready(self, warm_up, fresh):
        if self.server and not fresh and warm_up == self.warmed:
            return
        self.end()
        self.server, self.warmed = Server(self.name, next(self.ports)), warm_up
        if not fresh:  # let the JIT compilers have their time
            self.server.load(f'{warm_up} -c 100 --warm 0 --secs 3')

    def measure(self, config):
        """Yields one result per attempt, the last one quiet if it can be had."""
        args, warm_up, fresh = CONFIGS[config]
        for attempt in range(TRIES):
            self.ready(warm_up, fresh)
            wait_quiet()
            result = self.server.load(args)
            result.update(name=self.name, config=config, round=self.number,
                          attempt=attempt, when=time.strftime('%H:%M:%S'))
            yield result
            if fresh:
                self.end()
            noise = result['noise']['other_pct']
            # Memory, which idle10k is about, does not mind some noise.
            if noise <= (60 if config == 'idle10k' else NOISE):
                return

    def end(self):
        if self.server:
            self.server.stop()
        self.server = None


def say(r):
    print('%s r%d %-8s %-13s ok=%s us/msg=%s per_s=%s srv=%s%% gen=%s%% other=%s%%' % (
        r['when'], r['round'], r['name'], r['config'], r['ok'],
        r.get('cpu_us_per_msg'), r.get('per_s'),
        r.get('server', {}).get('busy_pct'), r.get('gen', {}).get('busy_pct'),
        r['noise']['other_pct']), flush=True)


def measure(args):
    ports = iter(range(args.port, 65536))
    os.makedirs(os.path.dirname(os.path.abspath(args.o)), exist_ok=True)
    with open(args.o, 'a', encoding='utf-8') as out:
        for number in range(args.r):
            for name in args.s.split(','):
                this = Round(name, number, ports)
                for config in args.c.split(','):
                    for result in this.measure(config):
                        out.write(json.dumps(result) + '\n')
                        out.flush()
                        say(result)
                this.end()


def figure(r):
    """What the table shows of a measurement."""
    if r['config'] == 'idle10k':
        return r['open']['rss_bytes_each']
    if r['config'].startswith('rate'):
        return r['lat_us']['p50']
    return r['cpu_us_per_msg']


def table(path):
    with open(path, encoding='utf-8') as lines:
        results = [json.loads(line) for line in lines]
    names = list(dict.fromkeys(r['name'] for r in results))
    print('| | ' + ' | '.join(names) + ' |')
    print('|---' * (len(names) + 1) + '|')
    for config in dict.fromkeys(r['config'] for r in results):
        cells = []
        for name in names:
            mine = [r for r in results if (r['name'], r['config']) == (name, config) and r['ok']]
            quiet = [r for r in mine if r['noise']['other_pct'] <= NOISE]
            some = [figure(r) for r in quiet or mine]
            mark = '' if quiet or not mine else ' (noisy)'
            cells.append('%.4g%s' % (statistics.median(some), mark) if some else '-')
        print(f'| {config} | ' + ' | '.join(cells) + ' |')


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument('-r', type=int, default=3, help='rounds')
    ap.add_argument('-s', default=','.join(SERVERS), help='servers')
    ap.add_argument('-c', default=','.join(CONFIGS), help='configurations')
    ap.add_argument('-o', default=os.path.join(BUILD, 'bench', 'results.jsonl'))
    ap.add_argument('--port', type=int, default=4301)
    ap.add_argument('--add', action='append', default=[], metavar='NAME=COMMAND')
    ap.add_argument('--table', metavar='FILE')
    args = ap.parse_args()
    if args.table:
        return table(args.table)
    for added in args.add:
        name, command = added.split('=', 1)
        SERVERS[name] = command
        if name not in args.s.split(','):
            args.s += ',' + name
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        return measure(args)
    finally:
        for server in list(Server.running):
            server.stop()


if __name__ == '__main__':
    sys.exit(main())
