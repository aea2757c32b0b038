// eio3.test.mjs -- the clients of the day before: socket.io-client 2 and
// engine.io-client 3, as published, against a server that allows them.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { after, test } from "node:test";
import engine3 from "engine.io-client-3";
import io2 from "socket.io-client-2";
import { BUILD, collect, next, PEER_IS_NODE, startProgram, TestServer, until } from "./harness.mjs";

const server = await TestServer.start({ eio3: 1 });
const ways = [["polling"], ["websocket"], ["polling", "websocket"]];
const clients = [];

after(() => server.stop());

function make(namespace = "/", options = {}) {
  const client = io2(server.url + namespace, { forceNew: true, reconnection: false, ...options });
  clients.push(client);
  return client;
}

async function connect(namespace, options) {
  const client = make(namespace, options);
  await next(client, "connect");
  return client;
}

const ask = (client, ...args) => new Promise((resolve) => client.emit(...args, (...answer) => resolve(answer)));

for (const transports of ways) {
  const name = transports.join(" to ");

  test(`S171: Socket.IO 2, ${name}: connects, and both know its id`, async () => {
    const client = await connect("/", { transports });
    const [who] = await ask(client, "whoami");
    assert.equal(who.id, client.id);
    assert.equal(client.id, client.io.engine.id);
    client.close();
  });

  test(`Socket.IO 2, ${name}: events and acknowledgements, text and binary`, async () => {
    const client = await connect("/", { transports });
    const echoes = collect(client, "echo");
    client.emit("echo", "h\u20ac\u{1f600}", { a: [1, null] });
    client.emit("echo", Buffer.from([1, 2, 3]), "\u20ac");
    client.emit("echo", { deep: [Buffer.alloc(70000, 7)] });
    await echoes.until(3);
    assert.deepEqual(echoes[0].slice(0, 2), ["h\u20ac\u{1f600}", { a: [1, null] }]);
    assert.deepEqual([...new Uint8Array(echoes[1][0])], [1, 2, 3]);
    assert.equal(echoes[1][1], "\u20ac");
    const third = Array.isArray(echoes[2]) ? echoes[2][0] : echoes[2];
    assert.ok(Buffer.from(third.deep[0]).equals(Buffer.alloc(70000, 7)));
    assert.deepEqual((await ask(client, "ack", "a", 1)).slice(0, 2), ["a", 1]);
    client.close();
  });
}

test("Socket.IO 2: nothing is lost across an upgrade", async () => {
  const client = make("/");
  // Before "connect": the poll that brings it may be the one whose end completes the upgrade.
  const upgraded = next(client.io.engine, "upgrade");
  await next(client, "connect");
  const echoes = collect(client, "echo");
  for (let i = 0; i < 100; i++) {
    client.emit("echo", i);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await upgraded;
  await echoes.until(100);
  assert.deepEqual(echoes.map((e) => (Array.isArray(e) ? e[0] : e)), [...Array(100).keys()]);
  client.close();
});

test("S172: Socket.IO 2: a namespace's query is its auth", async () => {
  const client = make("/admin", { query: { token: "secret", x: "&" } });
  const [[id]] = await Promise.all([next(client, "hello"), next(client, "connect")]);
  assert.equal(id, client.id);
  assert.equal(id, `/admin#${client.io.engine.id}`);
  client.close();
});

test("2.2: Socket.IO 2: refused by a middleware, with the data alone", async () => {
  const client = make("/admin", { query: { token: "wrong" } });
  const [why] = await next(client, "error");
  assert.deepEqual(why, { code: "E_AUTH", retry: false });
  client.close();
});

test("clients of both kinds hear each other", async () => {
  const [old, young] = await Promise.all([connect("/"), server.connect("/")]);
  await ask(old, "join", "hall");
  await young.emitWithAck("join", "hall");
  const heard = [collect(old, "hi"), collect(young, "hi")];
  young.emit("send", { from: "io", to: ["hall"] }, "hi", 1);
  await Promise.all(heard.map((list) => list.until(1)));
  old.close();
  young.disconnect();
});

test("7.4: clients ping, and stay", async () => {
  const quick = await TestServer.start({ eio3: 1, pingInterval: 100, pingTimeout: 2000 });
  for (const transports of [["polling"], ["websocket"]]) {
    const client = io2(quick.url, { forceNew: true, reconnection: false, transports });
    await next(client, "connect");
    const pongs = collect(client, "pong");
    await pongs.until(3);
    assert.ok(client.connected);
    client.close();
  }
  await quick.stop();
});

test("S173: without allow_eio3 they get connect_error", async () => {
  const strict = await TestServer.start();
  for (const transports of [["polling"], ["websocket"]]) {
    const client = io2(strict.url, { forceNew: true, reconnection: false, transports });
    await next(client, "connect_error");
    client.close();
  }
  await strict.stop();
});

test("nobody is left", async () => {
  for (const client of clients) client.close();
  await until("all have left", async () => PEER_IS_NODE || (await server.stats()).sessions <= 1);
});

// ------------------------------------------------------------ plain Engine.IO

for (const transports of PEER_IS_NODE ? [] : ways) {
  test(`engine.io-client 3, ${transports.join(" to ")}: every message comes back`, async () => {
    const program = await startProgram(`${BUILD}/servers/conformance`, ["protocol-eio", "0", "eio3=1"], /^ready (\d+)$/);
    const socket = engine3(`ws://127.0.0.1:${program.match[1]}`, { transports });
    const messages = collect(socket, "message");
    const upgraded = transports.length > 1 ? next(socket, "upgrade") : null;
    await next(socket, "open");
    socket.send("h\u20ac\u{1f600}\x1e");
    socket.send(Buffer.from([1, 2, 3]));
    await upgraded;
    socket.send("");
    socket.send(Buffer.alloc(100000, 5));
    await messages.until(4);
    assert.equal(messages[0], "h\u20ac\u{1f600}\x1e");
    assert.deepEqual([...new Uint8Array(messages[1])], [1, 2, 3]);
    assert.equal(messages[2] ?? "", ""); // it knows no empty text
    assert.ok(Buffer.from(messages[3]).equals(Buffer.alloc(100000, 5)));
    const closed = next(socket, "close");
    socket.close();
    await closed;
    await program.stop();
  });
}
