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
