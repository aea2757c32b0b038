// faults.test.mjs -- what goes wrong around a cluster while clients of both
// nodes emit all the while: Redis ends, or freezes; connections are cut, amid a
// message too, or nothing passes; a node is killed, or freezes. Nothing ends that
// was not ended, clients of one node always hear each other, nothing comes twice
// or out of order, all heals by itself; what may be lost is what each row says.
//
// The node that is hurt is the first one of a pair. `make faults` runs all pairs
// with longer faults and writes what it has seen into docs/CLUSTER.md; `make
// test` has each fault once between nodes of ours, and some beside a Node's, with
// deadlines so long that how fast the machine is does not matter.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { root, within } from "../suites/support.mjs";
import { cell, Faults, withPart, writePart } from "./faults-page.mjs";
import { PATIENCE_MS, Traffic } from "./traffic.mjs";
import { DIRECTIONS, until, Unsupported, World } from "./world.mjs";

const ALL = Boolean(process.env.SIO_FAULTS);
const LENGTH = ALL ? 100 : 40; // of a fault, in events of one client: 10 ms each
// Where nothing is said of it, commands end before that only if Redis is gone.
const CALM = ALL ? {} : { commandTimeout: PATIENCE_MS };
const RECOVERING = "streams with recovery"; // a node's own events wait for Redis, too
const ADAPTERS = ["classic", "sharded", "streams", RECOVERING];
const MESSAGE = /^conformance: cluster: other servers may not be reached: .+$/;
const UNHANDLED = /^unhandled: /;
const page = new Faults();

// ------------------------------------------------------------------- the nodes

const ours = (world) => world.peers.filter(({ kind }) => kind === "c");

async function counters(peer) {
  return (await within(fetch(`${peer.url}/cluster`), `the counters of ${peer.name}`)).json();
}

const inState = (peer, state) =>
  until(async () => (await counters(peer)).state === state, `${peer.name} to be ${state}`, PATIENCE_MS);

// What the counters of our nodes say meanwhile: the most that has waited.
class Watch {
  static async start(world) {
    const watch = new Watch();
    watch.peers = ours(world);
    watch.before = await Promise.all(watch.peers.map(counters));
    watch.queued = watch.peers.map(() => 0);
    watch.stopped = false;
    watch.frozen = new Set(); // who cannot answer
    watch.loop = watch.#run();
    return watch;
  }

  async #run() {
    while (!this.stopped) {
      for (const [i, peer] of this.peers.entries())
        if (!this.frozen.has(peer)) this.queued[i] = Math.max(this.queued[i], await counters(peer).then(({ queued }) => queued, () => 0));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  // Per node of ours: { peer, queued, dropped, disconnects, heap }.
  async stop() {
    this.stopped = true;
    await this.loop;
    const after = await Promise.all(this.peers.map(counters));
    return this.peers.map((peer, i) => ({
      peer,
      queued: this.queued[i],
      dropped: after[i].dropped - this.before[i].dropped,
      disconnects: after[i].disconnects - this.before[i].disconnects,
      heap: after[i].heap - this.before[i].heap,
    }));
  }
}

// ------------------------------------------------------------------ the faults

// So long as LENGTH more events are sent, and heard by whom they are from at the
// same node; but Node's sharded and streams adapters wait for Redis before they
// send anything to their own clients, and so does a node of ours that recovers.
async function lasts(world, flow, names = ["f1", "t1"]) {
  await Promise.all(names.map((name) => {
    const waits = world.recovers || (name === "f1" ? world.from : world.to).kind !== "c";
    const count = () => (!waits ? flow.own[name].heard.size : flow.sent[name].length);
    const goal = count() + LENGTH;
    return until(() => count() >= goal, `${name} to hear its own events`, PATIENCE_MS);
  }));
}

// A question to all nodes, of one that cannot reach them, does not wait for them.
const failsToAsk = (peer) => assert.rejects(peer.call({ op: "fetch" }), /not possible in the present state/);

// Redis ends, for whoever connects to it, too.
async function ends(world, meanwhile = () => {}) {
  for (const { relay } of world.peers) relay.deafen();
  await world.redis.restart(meanwhile);
  for (const { relay } of world.peers) await relay.listen();
}

// name; number: of the checklist; mixed: pairs of `make test`, besides two of
// ours; hurt(world, flow, watch), over when the fault is; options of the nodes;
// breaks: whose connections are lost, "both" or "hurt"; keeps: which ways lose
// nothing, between nodes of ours; size: bytes more in each event.
const FAULTS = [
  {
    name: "Redis ends, and starts again",
    number: "R51: ",
    breaks: "both",
    mixed: ["c node", "node c"],
    hurt: (world) => ends(world),
  },
  {
    name: "Redis is away",
    breaks: "both",
    hurt: (world, flow) => ends(world, async () => {
      await Promise.all(ours(world).map((peer) => inState(peer, "degraded")));
      await Promise.all(ours(world).map(failsToAsk));
      await lasts(world, flow);
    }),
  },
  {
    name: "Redis freezes",
    keeps: ["away", "back"],
    hurt: async (world, flow) => {
      world.redis.freeze();
      await lasts(world, flow);
      world.redis.thaw();
    },
  },
  {
    name: "Redis freezes for longer than commands may take",
    options: { commandTimeout: 500 },
    breaks: "both",
    hurt: async (world, flow) => {
      world.redis.freeze();
      await Promise.all(ours(world).map((peer) => inState(peer, "degraded")));
      await lasts(world, flow);
      world.redis.thaw();
    },
  },
  {
    name: "Redis freezes, and more is sent than may wait",
    options: { ...CALM, maxQueued: 20000 },
    size: 1000,
    most: 20000,
    hurt: async (world, flow) => {
      world.redis.freeze();
      await lasts(world, flow);
      world.redis.thaw();
    },
  },
  {
    name: "its connections are cut",
    breaks: "hurt",
    hurt: (world) => world.from.relay.cut(),
  },
  {
    name: "a connection is cut amid a message from Redis",
    breaks: "hurt",
    mixed: ["c node", "node c"],
    hurt: (world) => within(world.from.relay.cutWithin("down"), "a message to cut"),
  },
  {
    name: "a connection is cut amid a command to Redis",
    breaks: "hurt",
    mixed: ["c node", "node c"],
    hurt: (world) => within(world.from.relay.cutWithin("up"), "a command to cut"),
  },
  {
    name: "nothing passes between it and Redis",
    keeps: ["away", "back"],
    hurt: async (world, flow) => {
      world.from.relay.hold();
      await lasts(world, flow);
      world.from.relay.release();
    },
  },
  {
    name: "it freezes",
    keeps: ["away", "back"],
    frozen: true,
    hurt: async (world, flow, watch) => {
      watch.frozen.add(world.from);
      process.kill(world.from.pid, "SIGSTOP");
      await lasts(world, flow, ["t1"]);
      process.kill(world.from.pid, "SIGCONT");
      watch.frozen.delete(world.from);
    },
  },
];

// ------------------------------------------------------------------- the tests

const quiet = { recovery: 0, pingInterval: 20000, pingTimeout: 20000 };

// Node's adapters leave promises unhandled when Redis is gone. Their servers are
// kept alive here, so that there is more to see; that they would have ended is
// told on the page.
async function nodes(kinds, adapter, options = CALM) {
  const recovers = adapter === RECOVERING;
  const all = recovers ? { ...quiet, adapter: "streams", recovery: 60000 } : { ...quiet, adapter };
  const world = await World.start(kinds, kinds.map((kind) => ({ ...all, ...(kind === "c" ? options : { survive: 1 }) })));
  world.recovers = recovers;
  for (const [name, peer] of [["f1", world.from], ["t1", world.to]])
    await world.ask(await world.client(name, peer), "join", "everybody");
  await world.heard("everybody", 2);
  return world;
}

// What a client of a node of ours hears of itself, whatever happens. `overtakes`:
// what may not wait is ahead of what does.
const checkOwn = (own, name, overtakes) =>
  assert.deepEqual([own.lost, own.twice, overtakes ? 0 : own.disorder], [0, 0, 0], `${name} and itself`);

// What holds of each node of ours once it is over.
function checkNode(fault, { peer, queued, heap, disconnects }, hurt) {
  const broken = fault.breaks === "both" || (fault.breaks && hurt);
  assert.ok(queued <= (fault.most ?? 1 << 20), `${queued} bytes have waited`);
  assert.ok(heap < 1 << 20, `the heap has grown by ${heap} bytes`);
  assert.equal(disconnects > 0, Boolean(broken), `${disconnects} connections of ${peer.name} were lost`);
  const lines = peer.server.errors.split("\n").filter(Boolean);
  assert.equal(lines.length > 0, Boolean(broken), peer.server.errors);
  for (const line of lines) assert.match(line, MESSAGE);
  peer.server.errors = "";
}

async function suffer(world, kinds, fault, flow) {
  const watch = await Watch.start(world);
  try {
    await flow.well(0, "before");
    await fault.hurt(world, flow, watch);
    const end = performance.now();
    // One of Node's servers may not heal: then that is what the page says.
    let heals = await flow.well(end, "again").then(() => true, (error) => {
      if (!kinds.includes("node")) throw error;
      return false;
    });
    heals = await flow.stop() && heals;
    for (const peer of ours(world)) {
      await inState(peer, "ready");
      await until(async () => !(await counters(peer)).queued, "nothing to wait", PATIENCE_MS);
    }
    const seen = await watch.stop();
    return { seen, heals, ways: [result(flow, "away", world.from, seen, end), result(flow, "back", world.to, seen, end)] };
  } finally {
    watch.stopped = true;
  }
}

function result(flow, name, sender, seen, end) {
  const way = flow[name];
  return { name, sent: way.sent.length, lost: way.lost, twice: way.twice, disorder: way.disorder,
    told: seen.find(({ peer }) => peer === sender)?.dropped ?? null, healed: way.healed(end) };
}

function check(world, kinds, fault, flow, { seen, ways }) {
  for (const { peer } of seen) {
    const name = peer === world.from ? "f1" : "t1";
    checkOwn(flow.own[name], name, world.recovers && fault.most);
  }
  for (const one of seen) checkNode(fault, one, one.peer === world.from);
  if (kinds.includes("node")) return;
  for (const way of ways) {
    const what = JSON.stringify(way);
    assert.deepEqual([way.twice, way.disorder], [0, 0], what);
    assert.notEqual(way.healed, null, what);
    if (fault.keeps?.includes(way.name)) assert.equal(way.lost, 0, what);
    if (fault.most) assert.ok(way.lost > 0, what);
    if (fault.most) assert.equal(way.lost, way.told, what);
  }
}

const wanted = (adapter, kinds, fault) =>
  ALL || kinds.join() === "c,c" || (adapter !== RECOVERING && fault.mixed?.includes(kinds.join(" ")));

// Node's servers that would have ended: what they have said is taken from them.
function mortal(world) {
  const ended = world.peers.filter(({ kind, server }) => kind === "node" && UNHANDLED.test(server.errors));
  for (const { server } of ended) server.errors = "";
  return ended.map(({ name }) => name);
}

// Two nodes, their traffic, and what run() does to them; it says whether they may
// have something to complain of.
async function scene(adapter, kinds, fault, run) {
  const world = await nodes(kinds, adapter, fault.options);
  const flow = new Traffic(world, fault);
  try {
    const rough = await run(world, flow);
    flow.end();
    await world.stop({ rough });
  } catch (error) {
    flow.end();
    await world.abandon();
    throw error;
  }
}

const once = (adapter, kinds, fault) => scene(adapter, kinds, fault, async (world, flow) => {
  const seen = await suffer(world, kinds, fault, flow);
  page.add(adapter, fault.name, kinds, seen.ways, mortal(world));
  if (!fault.frozen) page.home(adapter, fault.name, kinds, flow.own.f1);
  check(world, kinds, fault, flow, seen);
  return !seen.heals;
});

// How long it takes until a question of `peer` is answered by all there are.
async function answered(peer, count) {
  const begin = performance.now();
  await until(async () => (await peer.call({ op: "fetch" }).catch(() => [])).length === count, "all to answer");
  return Math.round(performance.now() - begin);
}

const REQUESTS = { options: { ...CALM, requestsTimeout: ALL ? 5000 : 500 }, mixed: ["node c"] };

// The first node is killed; later there is another one.
const killed = (adapter, kinds) => scene(adapter, kinds, REQUESTS, async (world, flow) => {
  await flow.well(0, "before");
  flow.end(["f1"]);
  world.peers.splice(world.peers.indexOf(world.from), 1);
  world.clients = world.clients.filter(({ peer }) => peer !== world.from);
  await world.from.kill();
  const ms = await answered(world.to, 1);
  page.note(adapter, "it is killed: others ask in vain for", kinds, `${ms} ms`);
  await lasts(world, flow, ["t1"]);
  flow.end();
  await until(() => flow.own.t1.last === flow.own.t1.sent.length - 1, "its own last event");
  world.t1.socket.off("n");
  await world.add(kinds[0], "u", world.options[0]);
  await world.joined();
  await world.ask(await world.client("f1", world.u), "join", "everybody");
  await world.heard("everybody", 2);
  const begin = performance.now();
  const again = new Traffic(world);
  await again.well(begin, "from and to the new node").finally(() => again.end());
  await answered(world.to, 2);
  checkOwn(flow.own.t1, "t1");
  assert.deepEqual([flow.away.twice, flow.away.disorder], [0, 0]);
});

// The first node is frozen while it is asked.
const hanging = (adapter, kinds) => scene(adapter, kinds, REQUESTS, async (world, flow) => {
  await flow.well(0, "before");
  const begin = performance.now();
  process.kill(world.from.pid, "SIGSTOP");
  try {
    const asked = world.to.call({ op: "fetch" }).then(() => "answered", ({ message }) => message);
    await lasts(world, flow, ["t1"]);
    const what = await asked;
    const ms = Math.round(performance.now() - begin);
    page.note(adapter, "it freezes: a question fails after", kinds, `${ms} ms`);
    if (kinds[1] === "c") {
      assert.equal(what, "operation has timed out");
      assert.ok(ms > REQUESTS.options.requestsTimeout - 50, `${ms} ms`); // clocks differ
    }
  } finally {
    process.kill(world.from.pid, "SIGCONT");
  }
  page.note(adapter, "it goes on: questions are answered after", kinds, `${await answered(world.to, 2)} ms`);
  await flow.stop();
  for (const way of [flow.away, flow.back, flow.own.t1])
    assert.deepEqual([way.lost, way.twice, way.disorder], [0, 0, 0]);
});

const SCENES = [
  ...FAULTS.map((fault) => [`${fault.number ?? ""}${fault.name}`, fault, (adapter, kinds) => once(adapter, kinds, fault)]),
  ["R3: it is killed", REQUESTS, killed],
  ["R48: it freezes, and is asked", REQUESTS, hanging],
];

async function all(t, adapter) {
  for (const kinds of DIRECTIONS)
    for (const [name, fault, run] of SCENES) {
      if (!wanted(adapter, kinds, fault)) continue;
      await t.test(`${name} (${adapter}, ${kinds.join(" -> ")})`, async (t) => {
        try {
          await run(adapter, kinds);
        } catch (error) {
          if (!(error instanceof Unsupported)) {
            page.spoilt = true;
            throw error;
          }
          t.skip(error.message);
        }
      });
    }
}

test("faults", { concurrency: ALL ? 1 : ADAPTERS.length }, async (t) => {
  await Promise.all(ADAPTERS.map((adapter) => t.test(adapter, (t) => all(t, adapter))));
  if (ALL && !page.spoilt) writePart(path.join(root, "docs/CLUSTER.md"), "faults", page.text());
});

test("what a page says of a fault", () => {
  assert.equal(cell({ sent: 120, lost: 9, told: 1, healed: 137 }), "9 of 120 lost, 1 told; 137 ms");
  assert.equal(cell({ sent: 120, lost: 0, told: null, healed: null }, true), "none of 120 lost; not healed †");
  const marks = ["<!-- x: written by `make x` -->", "<!-- end of x -->"];
  assert.equal(withPart(`a\n${marks.join("old")}\nb`, "x", "new\n"), `a\n${marks.join("\n\nnew\n\n")}\nb`);
  assert.throws(() => withPart("a", "x", "new"), /no part/);
});
