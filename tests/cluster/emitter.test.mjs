// emitter.test.mjs -- <sio/emitter.h>: a program in C without a server, and what
// nodes in C and in JavaScript make of what it says.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import { test } from "node:test";
import { createInterface } from "node:readline";
import { root, within } from "../suites/support.mjs";
import { MESSAGES } from "./probe.mjs";
import { HAVE_REDIS, Redis, Relay } from "./redis.mjs";
import { all, play, until } from "./world.mjs";

const program = path.join(root, process.env.SIO_BUILD ?? "build/release", "servers/emitter");
const BOTH = [["node", "c"]];

class Emitter {
  #waiting = [];

  // Behind a relay, which knows what it says.
  static async start(redis, options) {
    const emitter = new Emitter();
    emitter.commands = [];
    emitter.relay = await Relay.start(redis.where);
    emitter.relay.onCommand = ([command, ...words]) => emitter.commands.push([command.toString(), ...words]);
    emitter.run([`url=redis://${emitter.relay.address}`, ...Object.entries(options).map(([name, value]) => `${name}=${value}`)]);
    return emitter;
  }

  run(words) {
    this.child = spawn(program, words, { stdio: ["pipe", "pipe", "pipe"] });
    this.said = "";
    this.child.stderr.on("data", (data) => (this.said += data));
    this.ended = new Promise((resolve) => this.child.once("close", (code, signal) => resolve({ code, signal })));
    createInterface({ input: this.child.stdout }).on("line", (line) => this.#waiting.shift()(JSON.parse(line)));
  }

  do(spec) {
    const answer = new Promise((resolve) => this.#waiting.push(resolve));
    this.child.stdin.write(JSON.stringify(spec) + "\n");
    return within(answer, `the emitter to ${spec.op}`);
  }

  async say(spec) {
    assert.equal(await this.do(spec), 0, JSON.stringify(spec));
    assert.equal(await this.do({ op: "flush", ms: 5000 }), 0, `it is there: ${this.said}`);
  }

  emit(spec, ...args) {
    return this.say({ op: "emit", ...spec, args });
  }

  async stop() {
    this.child.stdin.end();
    assert.deepEqual(await within(this.ended, "the emitter to end"), { code: 0, signal: null });
    await this.relay.stop();
  }
}

// ------------------------------------------------------------ what becomes of it

const rooms = async (world, client) => (await world.ask(client, "rooms")).filter((room) => room !== client.id);

async function emitted(world, spec, ...args) {
  world.took();
  await world.emitter.emit(spec, ...args);
  await world.fence();
  return world.took();
}

const SCENES = [
  ["to all", async (world) => assert.deepEqual(await emitted(world, {}, "hello", 1, "é", { a: [null, true] }), all("f1 f2 t1 t2", ["hello", 1, "é", { a: [null, true] }]))],
  ["to a room", async (world) => assert.deepEqual(await emitted(world, { rooms: ["r1"] }, "hello"), all("f1 t1", ["hello"]))],
  ["to two rooms, but for one", async (world) =>
    assert.deepEqual(await emitted(world, { rooms: ["r1", "r2"], except: ["r1"] }, "hello"), all("f2 t2", ["hello"]))],
  ["to one socket", async (world) => {
    assert.deepEqual(await emitted(world, { rooms: [world.f1.id] }, "hello"), all("f1", ["hello"]));
    assert.deepEqual(await emitted(world, { rooms: [world.t2.id] }, "hello"), all("t2", ["hello"]));
  }],
  ["binary", async (world) => assert.deepEqual(await emitted(world, {}, "bin", { hex: "00ff10" }), all("f1 f2 t1 t2", ["bin", Buffer.from([0, 255, 16])]))],
  ["volatile, uncompressed", async (world) =>
    assert.deepEqual(await emitted(world, { flags: ["volatile", "no compress"] }, "hello"), all("f1 f2 t1 t2", ["hello"]))],
  ["a namespace, with and without its slash", async (world) => {
    assert.deepEqual(await emitted(world, { nsp: "/watch" }, "hello"), all("fc tc", ["hello"]));
    assert.deepEqual(await emitted(world, { nsp: "watch" }, "hello"), all("fc tc", ["hello"]));
  }],
  ["joining and leaving", async (world) => {
    await world.emitter.say({ op: "join", rooms: ["r1"], to: ["ej", "ek"] });
    await world.fence();
    for (const client of [world.f1, world.t1]) assert.deepEqual((await rooms(world, client)).sort(), ["ej", "ek", "r1"]);
    for (const client of [world.f2, world.t2]) assert.deepEqual(await rooms(world, client), ["r2"]);
    await world.emitter.say({ op: "leave", except: ["r2"], to: ["ej", "ek"] });
    await world.fence();
    for (const client of [world.f1, world.t1]) assert.deepEqual(await rooms(world, client), ["r1"]);
  }],
  ["to the servers", async (world) => {
    await world.emitter.say({ op: "notify", args: ["note", "from the emitter", 1] });
    await world.fence();
    for (const peer of [world.from, world.to]) {
      let seen = [];
      await until(async () => (seen = await peer.call({ op: "seen" })).length > 0, "the servers to know");
      assert.deepEqual(seen, [["from the emitter", 1]]);
    }
  }],
  ["disconnecting, with and without the connection", async (world) => {
    for (const close of [false, true]) {
      const gone = await Promise.all([["x1", world.from], ["x2", world.to]].map(([name, peer]) => world.client(name, peer)));
      const others = gone.map(({ socket }) => socket.io.socket("/watch"));
      await until(() => others.every(({ connected }) => connected), "their other namespace");
      for (const client of gone) await world.ask(client, "join", ["leaving"]);
      await world.emitter.say({ op: "disconnect", rooms: ["leaving"], close });
      await until(() => gone.every(({ socket }) => !socket.connected), "them to go");
      if (close) await until(() => others.every(({ connected }) => !connected), "their connections to go");
      assert.deepEqual(others.map(({ connected }) => connected), [!close, !close]);
      for (const other of others) other.disconnect();
      await world.leave(...gone);
    }
    world.took();
  }],
  ["many, by four threads, in the order of each", async (world) => {
    world.took();
    await world.emitter.say({ op: "many", count: 500 });
    await world.fence();
    for (const events of Object.values(world.took())) {
      assert.equal(events.length, 2000);
      const at = new Map();
      for (const [, i] of events) at.set(i, (at.get(i) ?? 0) + 1);
      for (let i = 0; i < 500; i++) assert.equal(at.get(i), 4);
    }
    const { sent, dropped, pending, queued } = await world.emitter.do({ op: "stats" });
    assert.deepEqual({ dropped, pending, queued }, { dropped: 0, pending: 0, queued: 0 });
    assert.ok(sent > 2000);
  }],
  ["what cannot be", async (world) => {
    assert.equal(await world.emitter.do({ op: "emit", args: ["connect"] }), -9);
    assert.equal(await world.emitter.do({ op: "notify", args: ["connection"] }), -9);
    assert.equal(await world.emitter.do({ op: "emit", rooms: [..."abcdefghi"], args: ["hello"] }), -3);
  }],
  ["it has ended well", async (world) => {
    await world.emitter.stop();
    assert.doesNotMatch(world.emitter.said, /^[01] /m);
  }],
];

for (const [adapter, number, more] of [["classic", "R52"], ["sharded", "R52", { recovery: 0 }], ["streams", "R73", { recovery: 60000 }]])
  test(`the emitter, ${adapter}`, (t) => play(t, `emitter, ${adapter}`, BOTH, () => ({ adapter, ...more }),
    SCENES.map(([name, run]) => [`${number}: ${name}`, run]), async (world) => {
      world.offsets = true;
      await world.people();
      world.emitter = await Emitter.start(world.redis, { adapter });
    }));

// ------------------------------------------------------------------- its bytes

// What Node's emitters were asked for when the captures were made.
const ALL = { op: "emit", args: ["hello", "x", { n: 1 }] };
const CALLS = {
  "redis-emitter-01": ALL,
  "redis-emitter-02": { op: "emit", rooms: ["r1"], args: ["hello", "r"] },
  "redis-emitter-03": { op: "emit", rooms: ["r1", "r2"], except: ["r1"], args: ["hello", "r"] },
  "redis-emitter-04": { op: "emit", flags: ["volatile", "no compress"], args: ["hello", "v"] },
  "redis-emitter-05": { op: "emit", args: ["bin", { hex: "010203" }] },
  "redis-emitter-06": { op: "emit", nsp: "/chat", args: ["hello", "c"] },
  "redis-emitter-07": { op: "emit", nsp: "chat", rooms: ["z"], args: ["hello", "c"] },
  "redis-emitter-08": { op: "join", rooms: ["r1"], except: ["r2"], to: ["ej"] },
  "redis-emitter-10": { op: "leave", rooms: ["r1"], to: ["ej", "ek"] },
  "redis-emitter-11": { op: "notify", args: ["sse", "from emitter", 1] },
  "redis-emitter-15": { op: "disconnect", rooms: ["r2"], close: false },
  "redis-emitter-16": { op: "disconnect", close: true },
  "streams-emitter-01": ALL,
  "streams-emitter-02": { op: "emit", rooms: ["r1"], except: ["r2"], flags: ["volatile", "no compress"], args: ["hello", "r"] },
  "streams-emitter-03": { op: "emit", args: ["bin", { hex: "010203" }] },
  "streams-emitter-04": { op: "emit", nsp: "/chat", args: ["hello", "c"] },
  "streams-emitter-06": { op: "join", rooms: ["r1"], to: ["ej"] },
  "streams-emitter-07": { op: "leave", rooms: ["r1"], to: ["ej"] },
  "streams-emitter-08": { op: "notify", args: ["sse", "from emitter", 1] },
  "streams-emitter-09": { op: "disconnect", rooms: ["r1"], close: true },
};

for (const adapter of ["classic", "streams"])
  test(`the emitter's bytes, ${adapter}`, { skip: !HAVE_REDIS && "redis-server is not installed" }, async (t) => {
    const redis = await Redis.start();
    const emitter = await Emitter.start(redis, { adapter });
    try {
      for (const [id, call] of Object.entries(CALLS).filter(([id]) => id.startsWith(adapter === "classic" ? "redis" : "streams"))) {
        const vector = MESSAGES.find(({ name }) => name.includes(id));
        await t.test(`${vector.name}: the bytes of Node's emitter`, async () => {
          emitter.commands.length = 0;
          await emitter.say(call);
          const [[command, ...words]] = emitter.commands.filter(([command]) => command === "PUBLISH" || command === "XADD");
          if (adapter === "streams") {
            assert.deepEqual([command, ...words.map(String)], ["XADD", "socket.io", "MAXLEN", "~", "10000", "*", ...vector.fields]);
          } else {
            assert.deepEqual([command, words[0].toString()], ["PUBLISH", vector.channel]);
            assert.equal(words[1].toString("hex"), vector.hex ?? Buffer.from(vector.text).toString("hex"));
          }
        });
      }
      await emitter.stop();
    } finally {
      emitter.child.kill();
      await redis.stop();
    }
  });

// ------------------------------------------------------------------- Redis away

test("the emitter, Redis away", { skip: !HAVE_REDIS && "redis-server is not installed" }, async (t) => {
  const redis = await Redis.start();
  const emitter = await Emitter.start(redis, { command: 1000, max_queued: 4096 });
  try {
    await t.test("R52: what waits is sent when it is back", async () => {
      await emitter.say(ALL);
      emitter.relay.refusing = true;
      emitter.relay.cut();
      await until(() => /Redis is away/.test(emitter.said), "it to see that");
      assert.equal(await emitter.do(ALL), 0);
      assert.equal(await emitter.do({ op: "flush", ms: 1 }), -8);
      emitter.relay.refusing = false;
      assert.equal(await emitter.do({ op: "flush", ms: 5000 }), 0);
    });
    await t.test("R52: what has waited too long is lost, which a flush tells once", async () => {
      emitter.relay.refusing = true;
      emitter.relay.cut();
      assert.equal(await emitter.do(ALL), 0);
      assert.equal(await emitter.do({ op: "flush", ms: 5000 }), -5);
      assert.equal(await emitter.do({ op: "flush", ms: 5000 }), 0);
      assert.match(emitter.said, /a message did not reach Redis/);
    });
    await t.test("R52: what would be too much is refused", async () => {
      let r = 0, n = 0;
      while ((r = await emitter.do(ALL)) === 0) n++;
      assert.equal(r, -3);
      assert.ok(n > 3 && n < 20, String(n));
      assert.ok((await emitter.do({ op: "stats" })).queued <= 4096);
      emitter.relay.refusing = false;
      await until(async () => (await emitter.do({ op: "stats" })).pending === 0, "it to be sent, or lost");
    });
    await emitter.stop();
  } finally {
    emitter.child.kill();
    await redis.stop();
  }
});

test("the emitter, options that cannot be", async (t) => {
  for (const [what, words, why] of [
    ["no such url", ["url=http://x"], /not the url of a Redis server/],
    ["too many streams", ["adapter=streams", "streams=257"], /stream_count/],
  ])
    await t.test(`R52: ${what}`, async () => {
      const emitter = new Emitter();
      emitter.run(words);
      assert.equal((await within(emitter.ended, "it to end")).code, 1);
      assert.match(emitter.said, why);
    });
});
