// requests.mjs -- what one node asks of the others: sockets to join, leave, go
// and be told of, answers to a broadcast, events for servers. Every adapter must
// do these alike.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { all, until } from "./world.mjs";

const LATE = "operation has timed out";
const byC = ([from]) => from === "c" && "a program in C has no such call";

// ------------------------------------------------------------- other servers

// What a server has been notified of, once there is something.
async function seen(peer, nsp) {
  let list = [];
  await until(async () => (list = await peer.call({ op: "seen", nsp })).length > 0, `what ${peer.name} has seen`);
  return list;
}

const SERVERS = [
  ["R28: an event for the other servers", async (world) => {
    await world.from.call({ op: "notify" }, "note", "x", { y: [1, null] }, "é");
    assert.deepEqual(await seen(world.to), [["x", { y: [1, null] }, "é"]]);
    assert.deepEqual(await world.from.call({ op: "seen" }), []);
  }],
  ["R28: for those of one namespace", async (world) => {
    await world.from.call({ op: "notify", nsp: "/watch" }, "note", "w");
    assert.deepEqual(await seen(world.to, "/watch"), [["w"]]);
    assert.deepEqual(await world.to.call({ op: "seen" }), []);
  }],
  ["R28: with binary, which JSON cannot carry", async (world) => {
    await world.from.call({ op: "notify" }, "note", Buffer.from([1, 2, 255]));
    const [[value]] = await seen(world.to);
    const text = { type: "Buffer", data: [1, 2, 255] };
    assert.deepEqual(value, world.adapter === "classic" ? text : Buffer.from(text.data));
  }],
  ["R29: with an answer", async (world) => {
    const { error, answers } = await world.from.call({ op: "notify-ask" }, "note", "reply", { pong: [1] });
    assert.deepEqual([error, answers], [null, [{ pong: [1] }]]);
    assert.deepEqual(await seen(world.to), [["reply", { pong: [1] }]]);
  }],
  ["R29: of an answer, its first value", async (world) => {
    const { answers } = await world.from.call({ op: "notify-ask" }, "note", "twice", 1);
    assert.deepEqual(answers, [1]);
    await seen(world.to);
  }],
  ["R30: an answer without a value", async (world) => {
    const { error, answers } = await world.from.call({ op: "notify-ask" }, "note", "nothing");
    assert.deepEqual([error, answers.length], [null, 1]);
    assert.equal(answers[0] ?? null, null);
    await seen(world.to);
  }],
  ["how many servers there are", async (world) => {
    assert.equal(await world.from.call({ op: "servers" }), world.peers.length);
  }, byC],
];

// -------------------------------------------------------------------- sockets

const ids = (...clients) => clients.map(({ id }) => id).sort();
const fetched = async (world, spec) => (await world.from.call({ op: "fetch", ...spec })).map(({ id }) => id);
const roomsOf = async (world, client) => (await world.ask(client, "rooms")).filter((room) => room !== client.id);

const SOCKETS = [
  ["R31: everybody's sockets, as each node tells them", async (world) => {
    const list = await world.from.call({ op: "fetch" });
    assert.deepEqual(list.map(({ id }) => id), ids(world.f1, world.f2, world.t1, world.t2));
    for (const client of [world.f1, world.t1]) {
      const { rooms, data, handshake } = list.find(({ id }) => id === client.id);
      assert.deepEqual(rooms, [client.id, "r1"].sort());
      assert.deepEqual(data, { who: client.name });
      const { headers, time, issued, query, url, address, ...rest } = handshake;
      assert.deepEqual(rest, { xdomain: false, secure: false, auth: { name: client.name } });
      assert.equal(headers["x-test"], client.name);
      assert.match(headers.host, /^127\.0\.0\.1:\d+$/);
      assert.deepEqual(query, { who: client.name, EIO: "4", transport: "websocket" });
      assert.equal(url, `/socket.io/?who=${client.name}&EIO=4&transport=websocket`);
      assert.match(address, /^(::ffff:)?127\.0\.0\.1$/);
      assert.ok(Math.abs(Date.parse(time) - issued) < 2000, `${time} is ${issued}`);
      assert.match(time, /^[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d{4} \d\d:\d\d:\d\d GMT[+-]\d{4} \(.+\)$/);
    }
  }],
  ["R32: of a room", async (world) => {
    assert.deepEqual(await fetched(world, { rooms: ["r1"] }), ids(world.f1, world.t1));
  }],
  ["R32: of a room but another", async (world) => {
    assert.deepEqual(await fetched(world, { rooms: ["r1", "r2"], except: ["r2"] }), ids(world.f1, world.t1));
    assert.deepEqual(await fetched(world, { rooms: ["nobody"] }), []);
  }],
  ["R32: only those here", async (world) => {
    assert.deepEqual(await fetched(world, { local: true }), ids(world.f1, world.f2));
  }],
  ["R32: of another namespace", async (world) => {
    assert.deepEqual(await fetched(world, { nsp: "/watch" }), ids(world.fc, world.tc));
  }],
  ["R35 R36: everybody in a room joins others, once", async (world) => {
    await world.from.call({ op: "join", rooms: ["r1"], except: ["r2"], to: ["j1", "j2"] });
    await world.settle();
    for (const client of [world.f1, world.t1]) assert.deepEqual(await roomsOf(world, client), ["j1", "j2", "r1"]);
    for (const client of [world.f2, world.t2]) assert.deepEqual(await roomsOf(world, client), ["r2"]);
    await world.heard("j1", 2);
    assert.deepEqual(await world.emit({ rooms: ["j1", "j2"] }, "joined"), all("f1 t1", ["joined"]));
  }],
  ["R35 R36: and leaves", async (world) => {
    await world.from.call({ op: "leave", rooms: ["j1"], to: ["j2", "none"] });
    await world.settle();
    for (const client of [world.f1, world.t1]) assert.deepEqual(await roomsOf(world, client), ["j1", "r1"]);
    await world.from.call({ op: "leave", to: ["j1"] });
    await world.settle();
    for (const client of [world.f1, world.t1]) assert.deepEqual(await roomsOf(world, client), ["r1"]);
    await world.heard("j1", 0);
  }],
  ["R35 R36: some sockets are disconnected, their connections stay", async (world) => {
    const clients = [await world.client("f3", world.from), await world.client("t3", world.to)];
    for (const client of clients) await world.ask(client, "join", "out");
    await world.heard("out", 2);
    const others = await Promise.all(clients.map(({ socket }) => new Promise((resolve) => {
      const other = socket.io.socket("/room-1");
      other.once("connect", () => resolve(other));
    })));
    world.took();
    await world.from.call({ op: "disconnect", rooms: ["out"], close: false });
    await until(() => clients.every(({ socket }) => !socket.connected), "both to go");
    assert.deepEqual(world.took(), all("f3 t3", ["disconnect", "io server disconnect"]));
    for (const other of others) assert.equal(await other.timeout(5000).emitWithAck("ack", 1), 1);
    for (const other of others) other.disconnect();
    await world.leave(...clients);
  }],
  ["R35 R36: and with their connections", async (world) => {
    const clients = [await world.client("f3", world.from), await world.client("t3", world.to)];
    for (const client of clients) await world.ask(client, "join", "out");
    await world.heard("out", 2);
    const ended = clients.map(({ socket }) => new Promise((resolve) => socket.io.engine.once("close", resolve)));
    await world.from.call({ op: "disconnect", rooms: ["out"], close: true });
    await Promise.all(ended);
    await world.leave(...clients);
  }],
];

// -------------------------------------------------------------------- answers

const ask = async (world, spec, ...args) => {
  world.took();
  const { error, answers } = await world.from.call({ op: "ask", timeout: 3000, ...spec }, ...args);
  return { error, answers: answers.map((x) => (Buffer.isBuffer(x) || x === null ? x : JSON.stringify(x))).sort() };
};

const ANSWERS = [
  ["R39 R40: everybody's first answers", async (world) => {
    assert.deepEqual(await ask(world, {}, "question", 1, "x"), { error: null, answers: ['"f1"', '"f2"', '"t1"', '"t2"'] });
    assert.deepEqual(world.took(), all("f1 f2 t1 t2", ["question", 1, "x"]));
  }],
  ["R39 R40: those of a room", async (world) => {
    assert.deepEqual(await ask(world, { rooms: ["r1"], except: [world.f1.id] }, "question"), { error: null, answers: ['"t1"'] });
  }],
  ["R39: nobody to ask: done at once", async (world) => {
    assert.deepEqual(await ask(world, { rooms: ["nobody"] }, "question"), { error: null, answers: [] });
  }],
  ["R41: binary asked and answered", async (world) => {
    const bytes = Buffer.from([3, 1, 255]);
    for (const { answer } of [world.f1, world.t1]) assert.ok(answer);
    for (const client of [world.f1, world.t1]) client.answer = (x) => [x];
    const { answers } = await world.from.call({ op: "ask", timeout: 3000, rooms: ["r1"] }, "question", bytes);
    for (const client of [world.f1, world.t1]) client.answer = () => [client.name];
    assert.deepEqual(answers, [bytes, bytes]);
    assert.deepEqual(world.took(), all("f1 t1", ["question", bytes]));
  }],
  ["R42: an answer without a value", async (world) => {
    world.t1.answer = () => [];
    const { error, answers } = await world.from.call({ op: "ask", timeout: 3000, rooms: [world.t1.id] }, "question");
    world.t1.answer = () => ["t1"];
    assert.deepEqual([error, answers.length, answers[0] ?? null], [null, 1, null]);
  }],
  ["R43: who is late is left out", async (world) => {
    world.t2.answer = null;
    const { error, answers } = await ask(world, { timeout: 200 }, "question", "late");
    world.t2.answer = () => ["t2"];
    assert.deepEqual({ error, answers }, { error: LATE, answers: ['"f1"', '"f2"', '"t1"'] });
    await world.settle();
    assert.deepEqual(world.took(), all("f1 f2 t1 t2", ["question", "late"]));
  }],
  ["R44: one socket of the other node, asked", async (world) => {
    const { error, answer } = await world.from.call({ op: "ask", remote: world.t1.id, timeout: 3000 }, "question", 5);
    assert.deepEqual([error, answer], [null, "t1"]);
  }],
  ["R44: and it does not answer", async (world) => {
    world.t1.answer = null;
    const { error } = await world.from.call({ op: "ask", remote: world.t1.id, timeout: 200 }, "question", 5);
    world.t1.answer = () => ["t1"];
    assert.equal(error, LATE);
    world.took();
  }],
  ["R45: one socket of the other node is told, joins, leaves", async (world) => {
    world.took();
    await world.from.call({ op: "emit", remote: world.t1.id }, "dm", 1);
    await world.from.call({ op: "join", remote: world.t1.id, to: ["rj", "rk"] });
    await world.settle();
    assert.deepEqual(world.took(), all("t1", ["dm", 1]));
    assert.deepEqual(await roomsOf(world, world.t1), ["r1", "rj", "rk"]);
    await world.from.call({ op: "leave", remote: world.t1.id, to: ["rj", "rk"] });
    await world.settle();
    assert.deepEqual(await roomsOf(world, world.t1), ["r1"]);
    await world.heard("rj", 0);
  }],
  ["R45: and disconnected", async (world) => {
    const client = await world.client("t3", world.to);
    world.took();
    await world.from.call({ op: "disconnect", remote: client.id, close: false });
    await until(() => !client.socket.connected, "it to go");
    assert.deepEqual(world.took(), all("t3", ["disconnect", "io server disconnect"]));
    await world.leave(client);
  }],
];

export const REQUESTS = [...SERVERS, ...SOCKETS, ...ANSWERS];

export const ROOMS = ["R33: the rooms of all nodes", async (world) => {
  const list = await world.from.call({ op: "rooms" });
  assert.deepEqual(list, ["r1", "r2", ...ids(world.f1, world.f2, world.t1, world.t2)].sort());
}, byC];
