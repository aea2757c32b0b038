// classic.test.mjs -- the adapter of @socket.io/redis-adapter: nodes of ours and
// of Node's in one cluster, in every direction; then one node of each kind
// before messages made by hand.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { createClient } from "redis";
import { BROADCASTS, HUGE } from "./broadcasts.mjs";
import { bytesOf, classicAround, decode, MESSAGES, notepack, received, VALUES } from "./probe.mjs";
import { REQUESTS, ROOMS } from "./requests.mjs";
import { all, DIRECTIONS, KINDS, play, until } from "./world.mjs";

const require = createRequire(import.meta.url);
const { Emitter } = require("@socket.io/redis-emitter");
const options = () => ({ adapter: "classic", recovery: 0 });
const UID = /^[\w-]{6}$/;

// ------------------------------------------------------------- what is published

const published = (world) => world.from.sent("PUBLISH").map(([, channel, bytes]) => [channel.toString(), bytes]);

// Publishes something in "/admin", where nobody is, and waits for it to be sent.
async function mark(world, what) {
  const marked = () => world.from.commands.some(([, channel, bytes]) => channel?.toString() === "socket.io#/admin#" && bytes.includes(what));
  await world.from.call({ op: "emit", nsp: "/admin" }, what);
  await until(marked, `"${what}"`);
}

// What `spec` makes the node publish.
async function publishes(world, spec, ...args) {
  await mark(world, "begin");
  world.from.sent();
  await world.from.call({ op: "emit", ...spec }, ...args);
  await mark(world, "end");
  return published(world).slice(0, -1);
}

const CHANNELS = [
  ["R07: one room has a channel", { rooms: ["r1"] }, "socket.io#/#r1#"],
  ["R08: two rooms have none", { rooms: ["r1", "r2"] }, "socket.io#/#"],
  ["R10: exceptions change nothing", { rooms: ["r1"], except: ["r2"] }, "socket.io#/#r1#"],
  ["R16: a number is written out", { rooms: [42] }, "socket.io#/#42#"],
  ["R17: any text", { rooms: ["salle é#1"] }, "socket.io#/#salle é#1#"],
  ["R15: local: nothing is published", { local: true }, null],
].map(([name, spec, channel]) => [name, async (world) => {
  const list = await publishes(world, spec, "hello");
  assert.deepEqual(list.map(([where]) => where), channel ? [channel] : []);
}]);

// What the captures of Node say, but for the node's id.
const SAME_BYTES = [
  ["classic-04-emit-all", {}, "hello", 1, "2", { a: [null, true] }],
  ["classic-05-emit-room1", { rooms: ["r1"] }, "hello", "room"],
  ["classic-06-emit-2rooms", { rooms: ["r1", "r2"] }, "hello", "rooms"],
  ["classic-08-emit-except", { except: ["r2", "r3"] }, "hello", "except"],
  ["classic-09-emit-room-except", { rooms: ["r1"], except: ["r2"] }, "hello", "rx"],
  ["classic-10-emit-volatile", { volatile: true }, "hello", "v"],
  ["classic-11-emit-compress-true", { compress: true }, "hello", "c"],
  ["classic-13-emit-timeout-noack", { timeout: 1000 }, "hello", "t"],
  ["classic-23-emit-binary-nested", { rooms: ["r1"] }, "bin", { a: Buffer.from("x"), b: [Buffer.from("yz")], t: "s" }, 3],
].map(([vector, spec, ...args]) => [`R19: the bytes of ${vector}`, async (world) => {
  const expected = bytesOf(MESSAGES.find(({ name }) => name.endsWith(`${vector}.1`)));
  const [[, bytes]] = await publishes(world, spec, ...args);
  assert.match(bytes.toString("latin1", 2, 8), UID);
  bytes.copy(expected, 2, 2, 8);
  assert.equal(bytes.toString("hex"), expected.toString("hex"));
}, ([kind]) => kind === "c" && spec.compress && "ours compress unless they are told not to, and say only that"]);

const HUGE_BYTES = ["R27: 1e300 is published as a double", async (world) => {
  const [[, bytes]] = await publishes(world, {}, "huge", 1e300);
  assert.ok(bytes.includes(Buffer.from("cb7e37e43c8800759c", "hex")), bytes.toString("hex"));
}, ([kind]) => kind === "node" && "Node publishes 0"];

// -------------------------------------------------------------- coming and going

const COMING = [
  ["R01: what a node subscribes to", (world) => {
    const words = world.started.flatMap(([command, ...channels]) => channels.map((channel) => `${command} ${channel}`.toUpperCase()));
    const own = words.map((word) => word.replace(/(RESPONSE#.*#)[\w-]{6}#$/, "$1UID#"));
    assert.deepEqual(own.sort(), ["/", "/ADMIN", "/WATCH"].flatMap((nsp) => [
      `PSUBSCRIBE SOCKET.IO#${nsp}#*`, `SUBSCRIBE SOCKET.IO-REQUEST#${nsp}#`,
      `SUBSCRIBE SOCKET.IO-RESPONSE#${nsp}#`, `SUBSCRIBE SOCKET.IO-RESPONSE#${nsp}#UID#`]).sort());
  }],
  ["R02: one subscription for each namespace, also for one that is new", async (world) => {
    const count = async (nsp) => (await world.redis.command("PUBSUB", "NUMSUB", `socket.io-request#${nsp}#`))[1];
    for (const nsp of ["/", "/watch", "/admin"]) assert.equal(await count(nsp), 1, nsp);
    assert.equal(await count("/room-5"), 0);
    const client = await world.client("new", world.from, "/room-5");
    await until(async () => (await count("/room-5")) === 1, "a subscription");
    await world.leave(client);
    await until(async () => (await count("/room-5")) === 0, "its end");
  }],
  ["R09: what is for a room that nobody is in is dropped unread", async (world) => {
    await world.redis.command("PUBLISH", "socket.io#/#nobody#", Buffer.from([0xc1]));
    assert.deepEqual(await world.emit({}, "hello"), all("p1 p2", ["hello"]));
  }],
];

// ------------------------------------------------------ messages made by hand

const publish = (world, channel, bytes) => world.redis.command("PUBLISH", channel, bytes);

// What comes of a message, and that the node goes on.
async function inject(world, channel, bytes) {
  world.took();
  await publish(world, channel, bytes);
  await world.fence();
  return world.took();
}

const REPLAYED = MESSAGES.filter(({ format, channel, frame, name }) =>
  format === "classic" && frame && /^socket\.io#\/#/.test(channel) && !/socket-id|remote-socket/.test(name))
  .map((vector) => [`${vector.name.replace(/^(?!R\d)/, "R20: ")} is understood`, async (world) => {
    world.took();
    await publish(world, vector.channel, bytesOf(vector));
    await until(() => [world.p1, world.p2].some(({ frames }) => frames.includes(vector.frame)), vector.frame);
    await world.fence();
    world.took();
  }]);

const ROUND_TRIPS = VALUES.encode.filter(({ notepack: hex }) => /^[0-9a-f]+$/.test(hex) && !/prefix only/.test(hex))
  .map(({ name, notepack: hex }) => [`R20: the value ${name}`, async (world) => {
    const bytes = Buffer.from(hex, "hex");
    const got = await inject(world, "socket.io#/#", classicAround(bytes));
    assert.deepEqual(got, all("p1 p2", ["v", received(notepack.decode(bytes))]));
  }]);

const ODD = {
  "invalid utf8 str": { c: "?(" },
  "map key __proto__": { c: JSON.parse('{"__proto__":{"x":1}}') },
};
// What throws while a message is handled makes the package `redis` forget, in
// RESP2, that it has subscribed: such a server of Node's hears nothing more.
const DEAF = "it makes Node's server deaf";

const DECODED = VALUES.decode.map(({ name, hex, notepack: expected }) => [`R22 R24: ${name || "nothing"}`, async (world) => {
  const bytes = Buffer.from(hex, "hex");
  const got = await inject(world, "socket.io#/#", classicAround(bytes));
  if (expected.startsWith("ERROR")) return assert.deepEqual(got, {});
  const value = ODD[name]?.[world.from.kind] ?? received(notepack.decode(bytes));
  assert.deepEqual(got, all("p1 p2", ["v", value]));
}, ([kind]) => kind === "node" && expected.startsWith("ERROR") && DEAF]);

// [what, channel, message, whether Node's servers can take it]
const MALFORMED = [
  ["a broadcast that is cut off", "socket.io#/#", Buffer.from("93a6", "hex")],
  ["a broadcast with bytes behind it", "socket.io#/#", Buffer.concat([classicAround(Buffer.from([1])), Buffer.from([1])])],
  ["a broadcast that is no array", "socket.io#/#", notepack.encode({ uid: "x" })],
  ["a broadcast in JSON", "socket.io#/#", Buffer.from('["x",{"type":2,"data":["hello"],"nsp":"/"},{"rooms":[],"except":[]}]')],
  ["a broadcast of nothing", "socket.io#/#", Buffer.alloc(0)],
  ["a broadcast without options", "socket.io#/#", notepack.encode(["x", { type: 2, data: ["hello"], nsp: "/" }])],
  ["a broadcast without a packet", "socket.io#/#", notepack.encode(["x"]), true],
  ["a broadcast of a hundred thousand arrays in each other", "socket.io#/#", classicAround(Buffer.concat([Buffer.alloc(100000, 0x91), Buffer.from([1])]))],
  ["a broadcast that announces 4 billion values", "socket.io#/#", classicAround(Buffer.from("ddffffffff", "hex"))],
  ["a request that is no JSON", "socket.io-request#/#", Buffer.from("{nope"), true],
  ["a request of nothing", "socket.io-request#/#", Buffer.alloc(0), true],
  ["a request of an unknown type", "socket.io-request#/#", Buffer.from('{"uid":"x","requestId":"y","type":99}'), true],
  ["a response that is no JSON", "socket.io-response#/#", Buffer.from("{nope"), true],
  ["a response to nothing", "socket.io-response#/#", Buffer.from('{"requestId":"none","sockets":[]}'), true],
  ["a response without requestId", "socket.io-response#/#", Buffer.from('{"sockets":[]}'), true],
].map(([what, channel, bytes, node]) => [`R49: ${what}`, async (world) => {
  assert.deepEqual(await inject(world, channel, bytes), {});
}, ([kind]) => kind === "node" && !node && DEAF]);

const INCOMPLETE = [
  ["joining without options", '{"uid":"x","type":2,"rooms":["r"]}', true],
  ["fetching without options", '{"uid":"x","requestId":"y","type":5}'],
  ["fetching with options of another kind", '{"uid":"x","requestId":"y","type":5,"opts":{"rooms":5,"except":null}}'],
  ["asking without options", '{"uid":"x","requestId":"y","type":7,"packet":{"type":2,"data":["hello"],"nsp":"/"}}'],
  ["asking without a packet", '{"uid":"x","requestId":"y","type":7,"opts":{"rooms":[],"except":[],"flags":{}}}'],
  ["notifying without data", '{"uid":"x","type":6}'],
  ["notifying with data of another kind", '{"uid":"x","type":6,"data":{"a":1}}'],
  ["notifying with an empty list", '{"uid":"x","type":6,"data":[]}', true],
  ["joining rooms of another kind", '{"uid":"x","type":2,"opts":{"rooms":[],"except":[]},"rooms":{"a":1}}'],
  ["a type that is text", '{"uid":"x","requestId":"y","type":"5"}', true],
].map(([what, text, node]) => [`R50: ${what}`, async (world) => {
  assert.deepEqual(await inject(world, "socket.io-request#/#", Buffer.from(text)), {});
}, ([kind]) => kind === "node" && !node && "it costs Node's server its life"]);

// -------------------------------------------------------- requests made by hand

// Publishes a request and collects what is answered, by a node's last word.
async function asked(world, request) {
  world.from.sent();
  await publish(world, "socket.io-request#/#", typeof request === "string" ? request : notepack.encode(request));
  await world.fence();
  await mark(world, "answered");
  return published(world).filter(([channel]) => channel.startsWith("socket.io-response#/#"))
    .map(([channel, bytes]) => [channel, decode(bytes)]);
}

const rooms = async (world, client) => (await world.ask(client, "rooms")).filter((room) => room !== client.id);

const REQUESTED = [
  ["R34: a request of type 0 is answered", async (world) => {
    const answers = await asked(world, '{"uid":"probe1","requestId":"req001","type":0,"rooms":["r1"]}');
    assert.deepEqual(answers, [["socket.io-response#/#", { requestId: "req001", sockets: [world.p1.id] }]]);
  }],
  ["R33: a request of type 1 as MessagePack is answered", async (world) => {
    const [[channel, { requestId, rooms }]] = await asked(world, { uid: "probe1", requestId: "req002", type: 1 });
    assert.deepEqual([channel, requestId, rooms.sort()],
      ["socket.io-response#/#", "req002", ["r1", "r2", "salle é#1", world.p1.id, world.p2.id].sort()]);
  }],
  ["R37: requests without uid are followed", async (world) => {
    assert.deepEqual(await asked(world, '{"type":2,"opts":{"rooms":["r1"],"except":[]},"rooms":["by-emitter"]}'), []);
    assert.deepEqual(await rooms(world, world.p1), ["by-emitter", "r1", "salle é#1"]);
    assert.deepEqual(await asked(world, '{"type":3,"opts":{"rooms":[],"except":[]},"rooms":["by-emitter"]}'), []);
    assert.deepEqual(await rooms(world, world.p1), ["r1", "salle é#1"]);
  }],
  ["R38: requests of old for one socket: its owner answers", async (world) => {
    const request = (type, sid) => JSON.stringify({ uid: "probe1", requestId: `req${type}`, type, sid, room: "old", close: false });
    assert.deepEqual(await asked(world, request(2, world.p1.id)), [["socket.io-response#/#", { requestId: "req2" }]]);
    assert.deepEqual(await rooms(world, world.p1), ["old", "r1", "salle é#1"]);
    assert.deepEqual(await asked(world, request(3, world.p1.id)), [["socket.io-response#/#", { requestId: "req3" }]]);
    assert.deepEqual(await rooms(world, world.p1), ["r1", "salle é#1"]);
    for (const type of [2, 3, 4]) assert.deepEqual(await asked(world, request(type, "x".repeat(20))), []);
    const client = await world.client("p3", world.from);
    assert.deepEqual(await asked(world, request(4, client.id)), [["socket.io-response#/#", { requestId: "req4" }]]);
    await until(() => !client.socket.connected, "it to go");
    await world.leave(client);
  }],
  ["R39: a node says how many it asks, none included", async (world) => {
    const request = (room) => ({ uid: "probe1", requestId: "req7", type: 7,
      packet: { type: 2, data: ["question", 1], nsp: "/" }, opts: { rooms: [room], except: [], flags: { timeout: 2000 } } });
    assert.deepEqual(await asked(world, request("nobody")), [["socket.io-response#/#", { type: 8, requestId: "req7", clientCount: 0 }]]);
    world.p1.answer = () => [{ bytes: Buffer.from([1]) }, "more"];
    const answers = await asked(world, request("r1"));
    world.p1.answer = () => ["p1"];
    await until(async () => answers.push(...published(world).filter(([channel]) => channel === "socket.io-response#/#")
      .map(([channel, bytes]) => [channel, decode(bytes)])) >= 2, "an answer");
    assert.deepEqual(answers, [
      ["socket.io-response#/#", { type: 8, requestId: "req7", clientCount: 1 }],
      ["socket.io-response#/#", { type: 9, requestId: "req7", packet: { bytes: Buffer.from([1]) } }]]);
  }],
  ["R28: an event for servers by hand", async (world) => {
    await publish(world, "socket.io-request#/#", '{"uid":"emitter","type":6,"data":["note","by hand",{"a":1}]}');
    await world.fence();
    assert.deepEqual(await world.from.call({ op: "seen" }), [["by hand", { a: 1 }]]);
  }],
];

// ------------------------------------------------------------------ the emitter

async function emitter(world) {
  const client = createClient({ socket: { path: world.redis.where.path } });
  await client.connect();
  return { client, io: new Emitter(client) };
}

const emits = (name, send, who, gets) => [`R52: the emitter: ${name}`, async (world) => {
  world.took();
  const { client, io } = await emitter(world);
  send(io, world);
  await client.ping();
  await world.fence();
  client.destroy();
  assert.deepEqual(world.took(), all(who, ...gets));
}];

const EMITTER = [
  emits("everybody", (io) => io.emit("hello", 1, { a: [null] }), "p1 p2", [["hello", 1, { a: [null] }]]),
  emits("a room", (io) => io.to("r1").emit("hello"), "p1", [["hello"]]),
  emits("two rooms, but another", (io) => io.to("r1").to("r2").except("r2").emit("hello"), "p1", [["hello"]]),
  emits("volatile, without compression", (io) => io.volatile.compress(false).emit("hello"), "p1 p2", [["hello"]]),
  emits("binary", (io) => io.to("r2").emit("bin", Buffer.from([1, 2])), "p2", [["bin", Buffer.from([1, 2])]]),
  emits("another namespace", (io) => io.of("/watch").emit("hello"), "fc", [["hello"]]),
  emits("another namespace, without a slash", (io) => io.of("watch").emit("hello"), "fc", [["hello"]]),
  ["R52: the emitter: joining and leaving", async (world) => {
    const { client, io } = await emitter(world);
    io.in("r1").socketsJoin(["e1", "e2"]);
    await client.ping();
    await world.fence();
    assert.deepEqual(await rooms(world, world.p1), ["e1", "e2", "r1", "salle é#1"]);
    io.socketsLeave(["e1", "e2"]);
    await client.ping();
    await world.fence();
    assert.deepEqual(await rooms(world, world.p1), ["r1", "salle é#1"]);
    client.destroy();
  }],
  ["R52: the emitter: an event for servers", async (world) => {
    const { client, io } = await emitter(world);
    io.serverSideEmit("note", "from afar", 1);
    await client.ping();
    await world.fence();
    client.destroy();
    assert.deepEqual(await world.from.call({ op: "seen" }), [["from afar", 1]]);
  }],
  ["R52: the emitter: disconnecting, with the connection", async (world) => {
    const { client, io } = await emitter(world);
    for (const close of [false, true]) {
      const gone = await world.client("gone", world.from);
      const ended = new Promise((resolve) => gone.socket.io.engine.once("close", resolve));
      io.in(gone.id).disconnectSockets(close);
      await until(() => !gone.socket.connected, "it to go");
      await ended;
      await world.leave(gone);
    }
    client.destroy();
  }],
];

// One node; p1 in r1 and in a room of an odd name, p2 in r2.
async function alone(world) {
  world.started = world.from.sent("PSUBSCRIBE", "SUBSCRIBE");
  await world.client("p1", world.from);
  await world.client("p2", world.from);
  world.p1.answer = () => ["p1"];
  await world.ask(world.p1, "join", ["r1", "salle é#1"]);
  await world.ask(world.p2, "join", "r2");
}

// ------------------------------------------------------------------------ tests

// Node's own message, when it comes back after the deadline, is one more for it.
const HASTY = ["R46: a question with a short deadline is asked once", async (world) => {
  for (let i = 0; i < 10; i++) await world.from.call({ op: "ask", timeout: 1 }, "question", i);
  await world.settle();
  const got = world.took();
  for (const name of ["f1", "f2", "t1", "t2"]) assert.deepEqual(got[name].map(([, i]) => i), [...Array(10).keys()], name);
}, ([from]) => from === "node" && "Node asks its own sockets twice"];

test("classic", (t) => play(t, "classic", DIRECTIONS, options, [...BROADCASTS, HUGE, ...REQUESTS, ROOMS, HASTY]));

test("classic, one node", (t) => play(t, "classic", KINDS, options,
  [...COMING, ...CHANNELS, ...SAME_BYTES, HUGE_BYTES, ...REPLAYED, ...ROUND_TRIPS, ...DECODED, ...REQUESTED, ...EMITTER, ...MALFORMED, ...INCOMPLETE], alone));

// Who asks says where it wants the answers; who answers, where it gives them.
for (const specific of [[1, 0], [0, 1], [1, 1]])
  test(`classic, specific ${specific}`, (t) => play(t, `answers on channels of their own ${specific}`, DIRECTIONS,
    () => specific.map((own) => ({ adapter: "classic", recovery: 0, specific: own })), [
      ["R47: what is asked is answered", async (world) => {
        world.to.sent();
        assert.equal((await world.from.call({ op: "fetch" })).length, 4);
        assert.equal((await world.from.call({ op: "ask", timeout: 3000 }, "question")).answers.length, 4);
        assert.deepEqual((await world.from.call({ op: "notify-ask" }, "note", "reply", 1)).answers, [1]);
        const channels = world.to.sent("PUBLISH").map(([, channel]) => channel.toString()).filter((name) => /-response#\/#/.test(name));
        const own = channels.map((name) => /-response#\/#[\w-]{6}#$/.test(name));
        assert.deepEqual(own, [...Array(4).fill(specific[1] === 1), false]); // fetch, count, two answers; note
      }],
      ROOMS,
    ]));

test("classic, prefix", (t) => play(t, "another prefix", DIRECTIONS, () => ({ adapter: "classic", recovery: 0, prefix: "my.app" }), [
  ["R53: everything goes by the prefix", async (world) => {
    assert.deepEqual(await world.emit({ rooms: ["r1"] }, "hello"), all("f1 t1", ["hello"]));
    assert.equal((await world.from.call({ op: "fetch" })).length, 4);
    await world.redis.command("PUBLISH", "socket.io#/#", classicAround(Buffer.from([1])));
    await world.settle();
    assert.deepEqual(world.took(), {});
    const names = [...world.from.commands, ...world.to.commands].filter(([command]) => /^(PUBLISH|P?SUBSCRIBE)$/.test(command))
      .flatMap(([command, ...words]) => (command === "PUBLISH" ? [words[0]] : words));
    assert.ok(names.length > 0);
    for (const name of names) assert.match(name.toString(), /^my\.app(-request|-response)?#\//);
  }],
]));

test("classic, killed", (t) => play(t, "killed", KINDS, options, [
  ["R03: a node that is killed counts no more, at once", async (world) => {
    world.from.server.child.kill("SIGKILL");
    await until(async () => (await world.redis.command("PUBSUB", "NUMSUB", "socket.io-request#/#"))[1] === 0, "Redis to know");
    await world.peers.pop().kill(); // its relay, too
  }],
], () => {}));
