// redis-servers.mjs -- Redis servers as child processes of a test, on loopback,
// in a folder of their own, and the Redis client of the adapters, which is told
// by lines what to do; all ended with the test file.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BUILD, startProgram, until, within } from "./harness.mjs";

process.setMaxListeners(100); // one for each process that a test file starts
export const folder = mkdtempSync(join(tmpdir(), "sio-redis-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

// Why there is nothing to test, or false. Valkey does as well.
const command = ["redis-server", "valkey-server"].find((name) => !spawnSync(name, ["--version"]).error);
export const missing = !command ? "redis-server is not installed (tests/setup.sh)"
  : !existsSync(`${BUILD}/servers/redis`) ? "built with REDIS=0" : false;

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// One server; options as of redis.conf. start() and stop() any number of times,
// always at the same port.
export class Redis {
  constructor(options = {}) {
    this.options = options;
  }

  static async start(options) {
    const redis = new Redis(options);
    await redis.start();
    return redis;
  }

  async start() {
    this.port ??= await freePort();
    const all = { port: this.port, bind: "127.0.0.1", save: "", appendonly: "no", dir: folder, ...this.options };
    const args = Object.entries(all).flatMap(([name, value]) => [`--${name}`, ...[value].flat().map(String)]);
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.child = child;
    this.output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (this.output += data)), stream.unref();
    this.ended = new Promise((resolve) => child.once("close", resolve));
    child.unref();
    process.once("exit", () => child.kill("SIGKILL"));
    await until(() => `Redis is up: ${this.output}`, () => /Ready to accept connections/.test(this.output));
  }

  async stop(signal = "SIGKILL") {
    this.child.kill("SIGCONT");
    this.child.kill(signal);
    await within(5000, "end of Redis", this.ended);
  }

  freeze() {
    this.child.kill("SIGSTOP");
  }

  thaw() {
    this.child.kill("SIGCONT");
  }

  // One command by hand, as a line; the first bytes of its answer.
  ask(line, { unix } = {}) {
    const socket = unix ? connect(unix) : connect(this.port, "127.0.0.1");
    return within(5000, `answer to ${line}`, new Promise((resolve, reject) => {
      socket.on("data", (data) => resolve(data.toString().trim()));
      socket.on("error", reject);
      socket.write(line + "\r\n");
    })).finally(() => socket.destroy());
  }
}

// A Redis Cluster of masters, among which the slots are shared out evenly.
const SLOTS = 16384;

export class Masters {
  #moved = new Map(); // slot -> the master that it was moved to

  static async start(n = 3) {
    const masters = new Masters();
    masters.list = await Promise.all(Array.from({ length: n }, async (_, i) => Redis.start({
      "cluster-enabled": "yes", "cluster-config-file": `nodes-${process.pid}-${i}.conf`, "cluster-port": await freePort(),
      "cluster-node-timeout": 2000, "cluster-require-full-coverage": "no",
    })));
    const [first] = masters.list;
    for (const [i, redis] of masters.list.entries()) {
      redis.id = (await redis.ask("CLUSTER MYID")).split("\r\n")[1];
      const [from, to] = [i, i + 1].map((k) => Math.ceil((SLOTS * k) / n));
      assert.equal(await redis.ask(`CLUSTER ADDSLOTSRANGE ${from} ${to - 1}`), "+OK");
      assert.equal(await redis.ask(`CLUSTER MEET 127.0.0.1 ${first.port} ${first.options["cluster-port"]}`), "+OK");
    }
    for (const redis of masters.list)
      await until("the cluster is formed", async () => {
        const info = await redis.ask("CLUSTER INFO");
        return /cluster_state:ok/.test(info) && info.includes(`cluster_known_nodes:${n}`) && /cluster_slots_assigned:16384/.test(info);
      }, 20000);
    return masters;
  }

  of(slot) {
    return this.#moved.get(slot) ?? this.list[Math.floor((slot * this.list.length) / SLOTS)];
  }

  another(slot) {
    return this.list.find((redis) => redis !== this.of(slot));
  }

  async slot(key) {
    return Number((await this.list[0].ask(`CLUSTER KEYSLOT ${key}`)).slice(1));
  }

  // Move one slot, as redis-cli does for an empty one: what was IMPORTING is
  // believed when the old master, or who has not heard, still claims it.
  async move(slot, to) {
    const from = this.of(slot);
    assert.equal(await to.ask(`CLUSTER SETSLOT ${slot} IMPORTING ${from.id}`), "+OK");
    assert.equal(await from.ask(`CLUSTER SETSLOT ${slot} MIGRATING ${to.id}`), "+OK");
    for (const redis of [to, ...this.list.filter((other) => other !== to && other !== from), from])
      assert.equal(await redis.ask(`CLUSTER SETSLOT ${slot} NODE ${to.id}`), "+OK");
    this.#moved.set(slot, to);
  }

  stop() {
    return Promise.all(this.list.map((redis) => redis.stop()));
  }
}

// A process with the client in it.
export class Client {
  #ids = 0;
  #lines = [];
  #waiting = new Set();

  static async start(options) {
    const client = new Client();
    const args = Object.entries(options).map(([name, value]) => `${name}=${value}`);
    client.program = await startProgram(`${BUILD}/servers/redis`, args, /^started$/, { stdio: ["pipe", "pipe", "pipe"] });
    client.program.child.stdin.unref?.();
    client.program.child.stdout.on("data", () => client.#look());
    client.say("open");
    return client;
  }

  #look() {
    // The harness collects lines in its own listener, which runs before.
    setImmediate(() => {
      for (const look of this.#waiting) look();
    });
  }

  get said() {
    return this.program.stdout;
  }

  say(line) {
    this.program.child.stdin.write(line + "\n");
  }

  // The first match in what it says behind `from`.
  async heard(pattern, from = 0, ms = 8000) {
    let look;
    const match = new Promise((resolve) => {
      look = () => {
        const found = pattern.exec(this.said.slice(from));
        if (found) resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
    return within(ms, () => `${pattern} in ${this.said.slice(from)}`, match).finally(() => this.#waiting.delete(look));
  }

  // `pattern` behind what it has said so far, after `action`.
  async after(action, pattern, ms) {
    const from = this.said.length;
    await action();
    return this.heard(pattern, from, ms);
  }

  // The answer: { status, text }.
  async ask(key, ...args) {
    const id = ++this.#ids;
    const [, status, text] = await this.after(() => this.say(`ask ${id} ${key} ${args.join(" ")}`),
      new RegExp(`^reply ${id} (-?\\d+) ?(.*)$`, "m"), 15000);
    return { status: Number(status), text };
  }

  async count(kind, name) {
    const id = ++this.#ids;
    const [, status, n] = await this.after(() => this.say(`count ${id} ${kind} ${name}`), new RegExp(`^reply ${id} (-?\\d+) ?(.*)$`, "m"));
    assert.equal(status, "0");
    return Number(n);
  }

  // In force when this resolves.
  async subscribe(kind, name) {
    const id = ++this.#ids;
    await this.after(() => this.say(`sub ${id} ${kind} ${name}`), new RegExp(`^status ${id} \\+`, "m"));
    return id;
  }

  message(id, from = 0) {
    return this.heard(new RegExp(`^message ${id} (\\S+) (.*)$`, "m"), from).then(([, channel, payload]) => ({ channel, payload }));
  }

  ready(from = 0, ms = 15000) {
    return this.heard(/^state ready/m, from, ms);
  }

  async stats() {
    const [, json] = await this.after(() => this.say("stats"), /^stats (.*)$/m);
    return JSON.parse(json);
  }

  stop() {
    return this.program.stop();
  }
}
