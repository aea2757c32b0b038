// redis.mjs -- a private redis-server for one test file: on a unix socket in a
// folder of its own, so there is no port to race for. What shall reach it over
// TCP does so through a Relay, which can also cut, hold and refuse.
//
// Node's Redis packages are under test here, so this speaks RESP2 by itself.
// Everything that waits has a deadline; only processes started here are ended.
//
// SPDX-License-Identifier: MIT
import { spawn, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { within } from "../suites/support.mjs";

export const HAVE_REDIS = spawnSync("redis-server", ["--version"]).status === 0;

const running = new Set();
process.once("exit", () => {
  for (const redis of running) redis.abandon();
});
// `timeout` ends a test file so; without this, "exit" would not come.
process.once("SIGTERM", () => process.exit(143));

// ----------------------------------------------------------------------- RESP2

// One value of RESP2 at `at`: { value, end }, or null while it is incomplete.
// Bulk strings are Buffers, errors are Error objects.
function parse(bytes, at) {
  const line = bytes.indexOf("\r\n", at);
  if (line < 0) return null;
  const text = bytes.toString("latin1", at + 1, line), end = line + 2, n = Number(text);
  switch (String.fromCharCode(bytes[at])) {
    case "+": return { value: text, end };
    case "-": return { value: new Error(text), end };
    case ":": return { value: n, end };
    case "$":
      if (n < 0) return { value: null, end };
      return bytes.length < end + n + 2 ? null : { value: bytes.subarray(end, end + n), end: end + n + 2 };
    case "*": {
      if (n < 0) return { value: null, end };
      const list = [];
      let next = end;
      for (let i = 0; i < n; i++) {
        const item = parse(bytes, next);
        if (!item) return null;
        list.push(item.value);
        next = item.end;
      }
      return { value: list, end: next };
    }
    default: throw new Error(`not RESP2: ${bytes.toString("latin1", at, at + 40)}`);
  }
}

export function encode(args) {
  return Buffer.concat([Buffer.from(`*${args.length}\r\n`), ...args.flatMap((arg) => {
    const bytes = Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg));
    return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")];
  })]);
}

// A connection of the tests' own: command() in order; what nobody has asked for
// (pub/sub, MONITOR) goes to on_push.
export class Connection {
  #waiting = [];
  #bytes = Buffer.alloc(0);

  constructor(where) {
    this.socket = net.connect(where);
    this.socket.on("data", (data) => this.#received(data));
    this.socket.on("error", () => {}); // "close" follows
    this.closed = new Promise((resolve) => this.socket.once("close", resolve));
    this.closed.then(() => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error("Redis has closed the connection"));
    });
  }

  #received(data) {
    this.#bytes = Buffer.concat([this.#bytes, data]);
    let at = 0;
    for (let item; at < this.#bytes.length && (item = parse(this.#bytes, at)); at = item.end) {
      const waiter = this.#waiting.shift();
      if (!waiter) this.onPush?.(item.value);
      else if (item.value instanceof Error) waiter.reject(item.value);
      else waiter.resolve(item.value);
    }
    this.#bytes = this.#bytes.subarray(at);
  }

  command(...args) {
    const answer = new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.socket.write(encode(args));
    return within(answer, `Redis to answer ${args[0]}`);
  }

  close() {
    this.socket.destroy();
    return this.closed;
  }
}

// ---------------------------------------------------------------------- server

export class Redis {
  // `config`: more of redis-server's options, as [name, value].
  static async start(config = []) {
    const redis = new Redis();
    redis.folder = mkdtempSync(path.join(tmpdir(), "sio-redis-"));
    redis.where = { path: path.join(redis.folder, "redis.sock") };
    redis.config = config;
    running.add(redis);
    await redis.#run();
    return redis;
  }

  async #run() {
    const options = { port: 0, unixsocket: this.where.path, dir: this.folder, save: "", appendonly: "no", daemonize: "no" };
    const args = [...Object.entries(options), ...this.config].flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "pipe"] });
    this.said = "";
    this.ended = new Promise((resolve) => this.child.once("close", resolve));
    this.child.stderr.on("data", (data) => (this.said += data));
    const ready = new Promise((resolve) => {
      createInterface({ input: this.child.stdout }).on("line", (line) => {
        this.said += line + "\n";
        if (/ready to accept connections/i.test(line)) resolve();
      });
    });
    const failed = this.ended.then(() => {
      throw new Error(`redis-server ended: ${this.said}`);
    });
    failed.catch(() => {});
    await within(Promise.race([ready, failed]), "redis-server");
    this.connection = new Connection(this.where);
  }

  command(...args) {
    return this.connection.command(...args);
  }

  // Ends it, and starts it again on the same socket: nothing is kept.
  async restart(meanwhile = () => {}) {
    await this.#end();
    await meanwhile();
    await this.#run();
  }

  freeze() {
    this.child.kill("SIGSTOP");
  }

  thaw() {
    this.child.kill("SIGCONT");
  }

  async #end() {
    this.connection.close();
    this.thaw();
    this.child.kill("SIGTERM");
    await within(this.ended, "redis-server to end").catch((error) => {
      this.child.kill("SIGKILL");
      throw error;
    });
  }

  abandon() {
    this.child?.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  async stop() {
    await this.#end();
    running.delete(this);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

// ----------------------------------------------------------------------- relay

// TCP in front of a Redis; one for each node, so that each can be cut off alone,
// and is known in MONITOR by its connections. It has a loopback address of its
// own, so that nobody takes its port while it does not listen.
const MESSAGE = 40; // bytes that no mere acknowledgement of Redis has

export class Relay {
  #pairs = new Set();

  static async start(where) {
    const relay = new Relay();
    relay.where = where;
    relay.host = [127, ...Array.from({ length: 3 }, () => randomInt(1, 255))].join(".");
    relay.refusing = false; // whether new connections are closed at once
    relay.connections = 0; // so many there have been
    relay.onCommand = null; // each command that passes: its words, as Buffers
    relay.half = null; // { way, done }: see cutWithin()
    relay.listener = net.createServer((near) => relay.#accept(near));
    await relay.listen(0);
    relay.port = relay.listener.address().port;
    relay.address = `${relay.host}:${relay.port}`;
    return relay;
  }

  listen(port = this.port) {
    return new Promise((resolve, reject) => this.listener.once("error", reject).listen(port, this.host, resolve));
  }

  // As a server that has ended: who connects is refused, until listen().
  deafen() {
    this.listener.close();
    this.cut();
  }

  #accept(near) {
    if (this.refusing) return near.destroy();
    this.connections++;
    const far = net.connect(this.where);
    const pair = { near, far, budget: Infinity, heard: Buffer.alloc(0) };
    this.#pairs.add(pair);
    const end = () => {
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) socket.on("error", () => {}).on("close", end);
    near.on("data", (data) => {
      if (this.onCommand) pair.heard = this.#listen(pair.heard, data);
      if (!this.#cutsHere("up", data, far, end)) far.write(data);
    });
    far.on("data", (data) => {
      if (this.#cutsHere("down", data, near, end)) return;
      if (data.length <= pair.budget) {
        pair.budget -= data.length;
        return near.write(data);
      }
      near.end(data.subarray(0, pair.budget)); // the rest is lost on the way
      far.destroy();
    });
  }

  // Tells the commands that are complete; gives the bytes of the next one.
  #listen(heard, data) {
    const bytes = Buffer.concat([heard, data]);
    let at = 0;
    for (let item; at < bytes.length && (item = parse(bytes, at)); at = item.end) this.onCommand(item.value);
    return bytes.subarray(at);
  }

  get open() {
    return this.#pairs.size;
  }

  // Every connection is gone, as when a cable is pulled and a reset comes back.
  // (One that is being ended already: a reset then keeps Node 20 from exiting.)
  cut() {
    for (const { near, far } of this.#pairs) {
      if (near.writableEnded) near.destroy();
      else near.resetAndDestroy();
      far.destroy();
    }
  }

  // Each connection is gone after so many more bytes from Redis.
  cutAfter(bytes) {
    for (const pair of this.#pairs) pair.budget = bytes;
  }

  // The next message from Redis ("down") or command to it ("up") is cut in half,
  // and its connection ends there. Gives how many bytes of it have passed.
  cutWithin(way) {
    return new Promise((done) => (this.half = { way, done }));
  }

  #cutsHere(way, data, onto, end) {
    const { half } = this;
    if (half?.way !== way || data.length < MESSAGE) return false;
    this.half = null;
    let bytes = data.length >> 1;
    if (data[bytes] === 0x2a) bytes--; // "*" might begin the next one
    onto.write(data.subarray(0, bytes), () => {
      end();
      half.done(bytes);
    });
    return true;
  }

  // Nothing passes until release(), and nobody is told.
  hold() {
    for (const { near, far } of this.#pairs) near.pause(), far.pause();
  }

  release() {
    for (const { near, far } of this.#pairs) near.resume(), far.resume();
  }

  async stop() {
    this.listener.close();
    this.cut();
  }
}
