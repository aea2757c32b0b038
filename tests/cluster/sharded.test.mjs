// sharded.test.mjs -- the sharded adapter of @socket.io/redis-adapter, in each of
// its subscription modes, and what only it has.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { BROADCASTS, HUGE } from "./broadcasts.mjs";
import { bytesOf, decode, MESSAGES, notepack } from "./probe.mjs";
import { REQUESTS } from "./requests.mjs";
import { all, DIRECTIONS, KINDS, play, until } from "./world.mjs";

// The numbers of what is the same with the classic adapter belong there.
const again = (scenes) => scenes.map(([name, ...rest]) => [name.replace(/^(R\d+ ?)+: /, ""), ...rest]);
const options = (mode) => () => ({ adapter: "sharded", recovery: 0, ...(mode === "dynamic" ? {} : { mode }) });

const words = (commands) => commands.map((list) => list.map((word) => word.toString()));
const published = (world, peer = world.from) => peer.sent("SPUBLISH").map(([, channel, bytes]) => [channel.toString(), bytes]);

// The channel and bytes of what `spec` makes the node publish.
async function publishes(world, spec, ...args) {
  await world.settle();
  world.took();
  world.from.sent();
  await world.from.call({ op: "emit", ...spec }, ...args);
  let found;
  await until(() => (found = published(world).find(([, bytes]) => bytes.includes(args[0]))), `"${args[0]}"`);
  return found;
}

const channel = (number, what, spec, suffix) => [`${number}: ${what}`, async (world) => {
  const [where] = await publishes(world, typeof spec === "function" ? spec(world) : spec, "hello", "channel");
  assert.equal(where, `socket.io#/#${typeof suffix === "function" ? suffix(world) : suffix}`);
  await world.settle();
}];

const ROOM20 = "a-room-of-20-letters";

const joining = (number, own) => [`${number}: the first to join a room subscribes${own ? ", the last to leave ends it" : ": not in this mode"}`, async (world) => {
  const { f1, f2 } = world;
  const name = "socket.io#/#shared#";
  const subscribed = async () => (await world.redis.command("PUBSUB", "SHARDNUMSUB", name))[1];
  const commands = () => words(world.from.commands).filter(([command, of]) => /^S(UN)?SUBSCRIBE$/.test(command) && of === name).map(([command]) => command);
  world.from.sent();
  await world.ask(f1, "join", "shared");
  await until(async () => (await subscribed()) === Number(own), "the subscription");
  await world.ask(f2, "join", "shared");
  await world.ask(f1, "leave", "shared");
  await world.settle();
  assert.equal(await subscribed(), Number(own));
  await world.ask(f2, "leave", "shared");
  await world.settle();
  await until(async () => (await subscribed()) === 0, "its end");
  assert.deepEqual(commands(), own ? ["SSUBSCRIBE", "SUNSUBSCRIBE"] : []);
}];

// Joined again before Redis has said that the subscription has ended.
const REJOINED = ["R55: a room that is left and joined again at once is heard", async (world) => {
  for (let i = 0; i < 20; i++) {
    await world.ask(world.f1, "join", "again");
    await world.heard("again", 1);
    world.f1.socket.emit("leave", "again");
    await world.ask(world.f1, "join", "again");
    await world.settle();
    await world.heard("again", 1);
    world.took();
    await world.to.call({ op: "emit", rooms: ["again"] }, "hello", i);
    await world.settle();
    assert.deepEqual(world.took(), all("f1", ["hello", i]));
    await world.ask(world.f1, "leave", "again");
    await world.heard("again", 0);
  }
}, ([from]) => from === "node" && "the package `redis` forgets to subscribe"];

const MODES = {
  dynamic: [
    joining("R55", true),
    REJOINED,
    channel("R55", "one room has a channel", { rooms: ["r1"] }, "r1#"),
    channel("R55", "two rooms have none", { rooms: ["r1", "r2"] }, ""),
    channel("R58", "a room of 20 characters has none to publish on", { rooms: [ROOM20] }, ""),
    ["R58: and is heard all the same", async (world) => {
      await world.ask(world.t1, "join", ROOM20);
      await world.heard(ROOM20, 1);
      assert.deepEqual(await world.emit({ rooms: [ROOM20] }, "hello"), all("t1", ["hello"]));
      await world.ask(world.t1, "leave", ROOM20);
    }],
    channel("R59", "one socket has no channel", (w) => ({ rooms: [w.t1.id] }), ""),
    ["R59: an id of 20 characters, so that it reaches its socket", async (world) => {
      for (const { id } of [world.f1, world.t1]) assert.match(id, /^[\w-]{20}$/);
      assert.deepEqual(await world.emit({ rooms: [world.t1.id] }, "dm", 1), all("t1", ["dm", 1]));
    }],
    ["R60: JSON, MessagePack only around binary", async (world) => {
      const [, plain] = await publishes(world, {}, "hello", "é", null);
      const { uid, ...message } = JSON.parse(plain.toString());
      assert.match(uid, /^[0-9a-f]{16}$/);
      assert.equal(plain.toString(), JSON.stringify({ type: message.type, data: message.data, uid, nsp: message.nsp }));
      assert.deepEqual(message, { type: 3, nsp: "/",
        data: { packet: { type: 2, data: ["hello", "é", null] }, opts: { rooms: [], except: [], flags: {} } } });
      const [, packed] = await publishes(world, { rooms: ["r1"] }, "bin", Buffer.from([0, 1, 2, 255]));
      assert.deepEqual(Object.keys(notepack.decode(packed)), ["type", "data", "uid", "nsp"]);
      const captured = bytesOf(MESSAGES.find(({ name }) => name.includes("sharded-dynamic-13-emit-binary-room.1")));
      assert.equal(packed.toString("hex").replaceAll(Buffer.from(notepack.decode(packed).uid).toString("hex"), "UID"),
        notepackLike(captured, packed));
    }],
    ["R61: answers go to who has asked", async (world) => {
      world.from.sent();
      world.to.sent();
      await world.from.call({ op: "fetch" });
      await world.from.call({ op: "notify-ask" }, "note", "reply", 1);
      await world.from.call({ op: "ask", timeout: 3000 }, "question");
      const asked = published(world);
      const { uid } = decode(asked[0][1]);
      const answers = () => world.to.commands.filter(([command, name]) => command === "SPUBLISH" && name.toString() === `socket.io#/#${uid}#`);
      await until(() => answers().length >= 5, "the answers on the wire");
      assert.deepEqual(answers().map(([, , bytes]) => decode(bytes).type), [8, 10, 11, 12, 12]);
      assert.ok(asked.every(([name]) => name === "socket.io#/#"));
    }],
  ],
  static: [
    joining("R56", false),
    channel("R56", "one room has no channel", { rooms: ["r1"] }, ""),
    channel("R56", "nor has one socket", (w) => ({ rooms: [w.t1.id] }), ""),
  ],
  "dynamic-private": [
    joining("R57", true),
    channel("R57", "one room has a channel", { rooms: ["r1"] }, "r1#"),
    channel("R57", "one socket has one", (w) => ({ rooms: [w.t1.id] }), (w) => `${w.t1.id}#`),
    ["R57: every socket is subscribed to", async (world) => {
      const client = await world.client("f3", world.from);
      await until(async () => (await world.redis.command("PUBSUB", "SHARDNUMSUB", `socket.io#/#${client.id}#`))[1] === 1, "the subscription");
      await world.leave(client);
    }],
  ],
};

// The captured bytes with the event's own name and values of `bytes`.
function notepackLike(captured, bytes) {
  const [old, now] = [notepack.decode(captured), notepack.decode(bytes)];
  old.data.packet.data = now.data.packet.data;
  return notepack.encode(old).toString("hex").replaceAll(Buffer.from(old.uid).toString("hex"), "UID");
}

for (const [mode, scenes] of Object.entries(MODES))
  test(`sharded ${mode}`, (t) => play(t, `sharded ${mode}`, DIRECTIONS, options(mode), [...again([...BROADCASTS, HUGE, ...REQUESTS]), ...scenes]));

// -------------------------------------------------------------------- one node

const inject = async (world, bytes) => {
  world.took();
  await world.redis.command("SPUBLISH", "socket.io#/#", bytes);
  await world.fence();
  return world.took();
};

const REPLAYED = MESSAGES.filter(({ format, channel, frame }) => format === "sharded" && frame && /^socket\.io#\/#/.test(channel))
  .filter((vector) => decode(bytesOf(vector)).data.opts.rooms.every((room) => /^r[12]$/.test(room)))
  .map((vector) => [`${vector.name.replace(/^(R\d+ ?)*:? ?/, "R60: ")} is understood`, async (world) => {
    world.took();
    await world.redis.command("SPUBLISH", vector.channel, bytesOf(vector));
    await until(() => [world.p1, world.p2].some(({ frames }) => frames.includes(vector.frame)), vector.frame);
    await world.fence();
    world.took();
  }]);

const MALFORMED = [
  ["no JSON", "{nope", true],
  ["no MessagePack", Buffer.from([0xc1]), true],
  ["nothing at all", "", true],
  ["a type that is not known", '{"type":99,"data":{},"uid":"x","nsp":"/"}', true],
  ["heartbeats", '{"type":1,"uid":"x","nsp":"/"}', true],
  ["a node's farewell", '{"type":13,"uid":"x","nsp":"/"}', true],
  ["another namespace", '{"type":3,"data":{"packet":{"type":2,"data":["hello"]},"opts":{"rooms":[],"except":[],"flags":{}}},"uid":"x","nsp":"/other"}', true],
  ["a broadcast without data", '{"type":3,"uid":"x","nsp":"/"}'],
  ["a broadcast without options", '{"type":3,"data":{"packet":{"type":2,"data":["hello"]}},"uid":"x","nsp":"/"}'],
  ["a broadcast without a packet", '{"type":3,"data":{"opts":{"rooms":[],"except":[],"flags":{}}},"uid":"x","nsp":"/"}'],
  ["fetching without data", '{"type":7,"uid":"x","nsp":"/"}'],
  ["notifying with data of another kind", '{"type":9,"data":{"packet":5},"uid":"x","nsp":"/"}'],
].map(([what, text, node]) => [`R60: ${what} is ignored`, async (world) => {
  assert.deepEqual(await inject(world, text), {});
}, ([kind]) => kind === "node" && !node && "it costs Node's server its ears or its life"]);

async function alone(world) {
  world.started = world.from.sent("SSUBSCRIBE");
  await world.client("p1", world.from);
  await world.client("p2", world.from);
  await world.ask(world.p1, "join", "r1");
  await world.ask(world.p2, "join", "r2");
}

test("sharded, one node", (t) => play(t, "sharded", KINDS, options("dynamic"), [
  ["R54: a command for each channel", (world) => {
    const list = words(world.started);
    assert.ok(list.every((command) => command.length === 2), JSON.stringify(list));
    assert.deepEqual(list.map(([, name]) => name.replace(/[0-9a-f]{16}/, "UID")).sort(),
      ["/", "/admin", "/watch"].flatMap((nsp) => [`socket.io#${nsp}#`, `socket.io#${nsp}#UID#`]).sort());
  }],
  ...REPLAYED, ...MALFORMED,
], alone));

// ------------------------------------------------------------- recovery, frozen

// The adapter cannot recover, and the option is on: Node appends something all
// the same, "" where the event comes from and null elsewhere. Ours does not.
test("sharded, recovery", (t) => play(t, "sharded, recovery on", DIRECTIONS, () => ({ adapter: "sharded", recovery: 60000 }), [
  ["R63: no argument is added", async (world) => {
    const got = await world.emit({}, "hello", "x");
    const [here, there] = [world.from, world.to].map(({ kind }, i) => ["hello", "x", ...(kind === "node" ? [i ? null : ""] : [])]);
    assert.deepEqual(got, { ...all("f1 f2", here), ...all("t1 t2", there) });
  }],
]));

test("sharded, frozen", (t) => play(t, "sharded, a frozen peer", DIRECTIONS, options("dynamic"), [
  ["R62: who asks waits as long as it has said", async (world) => {
    process.kill(world.to.pid, "SIGSTOP");
    try {
      const begin = Date.now();
      await assert.rejects(world.from.call({ op: "fetch", timeout: 300 }), /timeout reached: only 0 responses received out of 1|operation has timed out/);
      assert.ok(Date.now() - begin < 1500, `${Date.now() - begin} ms`);
    } finally {
      process.kill(world.to.pid, "SIGCONT");
    }
    await world.settle();
  }],
]));
