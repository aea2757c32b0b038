#!/usr/bin/env python3
"""What an idle client costs: memory of a server while many are connected and
after they have left; and how fast a server is there, and how large.

    memory.py [-n CLIENTS] [-s SERVER] [-b BUILD] [KIND ..]

    kinds: websocket polling tls        servers: libsio node (without tls)

One line of JSON per kind: RSS at the start, with all clients and after them
(bytes), the bytes that each client has added, and milliseconds from exec() to
the first answer. Each client is a Socket.IO client that has joined "/" and then
says nothing; that of polling has a GET waiting. Clients of TLS are fewer, for
their own memory: -t. The TLS certificate is build/certs (tests/certs.sh).

Everything is on the loopback interface. RLIMIT_NOFILE must allow for CLIENTS
descriptors, here and in the server.

SPDX-License-Identifier: MIT
"""
import argparse
import json
import os
import signal
import socket
import ssl
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BATCH = 64    # clients that are on their way in at once
SETTLE = 30   # seconds to wait at most for RSS to stay
TIMEOUT = 20  # seconds to wait at most for an answer
FIELDS = ('Host: 127.0.0.1:{port}\r\nUser-Agent: memory.py\r\n'
          'Accept: */*\r\n')
UPGRADE = ('Upgrade: websocket\r\nConnection: Upgrade\r\n'
           'Sec-WebSocket-Version: 13\r\n'
           'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n')


def command(server, build, tls):
    """Without pings: they are not what is measured."""
    if server == 'node':
        if tls:
            raise SystemExit('node/server.js does not speak TLS')
        return ['node', f'{HERE}/node/server.js', '0', '3600000']
    args = [f'{ROOT}/build/{build}/servers/conformance', 'protocol-sio', '0',
            'pingInterval=3600000', 'pingTimeout=3600000']
    if tls:
        args += [f'tlsCert={ROOT}/build/certs/server.pem',
                 f'tlsKey={ROOT}/build/certs/server.key']
    return args


class Server:
    def __init__(self, name, build, tls):
        begin = time.monotonic()
        self.process = subprocess.Popen(command(name, build, tls),
                                        stdout=subprocess.PIPE, text=True)
        try:
            self.port = int(self.process.stdout.readline().split()[1])
            self.tls = tls and context()
            probe = Client(self)
            probe.send(request(self, 'GET', 'polling'))
            probe.read_until(b'"sid"')
            self.start_ms = (time.monotonic() - begin) * 1000
            probe.close()
        except BaseException:
            self.stop()
            raise

    def rss(self):
        with open(f'/proc/{self.process.pid}/statm') as f:
            return int(f.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')

    def settled_rss(self):
        """RSS once it has not changed for three seconds, or after SETTLE."""
        before, now = -1, self.rss()
        end = time.monotonic() + SETTLE
        while before != now and time.monotonic() < end:
            time.sleep(3)
            before, now = now, self.rss()
        return now

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Client:
    """A blocking connection; replies are read up to a text in them."""

    def __init__(self, server):
        # More than one source address: the ports of one might not do.
        source = f'127.0.0.{1 + Client.count // 20000}'
        Client.count += 1
        self.socket = socket.create_connection(('127.0.0.1', server.port),
                                               TIMEOUT, (source, 0))
        if server.tls:
            self.socket = server.tls.wrap_socket(self.socket)
        self.got = b''

    count = 0

    def send(self, data):
        self.socket.sendall(data)

    def read_until(self, text):
        while text not in self.got:
            more = self.socket.recv(65536)
            if not more:
                raise SystemExit(f'closed before {text}: {self.got}')
            self.got += more
        got, self.got = self.got, b''
        return got

    def close(self):
        self.socket.close()


def context():
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    return c


def request(server, method, transport, sid='', more='', body=''):
    sid = sid and f'&sid={sid}'
    length = f'Content-Length: {len(body)}\r\n' if method == 'POST' else ''
    return (f'{method} /socket.io/?EIO=4&transport={transport}{sid} HTTP/1.1'
            f'\r\n{FIELDS.format(port=server.port)}{more}{length}\r\n{body}'
            ).encode()


def join_websockets(server, n):
    clients = [Client(server) for _ in range(n)]
    for c in clients:
        c.send(request(server, 'GET', 'websocket', more=UPGRADE))
    for c in clients:
        c.read_until(b'"maxPayload"')
        c.send(b'\x81\x82\0\0\0\x0040')  # CONNECT to "/", masked with zeros
    for c in clients:
        c.read_until(b'"sid"')
    return clients


def join_polling(server, n):
    clients = [Client(server) for _ in range(n)]
    for c in clients:
        c.send(request(server, 'GET', 'polling'))
    for c in clients:
        c.sid = c.read_until(b'}').decode().split('"sid":"')[1].split('"')[0]
        c.send(request(server, 'POST', 'polling', c.sid, body='40'))
    for c in clients:
        c.read_until(b'\r\n\r\nok')
        c.send(request(server, 'GET', 'polling', c.sid))
    for c in clients:
        c.read_until(b'}')
        # What the server's program says to a newcomer may come apart.
        c.send(request(server, 'GET', 'polling', c.sid))
    return clients


def measure(kind, n, build='release', name='libsio'):
    server = Server(name, build, kind == 'tls')
    try:
        return measure_server(server, kind, n)
    finally:
        server.stop()


def measure_server(server, kind, n):
    join = join_polling if kind == 'polling' else join_websockets
    clients = join(server, 2 * BATCH)
    for c in clients:
        c.close()
    start = server.settled_rss()
    clients = []
    while len(clients) < n:
        clients += join(server, min(BATCH, n - len(clients)))
    full = server.settled_rss()
    for c in clients:
        c.close()
    after = server.settled_rss()
    return {'kind': kind, 'clients': n, 'start': start, 'full': full,
            'after': after, 'each': round((full - start) / n),
            'start_ms': round(server.start_ms, 1)}


def measure_start(build='release', name='libsio'):
    """Milliseconds to the first answer, and bytes of RSS just then."""
    server = Server(name, build, False)
    try:
        return {'ms': server.start_ms, 'rss': server.rss()}
    finally:
        server.stop()


def main():
    p = argparse.ArgumentParser()
    p.add_argument('-n', type=int, default=10000)
    p.add_argument('-t', type=int, default=2000, help='clients of TLS')
    p.add_argument('-b', default='release', help='build')
    p.add_argument('-s', default='libsio', choices=['libsio', 'node'])
    p.add_argument('kinds', nargs='*', default=['websocket', 'polling', 'tls'])
    a = p.parse_args()
    for kind in a.kinds:
        n = a.t if kind == 'tls' else a.n
        print(json.dumps(measure(kind, n, a.b, a.s)), flush=True)


if __name__ == '__main__':
    main()
