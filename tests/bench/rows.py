"""What is measured: one Row per line of the table, with its goals. See
issue 5 for where the goals come from; README.md for what each row does.

SPDX-License-Identifier: MIT
"""


class Row:
    """The same load on the floor, on Node and on libsio.

    floor, node   the goals: libsio is at most `floor` times the floor, and
                  Node at least `node` times libsio; None: there is no goal
    warm          what a server does first, unmeasured; else the same load
    """

    def __init__(self, name, what, load, floor=None, node=None, warm=None,
                 per='event'):
        self.name, self.what, self.load = name, what, load
        self.floor, self.node, self.per = floor, node, per
        self.warm = warm or load


ROWS = [
    Row('echo32', 'echo, 32 B, 100 clients', 'echo -c 100 -s 32', 1.10, 3),
    Row('echo1k', 'echo, 1 KiB, 100 clients', 'echo -c 100 -s 1024', 1.10,
        4.5),
    Row('echo32-c1000', 'echo, 32 B, 1,000 clients', 'echo -c 1000 -s 32',
        1.10, 3),
    Row('echo1k-c1000', 'echo, 1 KiB, 1,000 clients', 'echo -c 1000 -s 1024',
        1.10, 4.5),
    Row('echo32-d16', 'echo, 32 B, 16 in flight', 'echo -c 100 -s 32 -d 16',
        1.7, 20),
    Row('echo1k-d16', 'echo, 1 KiB, 16 in flight',
        'echo -c 100 -s 1024 -d 16', 1.7, 20),
    Row('ack32', 'ack, 32 B', 'ack -c 100 -s 32'),
    Row('ack32-d16', 'ack, 32 B, 16 in flight', 'ack -c 100 -s 32 -d 16',
        1.7, 20),
    Row('bin1k', 'binary, 1 KiB', 'binary -c 100 -s 1024', 1.3, 5),
    Row('obj256', 'small object, 256 B', 'echo -c 100 -s 256 --object', 1.3,
        3.8),
    Row('bcast32', 'broadcast to 1,000, one at a time',
        'broadcast -c 1000 -s 32', 1.08, 1.9, per='delivery'),
    Row('bcast32-w8', 'broadcast to 1,000, 8 outstanding',
        'broadcast -c 1000 -s 32 -d 8', 0.28, 6.5, per='delivery'),
    Row('poll32', 'long-polling echo, 32 B', 'polling -c 100 -s 32', 1.5,
        5.5),
    Row('upgrade', 'connect by polling, upgrade, echo, close',
        'upgrade -c 100 -n 2000', 1.6, 10, per='client'),
    Row('churn', 'connect by WebSocket, close', 'churn -c 50 -n 5000', 1.6,
        8, per='client'),
]


class Point:
    """One place of a plot: a server (its arguments) and a load at x."""

    def __init__(self, curve, x, load, args=(), server='libsio'):
        self.curve, self.x, self.load = curve, x, load
        self.args, self.server = tuple(args), server

    @property
    def name(self):
        return f'{self.curve}/{self.x}'


class Series:
    """A plot: curves over x. `figure` is what of a measurement is shown: 'cpu'
    (microseconds of the server per event) or 'p99' (of the round trips)."""

    def __init__(self, name, what, x_label, y_label, points, figure='cpu',
                 y_log=False):
        self.name, self.what = name, what
        self.x_label, self.y_label = x_label, y_label
        self.points, self.figure, self.y_log = points, figure, y_log


SENDERS = 100           # clients that send, where others are idle
SPREAD_CLIENTS = 100    # clients over which rooms are spread
RATE = 20000            # events a second of all clients together
CERTIFICATE = ('tlsCert={certs}/server.pem', 'tlsKey={certs}/server.key')
SIZES = (32, 256, 1024, 4096, 16384, 65536)


def connections_series(most):
    """most: connections that both sides may have open."""
    counts = [n for n in (1, 100, 1000, 5000) if n < most] + [most - SENDERS]
    return Series(
        'connections', 'CPU per event beside idle connections',
        'idle connections', 'CPU µs per event',
        [Point(server, n, f'echo -c {n + SENDERS} --active {SENDERS} -s 32 '
               '--burst 256', server=server)
         for server in ('libsio', 'floor') for n in counts])


def latency_series(most):
    counts = [n for n in (100, 1000, 5000) if n < most] + [most]
    return Series(
        'latency', f'Round trips at {RATE:,} events a second', 'connections',
        'p99, µs',
        [Point(server, n, f'echo -c {n} -s 32 --rate {RATE} --burst 256',
               server=server)
         for server in ('libsio', 'floor') for n in counts], 'p99')


def rooms_series(_):
    return Series(
        'rooms', 'CPU per event to a room, each time another one', 'rooms',
        'CPU µs per event',
        [Point('libsio', n, f'echo -c {SPREAD_CLIENTS} -s 32 --event room',
               [f'rooms={n // SPREAD_CLIENTS}'])
         for n in (100, 1000, 10000, 100000)])


def namespaces_series(_):
    return Series(
        'namespaces', 'CPU per event in a namespace', 'namespaces',
        'CPU µs per event',
        [Point('libsio', n, f'echo -c 1000 -s 32 --namespaces {n}',
               [f'namespaces={n}'])
         for n in (1, 10, 100, 1000, 10000)])


def sizes_series(_):
    return Series(
        'sizes', 'CPU per echo: plain, over TLS, compressed',
        'payload, bytes', 'CPU µs per event',
        [Point(curve, n, f'echo -c 20 -s {n} --words {more}', args)
         for curve, more, args in (('plain', '', ()),
                                   ('TLS', '--tls', CERTIFICATE),
                                   ('deflate', '--deflate', ('deflate=1',)))
         for n in SIZES], y_log=True)


SERIES = {
    'connections': connections_series,
    'latency': latency_series,
    'rooms': rooms_series,
    'namespaces': namespaces_series,
    'sizes': sizes_series,
}

# What is measured in ways of its own: see special.py.
SPECIAL = {
    'memory': 'RSS per idle client: WebSocket, long-polling, TLS',
    'start': 'start to the first answer, and RSS then',
    'loops': 'two event loops on two cores beside one',
    'held': 'how long a broadcast to 9,000 keeps the loop',
    'instructions': 'instructions and system calls per event',
    'misses': 'lines that the caches lack, per echo of 1,000 clients',
}
