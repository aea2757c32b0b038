// rooms.test.mjs -- joining, leaving, and who gets what: to, except, broadcast.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { collect, next, TestServer } from "./harness.mjs";

const server = await TestServer.start();

// Four clients, two on each transport: a and b in "x", b and c in "y".
async function four() {
  const [a, b, c, d] = await Promise.all(["polling", "websocket", "polling", "websocket"]
    .map((name) => server.connect("/", { transports: [name] })));
  await Promise.all([a.emitWithAck("join", "x"), b.emitWithAck("join", "x"),
    b.emitWithAck("join", "y"), c.emitWithAck("join", "y")]);
  return { a, b, c, d };
}

// Who gets an event that `sender` has the server send; each at most once. What
// is sent to a client later comes later, so an answer to each ends the wait.
async function reached(clients, sender, how, ...args) {
  const got = Object.fromEntries(Object.entries(clients).map(([name, client]) => [name, collect(client, "news")]));
  await sender.emitWithAck("send", how, "news", ...args);
  await Promise.all(Object.values(clients).map((client) => client.emitWithAck("ack")));
  for (const client of Object.values(clients)) client.off("news");
  return Object.entries(got).map(([name, list]) => name.repeat(list.length)).join("");
}

const ROWS = [
  ["S139: all of the namespace", "a", { from: "io" }, "abcd"],
  ["S141: broadcast: all but the sender", "a", { from: "socket" }, "bcd"],
  ["S142: a room, from the server", "d", { from: "io", to: ["x"] }, "ab"],
  ["S144: a room, from a member: without it", "a", { from: "socket", to: ["x"] }, "b"],
  ["a room, from an outsider", "d", { from: "socket", to: ["x"] }, "ab"],
  ["S143: two rooms, a member of both once", "d", { from: "io", to: ["x", "y"] }, "abc"],
  ["S143: two rooms, from the member of both", "b", { from: "socket", to: ["x", "y"] }, "ac"],
  ["the same room twice", "d", { from: "io", to: ["x", "x"] }, "ab"],
  ["S61: except a room", "d", { from: "io", except: ["x"] }, "cd"],
  ["S151: broadcast except a room", "d", { from: "socket", except: ["x"] }, "c"],
  ["a room except another", "d", { from: "io", to: ["x"], except: ["y"] }, "a"],
  ["rooms except two", "d", { from: "io", to: ["x", "y"], except: ["x", "y"] }, ""],
  ["S157: a room nobody is in", "d", { from: "io", to: ["nobody"] }, ""],
  ["except a room nobody is in", "d", { from: "io", except: ["nobody"] }, "abcd"],
];

for (const [name, sender, how, expected] of ROWS) {
  test(`${name}: text, and binary (S140, S145)`, async () => {
    const clients = await four();
    const args = [{ b: Buffer.from([1, 2]) }, "t"];
    assert.equal(await reached(clients, clients[sender], how, 1), expected);
    const got = collect(expected ? clients[expected[0]] : clients.a, "news");
    assert.equal(await reached(clients, clients[sender], how, ...args), expected);
    assert.deepEqual([...got], expected ? [args] : []);
    server.closeClients();
  });
}

test("S59, S150: a socket's id is a room", async () => {
  const clients = await four();
  const { a, b } = clients;
  assert.equal(await reached(clients, a, { from: "io", to: [b.id] }), "b");
  assert.equal(await reached(clients, a, { from: "io", except: [b.id] }), "acd");
  assert.equal(await reached(clients, a, { from: "socket", except: [b.id] }), "cd");
  assert.equal(await reached(clients, a, { from: "socket", to: [a.id] }), "");
  server.closeClients();
});

test("S146, S148: joining and leaving; unknown rooms and doing it twice are harmless", async () => {
  const client = await server.connect();
  const own = client.id;
  assert.deepEqual(await client.emitWithAck("join", "r"), [own, "r"]);
  assert.deepEqual(await client.emitWithAck("join", "r"), [own, "r"]);
  assert.deepEqual(await client.emitWithAck("join", "é 😀"), [own, "r", "é 😀"]);
  assert.deepEqual(await client.emitWithAck("join", "__proto__"), [own, "r", "é 😀", "__proto__"]);
  assert.deepEqual(await client.emitWithAck("leave", "r"), [own, "é 😀", "__proto__"]);
  assert.deepEqual(await client.emitWithAck("leave", "r"), [own, "é 😀", "__proto__"]);
  assert.deepEqual(await client.emitWithAck("leave", "never"), [own, "é 😀", "__proto__"]);
  client.disconnect();
});

test("S188: who left a room gets nothing more", async () => {
  const clients = await four();
  await clients.a.emitWithAck("leave", "x");
  assert.equal(await reached(clients, clients.d, { from: "io", to: ["x"] }), "b");
  server.closeClients();
});

test("S101: a room gets events in the order they were sent", async () => {
  const clients = await four();
  const got = collect(clients.c, "news");
  for (let i = 0; i < 100; i++) clients.b.emit("send", { from: "socket", to: ["y"] }, "news", i, () => {});
  await got.until(100);
  assert.deepEqual([...got], [...Array(100).keys()]);
  server.closeClients();
});

test("S54, S91, S92: a volatile event reaches idle clients", async () => {
  const { a, b } = await four();
  const heard = [next(a, "news"), next(b, "news")];
  // A poll has to be waiting: ask until it is, as the event may be dropped.
  const timer = setInterval(() => b.emit("send", { from: "io", to: ["x"], volatile: true }, "news", 7, () => {}), 100);
  assert.deepEqual((await Promise.all(heard)).map(([n]) => n), [7, 7]);
  clearInterval(timer);
  server.closeClients();
});

test("S153: everybody in a room answers", async () => {
  const { a, b, d } = await four();
  a.on("question", (ack) => ack("a"));
  b.on("question", (ack) => ack("b"));
  const [error, ...answers] = await new Promise((resolve) => d.emit("ask-room", "x", 5000, (...all) => resolve(all)));
  assert.equal(error, null);
  assert.deepEqual(answers.sort(), ["a", "b"]);
  server.closeClients();
});

test("S154: one of a room is silent: a timeout, with the answers that came", async () => {
  const { a, d } = await four();
  a.on("question", (ack) => ack("a"));
  const reply = await new Promise((resolve) => d.emit("ask-room", "x", 100, (...all) => resolve(all)));
  assert.deepEqual(reply, ["operation has timed out", "a"]);
  server.closeClients();
});

test("S157: a room nobody is in answers at once, with nothing", async () => {
  const client = await server.connect();
  const reply = await new Promise((resolve) => client.emit("ask-room", "nobody", 5000, (...all) => resolve(all)));
  assert.deepEqual(reply, [null]);
  client.disconnect();
});

test("S147: nothing is left of rooms, sockets and acknowledgements", async () => {
  const stats = await server.stats();
  assert.equal(stats.sockets, 1); // the one that asks
  if (stats.rooms !== undefined) assert.deepEqual([stats.rooms, stats.pending_acks], [0, 0]);
});

test("the server process ends with status 0 and nothing on stderr", () => server.stop());
