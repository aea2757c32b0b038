// dynamic.test.mjs -- dynamic namespaces, many sockets at once, and the
// handshake, as the published client sees them.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { Manager } from "socket.io-client";
import { collect, next, PEER_IS_NODE, TestServer, until, untilNothingIsLeft } from "./harness.mjs";

const server = await TestServer.start();
const cleaning = await TestServer.start({ cleanup: 1 });

const namespaces = (client) => client.emitWithAck("namespaces");

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  const way = transports.join("+");

  test(`S64, S65, S181: a regular expression, emits to all children (${way})`, async () => {
    const root = await server.connect("/", { transports });
    const one = server.make("/dynamic-101", { transports });
    const other = server.make("/dynamic-102", { transports });
    const [[id]] = await Promise.all([next(one, "hello"), next(other, "hello")]);
    assert.equal(id, one.id);
    const heard = [next(one, "all"), next(other, "all")];
    const unheard = collect(root, "all");
    root.emit("all", 1, "2", { 3: "4" }, Buffer.from([5]));
    for (const args of await Promise.all(heard)) assert.deepEqual(args, [1, "2", { 3: "4" }, Buffer.from([5])]);
    one.emit("echo", "x");
    assert.deepEqual(await next(one, "echo"), ["x"]);
    assert.equal(unheard.length, 0);
    server.closeClients();
  });

  test(`S67: no rule says yes (${way})`, async () => {
    const client = server.make("/dynamic-x", { transports });
    const [error] = await next(client, "connect_error");
    assert.equal(error.message, "Invalid namespace");
    client.disconnect();
  });

  test(`S66, S69: two clients wait for one name of a function, and share it (${way})`, async () => {
    const gate = await server.connect("/", { transports: ["websocket"] });
    const before = await namespaces(gate);
    const clients = [server.make("/ask-" + way, { transports }), server.make("/ask-" + way, { transports })];
    const connected = clients.map((client) => next(client, "hello"));
    await until("both wait", async () => (await gate.emitWithAck("admit", 2)) === 2);
    await Promise.all(connected);
    assert.equal(await namespaces(gate), before + 1);
    const heard = clients.map((client) => next(client, "all"));
    gate.emit("all", "both");
    assert.deepEqual(await Promise.all(heard), [["both"], ["both"]]);
    server.closeClients();
  });
}

test("S43, S49: a URL without a path joins \"/\"; two clients of a namespace have two connections", async () => {
  const [a, b] = await Promise.all([server.connect(""), server.connect("")]);
  assert.notEqual(a.io.engine.id, b.io.engine.id);
  a.emit("echo", 1);
  assert.deepEqual(await next(a, "echo"), [1]);
  server.closeClients();
});

test("S70, S71: clean-up: a child goes with its last client, and can come back", async () => {
  const gate = await cleaning.connect();
  for (let round = 0; round < 3; round++) {
    const client = await cleaning.connect("/dynamic-1");
    assert.equal(await namespaces(gate), 1);
    client.disconnect();
    await until("it is gone", async () => (await namespaces(gate)) === 0);
  }
  cleaning.closeClients();
});

test("S72, S73: no clean-up: a child stays without clients, also after a refusal", async () => {
  const gate = await server.connect();
  const before = await namespaces(gate);
  const client = await server.connect("/dynamic-72");
  client.disconnect();
  const refused = server.make("/dynamic-73", { auth: { refuse: "x" } });
  await next(refused, "connect_error");
  assert.equal(await namespaces(gate), before + 2);
  server.closeClients();
});

test("S74, S75: clean-up after a refusal: when nobody else is in it", async () => {
  const gate = await cleaning.connect();
  const refused = cleaning.make("/dynamic-9", { auth: { refuse: "x" } });
  assert.equal((await next(refused, "connect_error"))[0].message, "refused");
  await until("it is gone", async () => (await namespaces(gate)) === 0);
  await cleaning.connect("/dynamic-9");
  const again = cleaning.make("/dynamic-9", { auth: { refuse: "x" } });
  await next(again, "connect_error");
  assert.equal(await namespaces(gate), 1);
  cleaning.closeClients();
});

test("several children on one connection; one left, the others go on", async () => {
  const connection = new Manager(server.url, { reconnection: false });
  const sockets = [1, 2, 3].map((n) => connection.socket(`/dynamic-${n}`));
  await Promise.all(sockets.map((socket) => next(socket, "hello")));
  sockets[0].disconnect();
  for (const socket of sockets.slice(1)) {
    socket.emit("echo", socket.id);
    assert.deepEqual(await next(socket, "echo"), [socket.id]);
  }
  for (const socket of sockets) socket.disconnect();
});

// ------------------------------------------------------------- many at once

test("S201, S202: fetching sockets: ids, rooms, data", async () => {
  await untilNothingIsLeft(server); // those of the tests before would be fetched, too
  const [a, b, c] = await Promise.all([server.connect(), server.connect(), server.connect()]);
  await b.emitWithAck("join", "room1");
  await c.emitWithAck("join", "room1");
  await c.emitWithAck("set-data", { name: "é", n: [1] });
  const all = await a.emitWithAck("fetch", "");
  assert.deepEqual(all.map(({ id }) => id).sort(), [a.id, b.id, c.id].sort());
  const some = await a.emitWithAck("fetch", "room1");
  const byId = (list) => list.sort((x, y) => (x.id < y.id ? -1 : 1)); // those of several loops are in no order
  assert.deepEqual(byId(some), byId([
    { id: b.id, rooms: [b.id, "room1"], data: {} },
    { id: c.id, rooms: [c.id, "room1"], data: { name: "é", n: [1] } },
  ]));
  server.closeClients();
});

test("S204, S205, S206, S207: joining and leaving of many", async () => {
  await untilNothingIsLeft(server); // those of the tests before would be fetched, too
  const [a, b, c] = await Promise.all([server.connect(), server.connect(), server.connect()]);
  const members = async (room) => (await a.emitWithAck("fetch", room)).map(({ id }) => id).sort();
  await a.emitWithAck("move", "", "all");
  assert.deepEqual(await members("all"), [a.id, b.id, c.id].sort());
  await a.emitWithAck("join", "room1");
  await b.emitWithAck("join", "room1");
  await a.emitWithAck("move", "room1", "room3");
  assert.deepEqual(await members("room3"), [a.id, b.id].sort());
  await b.emitWithAck("join", "room2");
  await a.emitWithAck("clear", "room2", "room1");
  assert.deepEqual(await members("room1"), [a.id]);
  await a.emitWithAck("clear", "", "all");
  assert.deepEqual(await members("all"), []);
  server.closeClients();
});

test("S208, S209: disconnecting many: those of a room, all", async () => {
  const [a, b, c] = await Promise.all([server.connect(), server.connect(), server.connect()]);
  await b.emitWithAck("join", "room2");
  const gone = next(b, "disconnect");
  a.emit("kick", "room2");
  assert.equal((await gone)[0], "io server disconnect");
  assert.ok(a.connected && c.connected);
  const last = [next(a, "disconnect"), next(c, "disconnect")];
  a.emit("kick", "");
  for (const [reason] of await Promise.all(last)) assert.equal(reason, "io server disconnect");
  server.closeClients();
});

// ---------------------------------------------------------------- handshake

for (const transports of [["polling"], ["websocket"]])
  test(`S112, S113, S114: the handshake, key by key in Node's order (${transports})`, async () => {
    const auth = { key1: "aa", key2: "&=bb" };
    const client = await server.connect("/", {
      transports, auth, query: { "&a": "&=?a", a: "2" }, extraHeaders: { "X-Test": "y", origin: "http://z" },
    });
    const before = Date.now();
    const handshake = await client.emitWithAck("handshake");
    assert.deepEqual(Object.keys(handshake),
      ["headers", "time", "address", "xdomain", "secure", "issued", "url", "query", "auth"]);
    assert.equal(handshake.headers["x-test"], "y");
    assert.equal(handshake.headers.host, `127.0.0.1:${server.port}`);
    assert.equal(handshake.address, "127.0.0.1");
    assert.equal(handshake.xdomain, true);
    assert.equal(handshake.secure, false);
    assert.ok(Math.abs(handshake.issued - before) < 20000);
    assert.ok(Math.abs(Date.parse(handshake.time) - handshake.issued) < 1000, handshake.time);
    if (!PEER_IS_NODE) assert.match(handshake.time, /^\w{3} \w{3} \d\d \d{4} \d\d:\d\d:\d\d GMT\+0000 \(Coordinated Universal Time\)$/);
    assert.match(handshake.url, /^\/socket\.io\/\?.*EIO=4/);
    const expected = Object.fromEntries(new URL(handshake.url, "http://x").searchParams);
    assert.deepEqual(handshake.query, expected);
    assert.equal(handshake.query["&a"], "&=?a");
    assert.equal(handshake.query.EIO, "4");
    assert.deepEqual(handshake.auth, auth);
    server.closeClients();
  });

test("the server processes end with status 0 and nothing on stderr", async () => {
  await server.stop();
  await cleaning.stop();
});
