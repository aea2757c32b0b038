#!/usr/bin/env python3
"""Measure an event that crosses a cluster: a Redis and two nodes of libsio
beside the same of Node's socket.io. Writes its part of docs/BENCHMARKS.md.

    cluster.py                 everything; writes the page
    cluster.py --only ROW,..   some of it; printed, the page stays as it is
    cluster.py --page FILE     the page again, from an earlier run's file

    --adapter NAME,..  classic, sharded, streams   --rounds N (5)
    --seconds S (0.5) of each measurement   --note TEXT, above the tables

Redis and both nodes share one core, the generator has another one. The first
client, at the first node, sends; all others are at the second one. Each row is
measured twice: at a rate that both keep up with, for CPU per event, and with
many events under way, for events per second. A round does so with each kind of
nodes. What was measured is kept in build/bench/cluster.json (--only:
some-cluster.json).

It ends what it has started and nothing else. Nothing leaves the machine.

SPDX-License-Identifier: MIT
"""
import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import bench
import cluster_page
import document
from figures import NOISE
from servers import (BUILD, READY, ROOT, SERVER_CORE, SERVERS, Failed, Server,
                     pinned, quiet_load)

ADAPTERS = ['classic', 'sharded', 'streams']
KINDS = {'libsio': 'libsio', 'node': 'node-cluster'}  # of nodes: the server
SERVERS['node-cluster'] = ['node', 'node/cluster.mjs', '0']
KEEPS_UP = 0.95   # of the rate that was wanted
WARM = '--warm 0.2'
RATE_DEPTH = 4096  # events under way at most, while the rate is given
LIMIT = 60         # seconds for one row; rounds that do not fit are left out
PORTS = 20         # that are tried for Redis


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Redis(Server):
    """Private, on a free port, nothing kept on disk."""

    def __init__(self):
        self.name = 'redis'
        self.folder = tempfile.mkdtemp(prefix='sio-bench-')
        for _ in range(PORTS):  # somebody may be quicker
            self.port = free_port()
            if self.begin():
                return
        shutil.rmtree(self.folder)
        raise Failed('redis-server does not start: is it installed?')

    def begin(self):
        try:
            self.process = subprocess.Popen(
                pinned(['redis-server', '--port', str(self.port), '--bind',
                        '127.0.0.1', '--dir', self.folder, '--save', '',
                        '--appendonly', 'no', '--daemonize', 'no'],
                       [SERVER_CORE]),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL)
        except OSError:
            return False
        Server.running.add(self)
        line = '-'
        while line and 'eady to accept connections' not in line:
            line = self.line(READY)
        if not line:
            super().stop()
        return bool(line)

    def stop(self):
        super().stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, *words):
        """The answer to a command, line by line."""
        return subprocess.run(
            ['redis-cli', '-p', str(self.port), *words], text=True,
            capture_output=True, timeout=READY, check=False).stdout.split('\n')

    def heard(self, adapter, nodes):
        """Do so many nodes hear the others?"""
        command, channel = {
            'classic': ('NUMSUB', 'socket.io-request#/#'),
            'sharded': ('SHARDNUMSUB', 'socket.io#/#'),
            'streams': ('NUMSUB', 'socket.io#/#'),
        }[adapter]
        reading = [line for line in self.ask('CLIENT', 'LIST')
                   if 'cmd=xread' in line]
        return (self.ask('PUBSUB', command, channel)[1:2] == [str(nodes)] and
                (adapter != 'streams' or len(reading) == nodes))


class Cluster:
    """A Redis and two nodes; for load(), as if it were one server."""

    def __init__(self, kind, adapter):
        self.name, self.parts = f'{kind}, {adapter}', []
        redis = self.add(Redis())
        for _ in range(2):
            self.add(Server(KINDS[kind], [f'redis=127.0.0.1:{redis.port}',
                                          f'adapter={adapter}']))
        end = time.monotonic() + READY
        while not redis.heard(adapter, 2):
            if time.monotonic() > end:
                raise Failed(f'{self.name}: the nodes do not meet')
            time.sleep(0.05)

    def add(self, server):
        self.parts.append(server)
        return server

    @property
    def port(self):
        """Of the first node; port2: of the other one."""
        return self.parts[1].port

    @property
    def port2(self):
        return self.parts[2].port

    @property
    def pid(self):
        """Of the sending node, the receiving one, Redis."""
        return ','.join(str(self.parts[i].pid) for i in (1, 2, 0))

    def wait_idle(self, limit=5):
        """Until all have done with clients that have left."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            before = sum(part.cpu() for part in self.parts)
            time.sleep(0.05)
            if sum(part.cpu() for part in self.parts) - before < 0.003:
                return

    def stop(self):
        for part in reversed(self.parts):
            part.stop()


# ------------------------------------------------------------ measurements --

def figures_of(result):
    """What is kept of one measurement: per event, in microseconds."""
    events = result.get('requests', result['msgs'])
    if not events:
        raise Failed('nothing has arrived')
    delay = result.get('last_us') or result['lat_us']
    return {
        'per_s': events / result['secs'],
        'cpu': [s * 1e6 / events for s in result['each_cpu_s']],
        'busy_pct': result['server']['busy_pct'],
        'gen_busy_pct': result['gen']['busy_pct'],
        'delay_us': {p: delay[p] for p in ('p50', 'p99')},
        'noise': result['noise'],
    }


def at_rate(cluster, row, seconds):
    result = quiet_load(
        cluster, f'{row.load} {WARM} -d {RATE_DEPTH} --rate {row.rate} '
        f'--port2 {cluster.port2}', seconds)
    figures = figures_of(result)
    if result['missed'] or figures['per_s'] < KEEPS_UP * row.rate:
        raise Failed(f'{cluster.name}: {figures["per_s"]:.0f} events a '
                     f'second of {row.rate}, {result["missed"]} never sent')
    return figures


def at_most(cluster, row, seconds):
    return figures_of(quiet_load(
        cluster, f'{row.load} {WARM} -d {cluster_page.DEPTH} '
        f'--port2 {cluster.port2}', seconds))


WAYS = {'rate': at_rate, 'most': at_most}


def warm_up(cluster, row):
    """Node's compiler has its time."""
    at_most(cluster, row, 1.5 if cluster.name.startswith('node') else 0.2)


def measure_row(clusters, row, rounds):
    for cluster in clusters.values():
        warm_up(cluster, row)
    results = rounds.run(row.name, {
        (kind, way): lambda c=cluster, w=way: WAYS[w](c, row, rounds.seconds)
        for way in WAYS for kind, cluster in clusters.items()}, limit=LIMIT)
    return {kind: {way: results[kind, way] for way in WAYS}
            for kind in clusters}


def measure_adapter(adapter, rows, rounds):
    clusters, results = {}, {}
    try:
        for kind in KINDS:
            clusters[kind] = Cluster(kind, adapter)
        for row in rows:
            bench.say(f'{adapter}, {row.name}: {row.what}')
            results[row.name] = measure_row(clusters, row, rounds)
            bench.say('    ' + cluster_page.in_short(results[row.name]))
    except Failed as why:
        rounds.failures.append(f'{adapter}: {why}')
        bench.say(f'    failed: {why}')
    finally:
        for cluster in clusters.values():
            cluster.stop()
    return results


def version_of(package):
    path = os.path.join(ROOT, 'node_modules', *package.split('/'),
                        'package.json')
    with open(path, encoding='utf-8') as text:
        return f'{package} {json.load(text)["version"]}'


def describe(args):
    meta = bench.describe(args)
    line = bench.said('redis-server', '--version').split()
    meta['Redis'] = next((w[2:] for w in line if w.startswith('v=')), '?')
    meta['Node'] = (f'{bench.said("node", "--version")} with ' + ', '.join(
        version_of(p) for p in (
            'socket.io', '@socket.io/redis-adapter',
            '@socket.io/redis-streams-adapter', 'redis')))
    return meta


def measure(args, rows):
    begin = time.monotonic()
    rounds = bench.Rounds(args.rounds, args.seconds)
    run = {'meta': describe(args), 'note': args.note, 'noise': NOISE,
           'adapters': {}}
    for adapter in args.adapter.split(','):
        run['adapters'][adapter] = measure_adapter(adapter, rows, rounds)
    run['meta']['took'] = f'{(time.monotonic() - begin) / 60:.1f} minutes'
    run.update(failures=rounds.failures, measured=rounds.measured,
               disturbed=rounds.disturbed)
    return run


def write_page(run):
    page = os.path.join(ROOT, 'docs', 'BENCHMARKS.md')
    with open(page, encoding='utf-8') as old:
        text = document.with_part(old.read(), cluster_page.NAME,
                                  cluster_page.part(run))
    bench.write(page, text)
    bench.say(f'written: {page}')


def arguments():
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument('--only', default='')
    ap.add_argument('--adapter', default=','.join(ADAPTERS))
    ap.add_argument('--rounds', type=int, default=5)
    ap.add_argument('--seconds', type=float, default=0.5)
    ap.add_argument('--note', default='')
    ap.add_argument('--page', metavar='FILE')
    args = ap.parse_args()
    if args.rounds < 1 or not 0.1 <= args.seconds <= 20:
        ap.error('--rounds is at least 1, --seconds 0.1 to 20')
    if set(args.adapter.split(',')) - set(ADAPTERS):
        ap.error('--adapter: ' + ', '.join(ADAPTERS))
    return args


def main():
    args = arguments()
    if args.page:
        with open(args.page, encoding='utf-8') as kept:
            write_page(json.load(kept))
        return 0
    only = [name for name in args.only.split(',') if name]
    rows = [r for r in cluster_page.ROWS if not only or r.name in only]
    for end in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(end, bench.interrupted)
    try:
        run = measure(args, rows)
    except KeyboardInterrupt:
        bench.say('interrupted')
        return 130
    finally:
        Server.stop_all()
    some = only or args.adapter != ','.join(ADAPTERS)
    bench.write(os.path.join(BUILD, 'bench', 'some-cluster.json' if some
                             else 'cluster.json'), json.dumps(run))
    print(cluster_page.tables(run))
    for failure in run['failures']:
        print('failed: ' + failure)
    if not some:
        write_page(run)
    return 1 if run['failures'] else 0


if __name__ == '__main__':
    sys.exit(main())
