// namespaces.test.mjs -- several namespaces on one connection, middlewares,
// the auth payload, refusals.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { Manager } from "socket.io-client";
import { next, PARSER, parser, Polling, RS, statsBy, TestServer, until } from "./harness.mjs";

const server = await TestServer.start();

function manager(options = {}) {
  return new Manager(server.url, { reconnection: false, ...(parser && { parser }), ...options });
}

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  const way = transports.join("+");

  test(`S41, S219: two namespaces on one connection, each with its own id (${way})`, async () => {
    const connection = manager({ transports });
    const root = connection.socket("/");
    const admin = connection.socket("/admin", { auth: { token: "secret" } });
    const [hello] = await next(admin, "hello");
    assert.ok(root.connected || (await next(root, "connect")));
    assert.equal(hello, admin.id);
    assert.notEqual(root.id, admin.id);
    assert.notEqual(root.id, connection.engine.id);
    assert.match(root.id, /^[\w-]{20}$/);
    root.emit("echo", "root");
    admin.emit("echo", "admin");
    assert.deepEqual(await Promise.all([next(root, "echo"), next(admin, "echo")]), [["root"], ["admin"]]);

    // S233: one leaves, the other stays, on the same connection.
    const { id } = connection.engine;
    admin.disconnect();
    root.emit("echo", "alone");
    assert.deepEqual(await next(root, "echo"), ["alone"]);
    assert.equal(connection.engine.id, id);

    // And comes back.
    admin.connect();
    await next(admin, "hello");
    root.disconnect();
    admin.emit("echo", "again");
    assert.deepEqual(await next(admin, "echo"), ["again"]);
    admin.disconnect();
  });

  test(`S160, S161: a middleware refuses with message and data (${way})`, async () => {
    const connection = manager({ transports });
    const root = connection.socket("/"); // keeps the connection open
    const admin = connection.socket("/admin", { auth: { token: "wrong" } });
    const [error] = await next(admin, "connect_error");
    assert.equal(error.message, "not authorized");
    assert.deepEqual(error.data, { code: "E_AUTH", retry: false });
    assert.equal(admin.active, false);

    // With the right token it is let in, on the same connection.
    const { id } = connection.engine;
    admin.auth = { token: "secret" };
    admin.connect();
    await next(admin, "hello");
    assert.equal(connection.engine.id, id);
    admin.disconnect();
    root.disconnect();
  });

  test(`S48: an unknown namespace is refused (${way})`, async () => {
    const client = server.make("/nope", { transports });
    const [error] = await next(client, "connect_error");
    assert.equal(error.message, "Invalid namespace");
    assert.equal(error.data, undefined);
    client.disconnect();
  });

  test(`S114, S251: the auth payload arrives (${way})`, async () => {
    const auth = { key1: "aa", key2: "&=bb", "é": ["😀", null, 1.5] };
    const client = await server.connect("/", { transports, auth });
    assert.deepEqual((await client.emitWithAck("whoami")).auth, auth);
    client.disconnect();
    const plain = await server.connect("/", { transports });
    assert.deepEqual((await plain.emitWithAck("whoami")).auth, {});
    plain.disconnect();
  });
}

test("S219: a refused namespace does not disturb the others of the connection", async () => {
  const connection = manager();
  const root = connection.socket("/");
  const nope = connection.socket("/nope");
  await next(nope, "connect_error");
  root.emit("echo", 1);
  assert.deepEqual(await next(root, "echo"), [1]);
  root.disconnect();
  nope.disconnect();
});

test("S163: a slow middleware delays the connection, events wait for it", async () => {
  const gate = await server.connect();
  const slow = server.make("/slow", { transports: ["websocket"] });
  const connected = next(slow, "connect");
  await until("a client waits at the door", async () => (await gate.emitWithAck("admit")) === 1);
  await connected;
  gate.disconnect();
  slow.disconnect();
});

test("S164, S128: a client that leaves while its middleware runs is forgotten, rooms too", async () => {
  const gate = await server.connect("/", { transports: ["websocket"] });
  const before = (await statsBy(gate)).sockets;
  const slow = server.make("/slow", { transports: ["websocket"] });
  await next(slow.io, "open");
  await until("its session is there", async () => (await statsBy(gate)).sessions >= 2);
  slow.io.engine.close();
  await until("its session is gone", async () => (await statsBy(gate)).sessions === 1);
  await gate.emitWithAck("admit");
  const after = await statsBy(gate);
  assert.equal(after.sockets, before);
  if (after.rooms !== undefined) assert.equal(after.rooms, 0);
  gate.disconnect();
});

if (PARSER === "json") test("several namespaces by hand: 40 and 40/admin in one payload", async () => {
  const session = await Polling.open(server, { connect: false });
  await session.post(`40${RS}40/admin,{"token":"secret"}`);
  let text = "";
  while ((text.match(/"sid"/g) ?? []).length < 2 || !text.includes("hello"))
    text += (await session.poll()).body + RS;
  assert.match(text, /40\{"sid":"[\w-]{20}"\}/);
  assert.match(text, /40\/admin,\{"sid":"([\w-]{20})"\}[^]*42\/admin,\["hello","\1"\]/);
  await session.post("1");
});

test("the server process ends with status 0 and nothing on stderr", () => server.stop());
