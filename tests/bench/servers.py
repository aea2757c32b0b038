"""The servers that are measured, each pinned to one core, and the generator
that loads them, on another one.

SPDX-License-Identifier: MIT
"""
import json
import os
import select
import signal
import subprocess
import time

from figures import NOISE, noise

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, 'build')
SIOLOAD = os.path.join(BUILD, 'bench', 'sioload')
CERTS = os.path.join(BUILD, 'certs')
TRIES = 3  # until it was quiet
READY = 10  # seconds for a server to say that it is
LOAD = 60  # seconds for one measurement

# Each prints "ready PORT".
SERVERS = {
    'floor': [f'{BUILD}/bench/cfloor', '0'],
    'node': ['node', 'node/server.js', '0'],
    'libsio': [f'{BUILD}/release/servers/bench', '0'],
}

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[1 % len(CORES)]


class Failed(Exception):
    """What could not be measured, and why."""


def pinned(command, cores):
    """cores: a list, or None: wherever the kernel likes."""
    if cores is None:
        return command
    return ['taskset', '-c', ','.join(map(str, cores))] + command


class Server:
    """A process that runs until stop(). Not those of anybody else."""

    running = set()

    def __init__(self, name, args=(), cores=(SERVER_CORE,)):
        self.name = name
        self.process = subprocess.Popen(
            pinned(SERVERS[name] + list(args), cores), cwd=HERE,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        Server.running.add(self)
        line = self.line(READY).split()
        if len(line) != 2 or line[0] != 'ready':
            self.stop()
            raise Failed(f'{name} does not start: is it built?')
        self.port = int(line[1])

    @property
    def pid(self):
        return self.process.pid

    def line(self, seconds):
        """The next line that it prints, or ''."""
        got, end = b'', time.monotonic() + seconds
        out = self.process.stdout.fileno()
        while not got.endswith(b'\n') and time.monotonic() < end:
            if select.select([out], [], [], 0.1)[0]:
                more = os.read(out, 4096)
                if not more:
                    break
                got += more
        return got.decode(errors='replace')

    def cpu(self):
        """Seconds that it has computed so far."""
        return time.clock_gettime(_cpu_clock(self.pid))

    def wait_idle(self, limit=5):
        """Until it has done with clients that have left."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            before = self.cpu()
            time.sleep(0.05)
            if self.cpu() - before < 0.001:
                return

    def stop(self):
        Server.running.discard(self)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    @staticmethod
    def stop_all():
        for server in list(Server.running):
            server.stop()


def _cpu_clock(pid):
    """The clock id of a process: what clock_getcpuclockid() computes."""
    return (~pid << 3) | 2


def load(server, args, seconds, cores=(LOAD_CORE,), idle=True):
    """One measurement. args: of sioload, in one string. idle: begin once the
    server has nothing to do.

    Raises Failed when a single reply was lost, doubled, wrong or misdirected.
    """
    words = args.split()
    for name, value in (('--warm', '0.3'), ('--secs', str(seconds)),
                        ('--settle', '0.1'), ('--limit', str(LOAD - 5))):
        if name not in words:
            words += [name, value]
    command = pinned([SIOLOAD] + words + ['--port', str(server.port),
                                          '--pid', str(server.pid)], cores)
    if idle:
        server.wait_idle()
    try:
        run = subprocess.run(command, capture_output=True, text=True,
                             errors='replace', timeout=LOAD, check=False)
        result = json.loads(run.stdout)
    except subprocess.TimeoutExpired:
        raise Failed(f'{server.name}: not done in {LOAD} s') from None
    except ValueError:
        raise Failed(f'{server.name}: {run.stderr.strip()[:200]}') from None
    if not result['ok']:
        raise Failed(f'{server.name}: {run.stderr.strip()[:200]} '
                     f'{result["errors"]}')
    return result


def quiet_load(server, args, seconds, cores=(LOAD_CORE,)):
    """Again while others disturb it; the quietest of TRIES."""
    best = None
    for _ in range(TRIES):
        result = load(server, args, seconds, cores)
        if best is None or noise(result) < noise(best):
            best = result
        if noise(best) <= NOISE:
            break
    return best
