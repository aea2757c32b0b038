// masters.test.mjs -- nodes of ours and of Node's at a Redis Cluster of three
// masters: the channels of the sharded adapter are at different ones, and move
// while it runs; what the classic adapter publishes is passed on among them.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Masters, missing } from "../e2e/redis-servers.mjs";
import { BROADCASTS, HUGE } from "./broadcasts.mjs";
import { Connection } from "./redis.mjs";
import { REQUESTS } from "./requests.mjs";
import { DIRECTIONS, play, until, World } from "./world.mjs";

// What a World knows of its Redis, of all masters together.
class Cluster {
  static async start() {
    const cluster = new Cluster();
    cluster.masters = await Masters.start();
    cluster.address = `127.0.0.1:${cluster.masters.list[0].port}`;
    cluster.connections = cluster.masters.list.map(({ port }) => new Connection({ host: "127.0.0.1", port }));
    return cluster;
  }

  everywhere(...words) {
    return Promise.all(this.connections.map((connection) => connection.command(...words)));
  }

  // PUBSUB NUMSUB and the like of one channel.
  async command(...words) {
    const answers = await this.everywhere(...words);
    return [words.at(-1), answers.reduce((sum, [, n]) => sum + n, 0)];
  }

  stop() {} // others come

  async end() {
    await Promise.all(this.connections.map((connection) => connection.close()));
    await this.masters.stop();
  }
}

let cluster;
before(async () => {
  if (!missing) cluster = await Cluster.start();
}, { timeout: 60000 });
after(() => cluster?.end());

const MIXED = DIRECTIONS.filter((kinds) => kinds.includes("c"));

// The numbers of what is the same with one Redis belong there.
const again = (scenes) => scenes.map(([name, ...rest]) => [name.replace(/^(R\d+ ?)+: /, ""), ...rest]);

// A prefix with which what is for everybody, for r1 and for r2 is at three
// masters.
async function apart() {
  const { masters } = cluster;
  for (let i = 0; ; i++) {
    const slots = await Promise.all(["", "r1#", "r2#"].map((room) => masters.slot(`p${i}#/#${room}`)));
    if (new Set(slots.map((slot) => masters.of(slot))).size === 3) return `p${i}`;
  }
}

// The rows of one Redis hold; here, too, it is a room's channel that a room is
// published on.
test("sharded, Redis Cluster", { skip: missing }, async (t) => {
  const prefix = await apart();
  await play(t, "sharded, Redis Cluster", MIXED, () => ({ adapter: "sharded", recovery: 0, cluster: 1, prefix }),
    again([...BROADCASTS, HUGE, ...REQUESTS]), undefined, { redis: cluster });
});

test("classic, Redis Cluster", { skip: missing }, (t) =>
  play(t, "classic, Redis Cluster", [["c", "c"]], () => ({ adapter: "classic", recovery: 0, cluster: 1 }),
    again([...BROADCASTS, HUGE, ...REQUESTS]), undefined, { redis: cluster }));

// Node's package `redis` publishes at each master in turn: what one of its nodes
// says last need not come last, so that these wait for what is to come.
const numbers = [...Array(9).keys()];

const everyOne = (name, spec, who) => [name, async (world) => {
  for (const peer of world.peers) {
    world.took();
    for (const i of numbers) await peer.call({ op: "emit", ...spec }, "hello", i);
    const clients = who.split(" ").map((client) => world[client]);
    await until(() => clients.every(({ got }) => got.length >= numbers.length), "all of them");
    const got = Object.entries(world.took()).map(([client, events]) => [client, events.map(([, i]) => i).sort()]);
    assert.deepEqual(Object.fromEntries(got), Object.fromEntries(who.split(" ").map((client) => [client, numbers])));
  }
}];

const ANY_ORDER = [
  everyOne("what is for everybody", {}, "f1 f2 t1 t2"),
  everyOne("what is for a room", { rooms: ["r1"] }, "f1 t1"),
  everyOne("what is for all but a room", { except: ["r1"] }, "f2 t2"),
  ["sockets are told of, and answer", async (world) => {
    for (const peer of world.peers) {
      const list = await peer.call({ op: "fetch", rooms: ["r1"] });
      assert.deepEqual(list.map(({ id }) => id), [world.f1.id, world.t1.id].sort());
      const { error, answers } = await peer.call({ op: "ask", timeout: 3000 }, "question");
      assert.deepEqual([error, answers.sort()], [null, ["f1", "f2", "t1", "t2"]]);
      const told = await peer.call({ op: "notify-ask" }, "note", "reply", 5);
      assert.deepEqual(told, { error: null, answers: [5] });
    }
  }],
  ["sockets are moved", async (world) => {
    for (const [i, peer] of world.peers.entries()) {
      await peer.call({ op: "join", rooms: ["r2"], to: [`r3${i}`] });
      await until(async () => (await peer.call({ op: "fetch", rooms: [`r3${i}`] })).length === 2, "both to join");
    }
  }],
];

test("classic, Redis Cluster, with Node", { skip: missing }, (t) =>
  play(t, "classic, Redis Cluster", [["node", "c"]], () => ({ adapter: "classic", recovery: 0, cluster: 1 }), ANY_ORDER, undefined, { redis: cluster }));

// ------------------------------------------------------------------ moving slots

const mine = (clients) => clients.filter(({ peer }) => peer.kind === "c");
const heardBy = (client, event) => client.got.filter(([name]) => name === event).map(([, i]) => i);

// Our nodes' clients hear again what either node says, once, in order. What is
// said just then may be lost, and Node's package subscribes nowhere again.
async function heardAgain(world, spec, clients) {
  for (const peer of world.peers) {
    const say = (...args) => peer.call({ op: "emit", ...spec }, ...args);
    await until(async () => (await say("try"), mine(clients).every((client) => heardBy(client, "try").length)), "all to hear something");
    for (let i = 0; i < 20; i++) await say("said", i);
    await say("end");
    await until(() => mine(clients).every((client) => heardBy(client, "end").length), "all to hear the end");
    for (const client of mine(clients)) assert.deepEqual(heardBy(client, "said"), [...Array(20).keys()], client.name);
    world.took();
  }
}

const moved = async (channel) => {
  const { masters } = cluster, slot = await masters.slot(channel);
  await masters.move(slot, masters.another(slot));
};

const MOVES = [
  ["R54: the channels of answers move to other masters", async (world, prefix) => {
    const names = (await cluster.everywhere("PUBSUB", "SHARDCHANNELS", `${prefix}#/#*`)).flat().map(String);
    const own = names.filter((name) => /#\/#[0-9a-f]{16}#$/.test(name));
    assert.equal(own.length, 2);
    for (const name of own) await moved(name);
    const ids = world.clients.filter(({ nsp }) => nsp === "/").map(({ id }) => id).sort();
    for (const peer of world.peers.filter(({ kind }) => kind === "c")) {
      const fetch = () => peer.call({ op: "fetch" }).then((list) => list.map(({ id }) => id), () => []);
      await until(async () => (await fetch()).length === ids.length, "an answer");
      assert.deepEqual(await fetch(), ids);
    }
  }],
  ["R54: the channel of a room moves to another master", async (world, prefix) => {
    await moved(`${prefix}#/#r1#`);
    await heardAgain(world, { rooms: ["r1"] }, [world.f1, world.t1]);
  }],
  ["R54: the channel of everybody moves to another master", async (world, prefix) => {
    await moved(`${prefix}#/#`);
    await heardAgain(world, {}, [world.f1, world.f2, world.t1, world.t2]);
  }],
];

test("sharded, slots that move", { skip: missing }, async (t) => {
  for (const kinds of MIXED) {
    const prefix = await apart();
    const world = await World.start(kinds, { adapter: "sharded", recovery: 0, cluster: 1, prefix, requestsTimeout: 1000 }, { redis: cluster });
    await world.people().catch(async (error) => {
      await world.abandon();
      throw error;
    });
    for (const [name, run] of MOVES) await t.test(`${name} (${kinds.join(" -> ")})`, () => run(world, prefix));
    await world.stop({ rough: true }); // it logs what is not heard meanwhile
  }
});
