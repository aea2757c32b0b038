"""What does not fit in a row of three servers: memory, start, two loops, how
long a broadcast keeps the loop, instructions and system calls.

Each function returns what is kept in run.json, and raises Failed.

SPDX-License-Identifier: MIT
"""
import os
import signal
import subprocess
import tempfile
import time

import instructions
import memory
from servers import (CORES, LOAD_CORE, SERVERS, SIOLOAD, Failed, Server, load,
                     pinned, quiet_load)

CLIENTS, TLS_CLIENTS = 10000, 2000
MEMBERS = 9000       # of the broadcast
PROBES = 10          # clients that echo meanwhile
WORK = 'work=50000'  # turns of a loop per event
# What the tools that are called here end with when they cannot measure.
TROUBLE = (OSError, IndexError, SystemExit, subprocess.SubprocessError)
COUNTED = ['echo32', 'echo32-d16', 'ack32-d16', 'bcast32-w8', 'poll32',
           'upgrade', 'churn']
PROFILED = {'upgrade': 14, 'churn': 14}  # functions that are shown
MISSED = 'echo32-c1000'  # whose misses of the first cache are counted
MISSES_SHOWN = 12  # functions


def memory_once(say):
    """{'libsio websocket': {...}, ...}; one round, since RSS is steady."""
    results = {}
    for name, kinds in (('libsio', ('websocket', 'polling', 'tls')),
                        ('node', ('websocket', 'polling'))):
        for kind in kinds:
            say(f'    {name}, {kind}')
            n = TLS_CLIENTS if kind == 'tls' else CLIENTS
            try:
                results[f'{name} {kind}'] = memory.measure(kind, n, name=name)
            except TROUBLE as why:
                raise Failed(f'{name} {kind}: {why}') from None
    return results


def start_round():
    try:
        return {name: memory.measure_start(name=name)
                for name in ('libsio', 'node')}
    except TROUBLE as why:
        raise Failed(f'start: {why}') from None


def loops_round(seconds):
    """Events a second of one loop and of two, whose handlers work."""
    if len(CORES) < 2:
        raise Failed('two loops need two cores')
    results = {}
    for loops in (1, 2):
        cores = CORES[:loops]
        server = Server('libsio', [f'loops={loops}', WORK], cores)
        # On two cores the generator shares the second one with a loop.
        other = [CORES[2]] if len(CORES) > 2 else [LOAD_CORE]
        try:
            results[str(loops)] = quiet_load(
                server, 'echo -c 100 -s 32 --event work', seconds, other)
        finally:
            server.stop()
    return results


def descriptors(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


def asked(server):
    """Since the last time: how long the loop was held at most, and how long it
    computed at most (us); how often it came by; events that have left."""
    os.kill(server.pid, signal.SIGUSR1)
    words = server.line(10).split()
    if len(words) != 5 or words[0] != 'held':
        raise Failed('held: the server does not say')
    return float(words[1]), float(words[2]), int(words[3]), int(words[4])


def held_round(seconds):
    """Broadcasts to MEMBERS, one at a time, while others echo."""
    server = Server('libsio', ['held=1', 'namespaces=1'])
    sender = None
    try:
        sender = subprocess.Popen(
            pinned([SIOLOAD] + f'broadcast -c {MEMBERS} -s 32 --burst 256 '
                   f'--warm 0.2 --secs 30 --limit 40 '
                   f'--port {server.port} --pid {server.pid}'.split(),
                   [LOAD_CORE]),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while descriptors(server.pid) < MEMBERS:
            if sender.poll() is not None or time.monotonic() > end:
                raise Failed('held: the members do not come')
            time.sleep(0.05)
        time.sleep(0.5)
        asked(server)
        echoes = load(server, f'echo -c {PROBES} --namespaces 1 --rate 500 '
                      '--stall 30', seconds, idle=False)
        wall, cpu, turns, events = asked(server)
        if events < 2 * MEMBERS + echoes['msgs']:
            raise Failed('held: there were no broadcasts meanwhile')
        return {'held_us': wall, 'cpu_us': cpu, 'turns': turns,
                'events': events, 'echoes': echoes}
    finally:
        if sender:
            sender.kill()
            sender.wait()
        server.stop()


def instructions_once(say):
    """{config: {'Ir': .., 'calls': {name: per event}}}"""
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for config in COUNTED:
            say(f'    {config}')
            try:
                ir = instructions.costs(config, instructions.callgrind, folder)
                profile = instructions.top(config, PROFILED.get(config, 0),
                                           folder)
                calls = instructions.costs(config, instructions.strace, folder)
            except TROUBLE as why:
                raise Failed(f'instructions: {why}') from None
            results[config] = {'Ir': ir['Ir'], 'calls': calls,
                               'profile': profile}
    return results


def misses_once(say):
    """{server: {'misses': per event, 'profile': [(function, misses)]}}"""
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ('floor', 'libsio'):
            say(f'    {MISSED}, {name}')
            try:
                each = instructions.costs(MISSED, instructions.misses, folder,
                                          SERVERS[name][0])
                profile = instructions.top(MISSED, MISSES_SHOWN, folder,
                                           'D1mr,D1mw')
            except TROUBLE as why:
                raise Failed(f'misses: {why}') from None
            results[name] = {'misses': each['misses'], 'profile': profile}
    return results
