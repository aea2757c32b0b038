// world.mjs -- nodes of both kinds at one private Redis, clients of theirs, and
// what these have received.
//
// Two nodes, `from` and `to`, each "node" (Node's server) or "c" (ours): the
// four directions. Their clients f1, f2 and t1, t2 are in "/"; fc and tc, in
// "/watch", are also those that ask for calls (node-calls.mjs).
//
// A node that cannot be had is told by Unsupported; its tests are skipped.
//
// SPDX-License-Identifier: MIT
import "../exit.mjs";
import assert from "node:assert/strict";
import path from "node:path";
import { io } from "socket.io-client";
import { conformance, root, Server, within } from "../suites/support.mjs";
import { notepack } from "./probe.mjs";
import { HAVE_REDIS, Redis, Relay } from "./redis.mjs";

export const DIRECTIONS = [["node", "node"], ["node", "c"], ["c", "node"], ["c", "c"]];
export const KINDS = [["node"], ["c"]];

export class Unsupported extends Error {}

const OFFSET = /^\d+-\d+$/; // what the streams adapter adds to events

// Until `is` says so, for what has no event of its own.
export function until(is, what, ms) {
  let stop = false;
  const loop = (async () => {
    while (!stop && !(await is())) await new Promise((resolve) => setTimeout(resolve, 5));
  })();
  return within(loop, what, ms).finally(() => (stop = true));
}

// "f1 t1": what each of them has received.
export function all(names, ...events) {
  return Object.fromEntries(names.split(" ").filter(Boolean).map((name) => [name, events]));
}

async function startServer(kind, options) {
  const words = ["eio3=0", ...Object.entries(options).map(([name, value]) => `${name}=${value}`)];
  if (kind === "node") return Server.start(process.execPath, [path.join(root, "tests/cluster/node-contract.mjs"), "0", ...words]);
  try {
    return await conformance("contract", ...words, `loops=${process.env.SIO_LOOPS ?? 1}`);
  } catch (error) {
    if (error.how?.code !== 2) throw error;
    throw new Unsupported(error.said.split("\n")[0]);
  }
}

// ------------------------------------------------------------------------ nodes

export class Peer {
  // options: of the role contract. `plain`: without a relay in between.
  static async start(kind, name, redis, options, { plain } = {}) {
    const peer = new Peer();
    Object.assign(peer, { kind, name, redis, options, commands: [] });
    peer.relay = plain ? null : await Relay.start(redis.where);
    if (peer.relay) peer.relay.onCommand = ([command, ...words]) => peer.commands.push([command.toString().toUpperCase(), ...words]);
    try {
      peer.server = await startServer(kind, { redis: plain ?? peer.relay.address, ...options });
    } catch (error) {
      await peer.relay?.stop();
      throw error;
    }
    peer.pid = peer.server.child.pid;
    peer.url = `http://127.0.0.1:${peer.server.port}`;
    return peer;
  }

  // A client that keeps what it gets, in `got`: [event, ...args].
  async client(name, nsp = "/", options = {}) {
    const socket = io(this.url + nsp, { forceNew: true, reconnection: false, transports: ["websocket"], ...options });
    const client = { name, nsp, socket, peer: this, got: [], frames: [], tokens: new Set(), answer: (...args) => [name, ...args] };
    socket.onAny((event, ...args) => {
      const ack = typeof args.at(-1) === "function" ? args.pop() : null;
      if (event === "barrier") return void client.tokens.add(args[0]);
      if (event === "welcome" || event === "gone") return;
      client.got.push([event, ...args]);
      if (ack && client.answer) ack(...client.answer(...args));
    });
    socket.on("disconnect", (reason) => client.got.push(["disconnect", reason]));
    await within(new Promise((resolve, reject) => {
      socket.once("connect", resolve).once("connect_error", reject);
    }), `${name} to connect`);
    socket.io.engine.on("packet", ({ type, data }) => type === "message" && client.frames.push(data));
    client.id = socket.id;
    return client;
  }

  // Something the node shall do; what comes of it.
  call(spec, ...args) {
    const done = new Promise((resolve, reject) =>
      this.control.socket.emit("call", spec, ...args, (error, result) => (error ? reject(new Error(error)) : resolve(result))));
    return within(done, `${spec.op} by ${this.name}`);
  }

  // What it has sent to Redis since the last time, of these commands.
  sent(...commands) {
    const taken = this.commands.splice(0);
    return taken.filter(([command]) => commands.includes(command));
  }

  // `rough`: it was hurt on purpose, so it may have written to its error output.
  async stop({ rough } = {}) {
    if (rough) this.server.errors = "";
    await this.server.stop().finally(() => this.relay?.stop());
  }

  async kill() {
    this.server.child.kill("SIGKILL");
    await this.server.ended;
    await this.relay?.stop();
  }
}

// ------------------------------------------------------------------------ world

// An event by hand, so that it comes behind everything else.
const OPTS = { rooms: [], except: [], flags: {} };
const event = (token) => ({ type: 2, data: ["barrier", token] });
const FENCES = {
  classic: (nsp, token) => [["PUBLISH", `socket.io#${nsp}#`, notepack.encode(["fence1", { ...event(token), nsp }, OPTS])]],
  sharded: (nsp, token) => [["SPUBLISH", `socket.io#${nsp}#`,
    JSON.stringify({ type: 3, data: { packet: event(token), opts: OPTS }, uid: "fence", nsp })]],
  streams: (nsp, token) => [["XADD", "socket.io", "*", "uid", "fence", "nsp", nsp, "type", "3",
    "data", JSON.stringify({ packet: event(token), opts: OPTS })]],
};

let tokens = 0;

export class World {
  peers = [];
  clients = [];
  rooms = new Set(); // that have members, with the sharded adapter

  // kinds: of the nodes; options: of all, or one object for each. `redis`: a
  // Cluster, else it is one server of the world's own.
  static async start(kinds, options, { config, redis } = {}) {
    if (!HAVE_REDIS) throw new Unsupported("redis-server is not installed");
    const world = new World();
    world.kinds = kinds;
    world.options = options;
    world.redis = redis ?? await Redis.start(config);
    try {
      // Ours first: they are the ones that may be missing, and are quick.
      for (const wanted of ["c", "node"]) {
        const started = await Promise.allSettled(kinds.map((kind, i) =>
          kind === wanted && world.add(kind, "ftuvw"[i], Array.isArray(options) ? options[i] : options)));
        for (const { reason } of started) if (reason) throw reason;
      }
      await world.joined();
    } catch (error) {
      await world.abandon();
      throw error;
    }
    return world;
  }

  async add(kind, name, options) {
    const peer = await Peer.start(kind, name, this.redis, options, { plain: this.redis.address });
    this.peers.push(peer);
    this.peers.sort((a, b) => ("ftuvw".indexOf(a.name) - "ftuvw".indexOf(b.name)));
    this[{ f: "from", t: "to" }[name] ?? name] = peer;
    peer.control = await this.client(`${name}c`, peer, "/watch");
    return peer;
  }

  get adapter() {
    return (Array.isArray(this.options) ? this.options[0] : this.options).adapter;
  }

  // Until `n` nodes hear what is for a namespace.
  async hears(nsp, n) {
    const { prefix = "socket.io" } = Array.isArray(this.options) ? this.options[0] : this.options;
    const [command, channel] = {
      classic: ["NUMSUB", `${prefix}-request#${nsp}#`],
      sharded: ["SHARDNUMSUB", `${prefix}#${nsp}#`],
      streams: ["NUMSUB", `${prefix}#${nsp}#`],
    }[this.adapter];
    await until(async () => (await this.redis.command("PUBSUB", command, channel))[1] === n, `${n} nodes in ${nsp}`);
  }

  // Until every node hears every other.
  async joined() {
    for (const nsp of ["/", "/watch"]) await this.hears(nsp, this.peers.length);
    if (this.adapter === "streams") {
      const { streams = 1 } = this.options;
      const reading = async () => (await this.redis.command("CLIENT", "LIST")).toString().match(/cmd=xread/g)?.length;
      await until(async () => (await reading()) === this.peers.length * streams, "all nodes to read the stream");
    }
  }

  async client(name, peer, nsp, options) {
    const client = await peer.client(name, nsp, options);
    this.clients.push(client);
    this[name] = client;
    return client;
  }

  // f1 in r1, f2 in r2, t1 in r1, t2 in r2.
  async people() {
    await Promise.all([["f1", this.from, "r1"], ["f2", this.from, "r2"], ["t1", this.to, "r1"], ["t2", this.to, "r2"]]
      .map(async ([name, peer, room]) => {
        const client = await this.client(name, peer, "/", { query: { who: name }, extraHeaders: { "X-Test": name }, auth: { name } });
        await this.ask(client, "remember", "who", name);
        await this.ask(client, "join", room);
      }));
    await this.heard("r1", 2);
    await this.heard("r2", 2);
  }

  ask(client, event, ...args) {
    return within(new Promise((resolve) => client.socket.emit(event, ...args, resolve)), `the answer to ${event}`);
  }

  // Sharded nodes listen for each room: until `n` of them do.
  async heard(room, n) {
    if (this.adapter !== "sharded" || this.options.mode === "static") return;
    if (n) this.rooms.add(room);
    else this.rooms.delete(room);
    const channel = `${this.options.prefix ?? "socket.io"}#/#${room}#`;
    await until(async () => (await this.redis.command("PUBSUB", "SHARDNUMSUB", channel))[1] === n, `${n} nodes in ${room}`);
  }

  // Until whatever the nodes have published so far has reached everybody: what
  // one node publishes arrives in order, and so does what it says last. In a
  // Cluster, in order on each channel.
  async settle() {
    const listening = this.clients.filter(({ socket }) => socket.connected);
    const expected = [];
    const say = async (who, spec) => {
      for (const peer of this.peers) {
        const token = ++tokens;
        expected.push([who, token]);
        await peer.call({ op: "emit", ...spec }, "barrier", token);
      }
    };
    for (const nsp of new Set(listening.map((client) => client.nsp))) await say(listening.filter((client) => client.nsp === nsp), { nsp });
    for (const room of this.redis.address ? this.rooms : []) {
      const members = (await this.from.call({ op: "fetch", rooms: [room] })).map(({ id }) => id);
      await say(listening.filter(({ id }) => members.includes(id)), { rooms: [room] });
    }
    await until(() => expected.every(([who, token]) => who.every(({ socket, tokens }) => !socket.connected || tokens.has(token))), "every node's last word");
  }

  // Until whatever has been published by hand has reached everybody: a message
  // by hand comes behind it.
  async fence() {
    const listening = this.clients.filter(({ socket }) => socket.connected);
    const awaited = [];
    for (const nsp of new Set(listening.map((client) => client.nsp))) {
      const token = ++tokens;
      awaited.push([nsp, token]);
      for (const command of FENCES[this.adapter](nsp, token)) await this.redis.command(...command);
    }
    await until(() => listening.every(({ nsp, socket, tokens }) =>
      !socket.connected || awaited.every(([where, token]) => where !== nsp || tokens.has(token))), "the fence");
  }

  // Everything received since the last time, by the names of those who did.
  took() {
    const all = {};
    for (const client of this.clients) {
      const got = client.got.splice(0);
      client.frames.length = 0;
      if (got.length) all[client.name] = this.offsets ? got.map(withoutOffset) : got;
    }
    return all;
  }

  // Emits, and gives what everybody got of it.
  async emit(spec, ...args) {
    this.took();
    await this.from.call({ op: "emit", ...spec }, ...args);
    await this.settle();
    return this.took();
  }

  async leave(...clients) {
    for (const client of clients) {
      client.socket.disconnect();
      this.clients.splice(this.clients.indexOf(client), 1);
    }
  }

  #close() {
    for (const { socket } of this.clients.splice(0)) socket.disconnect();
  }

  async stop({ rough } = {}) {
    this.#close();
    try {
      for (const peer of this.peers) {
        // Leaving a Cluster, Node's package may throw at what it has ended itself.
        if (this.redis.address && peer.kind === "node") await peer.kill();
        else await peer.stop({ rough });
      }
    } catch (error) {
      await Promise.all(this.peers.map((peer) => peer.kill()));
      throw error;
    } finally {
      await this.redis.stop();
    }
  }

  async abandon() {
    this.#close();
    await Promise.all(this.peers.map((peer) => peer.kill().catch(() => {})));
    await this.redis.stop();
  }
}

// An event that is volatile or wants an answer has none.
const withoutOffset = (args) => (OFFSET.test(args.at(-1)) ? args.slice(0, -1) : args);

// One world for each direction, all its scenes in it one after the other; the
// directions that cannot be had yet are skipped. A scene is [name, run(world),
// skip?(kinds)]: run may be an object of what to emit and who gets what.
export async function play(t, title, worlds, options, scenes, prepare = (world) => world.people(), more = {}) {
  for (const kinds of worlds) {
    const way = kinds.join(" -> ");
    await t.test(`${title}, ${way}`, async (t) => {
      let world, reason;
      try {
        world = await World.start(kinds, options(kinds), more);
      } catch (error) {
        if (!(error instanceof Unsupported)) throw error;
        reason = error.message;
      }
      try {
        if (world) await prepare(world);
        for (const [name, run, skip] of scenes)
          await t.test(`${name} (${title}, ${way})`, { skip: reason ?? skip?.(kinds) ?? false }, async () => {
            await run(world);
          });
      } catch (error) {
        await world?.abandon();
        world = null;
        throw error;
      }
      await world?.stop();
    });
  }
}
