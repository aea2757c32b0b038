// lifecycle.test.mjs -- leaving from either side with its reason, heartbeats
// that stop, reconnection, and a server that stops.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { WebSocket } from "ws";
import { collect, next, PEER_IS_NODE, Polling, TestServer, until, within } from "./harness.mjs";

const server = await TestServer.start();
const WAYS = [["polling"], ["websocket"], ["polling", "websocket"]];

// The reason that the server had for `id`, told to /watch.
async function reasonFor(gone, id) {
  await until(`the server says that ${id} is gone`, () => gone.some(([other]) => other === id));
  return gone.find(([other]) => other === id)[1];
}

for (const transports of WAYS) {
  const way = transports.join("+");

  test(`the client disconnects (${way})`, async () => {
    const gone = collect(await server.watch(), "gone");
    const client = await server.connect("/", { transports });
    const { id } = client;
    const left = next(client, "disconnect");
    client.disconnect();
    assert.deepEqual((await left)[0], "io client disconnect");
    // The official client closes its connection right behind the packet.
    assert.match(await reasonFor(gone, id), /^(client namespace disconnect|transport close)$/);
    server.closeClients();
  });

  test(`the server disconnects one namespace (${way})`, async () => {
    const gone = collect(await server.watch(), "gone");
    const client = await server.connect("/", { transports });
    const { id } = client;
    const left = next(client, "disconnect");
    client.emit("bye", false);
    assert.equal((await left)[0], "io server disconnect");
    assert.equal(await reasonFor(gone, id), "server namespace disconnect");
    server.closeClients();
  });

  test(`S46, S138: the server closes the connection, all its namespaces leave (${way})`, async () => {
    const watcher = await server.watch();
    const gone = collect(watcher, "gone");
    const root = await server.connect("/", { transports });
    const admin = root.io.socket("/admin", { auth: { token: "secret" } });
    await next(admin, "connect");
    const ids = [root.id, admin.id];
    const left = Promise.all([next(root, "disconnect"), next(admin, "disconnect")]);
    root.emit("bye", true);
    assert.deepEqual((await left).map(([reason]) => reason), ["io server disconnect", "io server disconnect"]);
    for (const id of ids) assert.equal(await reasonFor(gone, id), "server namespace disconnect");
    server.closeClients();
  });

  test(`the connection breaks (${way})`, async () => {
    const gone = collect(await server.watch(), "gone");
    const client = await server.connect("/", { transports });
    const { id } = client;
    if (client.io.engine.transport.name !== transports.at(-1)) await next(client.io.engine, "upgrade");
    client.io.engine.close();
    assert.equal(await reasonFor(gone, id), "transport close");
    server.closeClients();
  });
}

test("S47: rooms are there while leaving", async () => {
  const going = collect(await server.watch(), "going");
  const client = await server.connect();
  const { id } = client;
  await client.emitWithAck("join", "a");
  client.disconnect();
  await until("the server says that it is going", () => going.some(([other]) => other === id));
  assert.equal(going.find(([other]) => other === id)[1], 2);
  server.closeClients();
});

test("an event after the server's disconnect is not handled, the other namespace goes on", async () => {
  const root = await server.connect("/", { transports: ["websocket"] });
  const admin = root.io.socket("/admin", { auth: { token: "secret" } });
  await next(admin, "connect");
  root.emit("bye", false);
  await next(root, "disconnect");
  admin.emit("echo", 1);
  assert.deepEqual(await next(admin, "echo"), [1]);
  server.closeClients();
});

test("S127: an event followed at once by a disconnect is dropped", async () => {
  const ws = new WebSocket(`ws://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=websocket`);
  const frames = collect(ws, "message");
  await next(ws, "open");
  ws.send("40");
  await frames.until(2);
  ws._socket.cork(); // one segment
  ws.send('42["echo","too late"]');
  ws.send("41");
  ws.send("40");
  ws._socket.uncork();
  ws.send('42["echo","again"]');
  const text = () => frames.map(([data]) => data.toString()).join(" ");
  if (PEER_IS_NODE) await next(ws, "close"); // it closes on a quick 41, 40
  else await until("the second connection answers", () => text().includes('42["echo","again"]'));
  assert.doesNotMatch(text(), /too late/);
  ws.terminate();
});

for (const transports of [["polling"], ["websocket"]]) {
  test(`E53: a server that goes silent is noticed by the client (${transports})`, async () => {
    const quick = await TestServer.start({ pingInterval: 200, pingTimeout: 200 });
    const client = await quick.connect("/", { transports });
    await client.emitWithAck("ack");
    process.kill(quick.pid, "SIGSTOP");
    try {
      const [reason] = await next(client, "disconnect", 3000);
      assert.equal(reason, "ping timeout");
    } finally {
      process.kill(quick.pid, "SIGCONT");
    }
    await until("the server has noticed it too", async () => (await quick.stats()).sockets === 1);
    await quick.stop();
  });

  test(`heartbeats keep an idle session alive (${transports})`, async () => {
    const quick = await TestServer.start({ pingInterval: 50, pingTimeout: 500 });
    const client = await quick.connect("/", { transports });
    const pings = collect(client.io.engine, "ping");
    await pings.until(5);
    assert.equal(client.connected, true);
    assert.equal(await client.emitWithAck("ack", 1), 1);
    await quick.stop();
  });
}

test("E51: a WebSocket client that answers no ping is gone after pingInterval + pingTimeout", async () => {
  const quick = await TestServer.start({ pingInterval: 100, pingTimeout: 150 });
  const gone = collect(await quick.watch(), "gone");
  const ws = new WebSocket(`ws://127.0.0.1:${quick.port}/socket.io/?EIO=4&transport=websocket`);
  const began = Date.now();
  await next(ws, "open");
  ws.send("40");
  await gone.until(1);
  assert.equal(gone[0][1], "ping timeout");
  assert.ok(Date.now() - began >= 240, `not before its time: ${Date.now() - began} ms`);
  ws.terminate();
  await quick.stop();
});

test("E51: a polling client that polls but answers no ping is gone, its poll gets a close packet", async () => {
  const quick = await TestServer.start({ pingInterval: 100, pingTimeout: 150 });
  const gone = collect(await quick.watch(), "gone");
  const session = await Polling.open(quick);
  assert.equal((await session.poll()).body, "2");
  assert.equal((await session.poll()).body, "1");
  assert.equal((await session.poll()).body, '{"code":1,"message":"Session ID unknown"}');
  await gone.until(1);
  assert.equal(gone[0][1], "ping timeout");
  await quick.stop();
});

test("E52: a polling client that vanished is gone after a ping timeout", async () => {
  const quick = await TestServer.start({ pingInterval: 100, pingTimeout: 100 });
  const gone = collect(await quick.watch(), "gone");
  await Polling.open(quick);
  await gone.until(1);
  assert.equal(gone[0][1], "ping timeout");
  await quick.stop();
});

test("S58: a connection that joins no namespace is closed after connectTimeout", async () => {
  const quick = await TestServer.start({ connectTimeout: 100 });
  const ws = new WebSocket(`ws://127.0.0.1:${quick.port}/socket.io/?EIO=4&transport=websocket`);
  await next(ws, "close", 2000);
  const session = await Polling.open(quick, { connect: false });
  const { status, body } = await session.poll();
  assert.deepEqual([status, body], [200, "1"]);

  // One that has joined in time stays.
  const client = await quick.connect("/", { transports: ["polling"] });
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(await client.emitWithAck("ack", 1), 1);
  await quick.stop();
});

for (const transports of WAYS) {
  test(`S118: the server starts anew on the same port and the client comes back (${transports.join("+")})`, async () => {
    const first = await TestServer.start();
    const client = await first.connect("/", { transports, reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50 });
    const { id } = client;
    const left = next(client, "disconnect");
    await first.program.stop();
    assert.match((await left)[0], /^transport (close|error)$/);
    client.emit("echo", "kept while away");

    const second = await TestServer.start({}, first.port);
    const [text] = await next(client, "echo", 5000);
    assert.equal(text, "kept while away");
    assert.notEqual(client.id, id);
    assert.equal(await client.emitWithAck("ack", 2), 2);
    client.disconnect();
    await second.stop();
  });
}

test("S77: broken off and connected again by hand: one connect", async () => {
  const client = await server.connect();
  const connects = collect(client, "connect");
  const left = next(client, "disconnect");
  client.io.engine.close();
  await left;
  client.connect();
  await connects.until(1);
  await client.emitWithAck("ack");
  assert.equal(connects.length, 1);
  server.closeClients();
});

test("S78: a server that has closed: the attempts end once", async () => {
  const other = await TestServer.start();
  const client = await other.connect("/", { reconnection: true, reconnectionAttempts: 2, reconnectionDelay: 10 });
  const attempts = collect(client.io, "reconnect_attempt");
  const failures = collect(client.io, "reconnect_failed");
  await other.program.stop();
  await failures.until(1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual([attempts.length, failures.length], [2, 1]);
});

test("S27, S28: after closing the client is gone and the port can be listened on at once", async () => {
  const other = await TestServer.start();
  const clients = await Promise.all(WAYS.map((transports) => other.connect("/", { transports })));
  const gone = Promise.all(clients.map((client) => next(client, "disconnect")));
  await other.program.stop();
  await gone;
  const again = await TestServer.start({}, other.port);
  assert.equal((await again.connect()).connected, true);
  await again.stop();
});

test("E85, S31: a server that stops tells its clients, and its process ends in bounded time", async () => {
  const other = await TestServer.start();
  const clients = await Promise.all(WAYS.map((transports) => other.connect("/", { transports })));
  const idle = await other.connect("/watch", { transports: ["websocket"] });
  const gone = Promise.all(clients.map((client) => next(client, "disconnect")));
  const began = Date.now();
  await other.program.stop();
  for (const [reason] of await gone) assert.match(reason, /^transport (close|error)$/);
  await until("the idle one is gone too", () => !idle.connected);
  assert.ok(Date.now() - began < 4000, `took ${Date.now() - began} ms`);
});

test("questions that nobody has answered yet do not outlive a server that stops", async () => {
  const other = await TestServer.start();
  const [asked, asking] = [await other.connect(), await other.connect()];
  await asked.emitWithAck("join", "x");
  const questions = collect(asked, "question");
  asking.emit("ask-room", "x", 60000, () => {});
  asked.emit("ask", 60000, "question", () => {});
  asked.emit("ask", 0, "question", () => {});
  await questions.until(3);
  await other.stop();
});

test("E86: a server stops in bounded time amid an upgrade, a half request and a client that says nothing", async () => {
  const other = await TestServer.start();
  const session = await Polling.open(other);
  const ws = new WebSocket(`ws://127.0.0.1:${other.port}/socket.io/?EIO=4&transport=websocket&sid=${session.handshake.sid}`);
  await next(ws, "open");
  ws.send("2probe");
  await next(ws, "message");
  const half = connect(other.port, "127.0.0.1");
  half.write("GET /socket.io/?EIO=4 HTTP/1.1\r\nHost:");
  const deaf = connect(other.port, "127.0.0.1");
  deaf.write("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  await next(deaf, "data");
  for (const socket of [half, deaf]) socket.on("error", () => {});
  await within(4000, "end of the server", other.program.stop());
  for (const socket of [half, deaf]) socket.destroy();
  ws.terminate();
});

for (const transports of WAYS)
  test(`a server stops, listens again, and its clients come back (${transports.join("+")})`, async () => {
    const other = await TestServer.start();
    const clients = await Promise.all([1, 2, 3].map(() => other.connect("/", { transports, reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 200 })));
    const ids = clients.map(({ id }) => id);
    const last = transports.at(-1);
    for (let round = 0; round < 2; round++) {
      // A client amid an upgrade has paused its polling: it may not see the end before its ping is overdue.
      await until("the upgrade", () => clients.every(({ io }) => io.engine.transport.name === last && !io.engine.upgrading));
      const left = clients.map((client) => next(client, "disconnect"));
      const back = clients.map((client) => next(client, "connect"));
      clients[0].emit("restart");
      for (const [reason] of await Promise.all(left)) assert.match(reason, /^transport (close|error)$/);
      await Promise.all(back);
      for (const client of clients) {
        assert.ok(!ids.includes(client.id));
        client.emit("echo", round);
        assert.deepEqual(await next(client, "echo"), [round]);
      }
    }
    other.closeClients();
    await other.stop();
  });

test("S228: nothing is left of all the clients that came and went", async () => {
  server.closeClients();
  await until("only the one that asks", async () => (await server.stats()).sockets === 1);
});

test("the server process ends with status 0 and nothing on stderr", () => server.stop());
