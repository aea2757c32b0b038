// harness.mjs -- what the end-to-end tests share: a server process of their
// own, clients that are closed again, and waiting for events with a deadline.
//
// SIO_BUILD names the build under test (build/release when not set);
// SIO_PEER=node runs the same tests against Node's socket.io; SIO_PARSER=msgpack
// or toy runs them with that parser at both ends.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { io } from "socket.io-client";
import "../exit.mjs";

export const PEER_IS_NODE = process.env.SIO_PEER === "node";
export const BUILD = process.env.SIO_BUILD ?? "build/release";
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const CERTS = ROOT + "build/certs/"; // made by tests/certs.sh
export const RS = "\x1e";
export const PARSER = process.env.SIO_PARSER ?? "json";
// Event loops of the server; see "loops" in docs/OPTIONS.md.
export const LOOPS = Number(process.env.SIO_LOOPS ?? 1);
export const parser = PARSER === "msgpack" ? (await import("socket.io-msgpack-parser")).default
  : PARSER === "toy" ? await import("./toy-parser.mjs")
  : undefined;

// Instrumented builds are slower: every deadline is stretched for them.
const PATIENCE = /asan|tsan|coverage|debug/.test(BUILD) ? 4 : 1;

// `what` may be a function, asked only when the deadline has passed.
export function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(
      `no ${typeof what === "function" ? what() : what} within ${ms * PATIENCE} ms`)), ms * PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// The next `event` of an emitter (socket.io, engine.io, ws or Node's own), as
// the array of its arguments.
export function next(emitter, event, ms = 5000) {
  let listener;
  const came = new Promise((resolve) => {
    listener = (...args) => resolve(args);
    emitter.once(event, listener);
  });
  return within(ms, `"${event}"`, came).finally(() => emitter.off(event, listener));
}

// Until `check` is true: for what has no event of its own. `what` as above.
export async function until(what, check, ms = 5000) {
  const end = Date.now() + ms * PATIENCE;
  while (!(await check())) {
    assert.ok(Date.now() < end, `not within ${ms * PATIENCE} ms: ${typeof what === "function" ? what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

// Collects the arguments of every `event`; `until(n)` waits for the n-th.
export function collect(emitter, event) {
  const list = [];
  let wake = () => {};
  emitter.on(event, (...args) => {
    list.push(args.length === 1 ? args[0] : args);
    wake();
  });
  list.until = (n, ms = 5000) => within(ms, () => `${n} times "${event}" (got ${list.length})`, new Promise((resolve) => {
    wake = () => list.length >= n && resolve(list);
    wake();
  }));
  return list;
}

// ------------------------------------------------------------------ processes

let programs = 0;

// A program that prints one line of the form `pattern` once it is up. Whatever
// it listens on, servers of ours tell their counters on a socket of their own.
export async function startProgram(command, args, pattern, how = {}) {
  const counters = join(tmpdir(), `sio-counters-${process.pid}-${++programs}`);
  const env = { ...process.env, ...how.env, SIO_COUNTERS: counters };
  const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"], ...how, env });
  const ended = new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
  const program = { child, pid: child.pid, ended, counters, stdout: "", stderr: "" };
  child.stderr.on("data", (data) => (program.stderr += data));
  // It does not keep a finished (or failed) test file from ending.
  for (const handle of [child, child.stdout, child.stderr]) handle.unref();
  process.once("exit", () => {
    child.kill("SIGKILL");
    rmSync(counters, { force: true });
  });

  const lines = createInterface({ input: child.stdout });
  const line = await within(10000, `line from ${command}`, Promise.race([
    new Promise((resolve) => lines.once("line", resolve)),
    ended.then((status) => Promise.reject(new Error(
      `${command} ended at once: ${JSON.stringify(status)} ${program.stderr}`))),
  ]));
  lines.on("line", (more) => (program.stdout += more + "\n"));
  const match = pattern.exec(line);
  assert.ok(match, `unexpected first line of ${command}: ${line}`);
  program.match = match;

  // SIGTERM: it ends in bounded time, with status 0, and no sanitizer or
  // leak checker has anything to say.
  program.stop = async () => {
    child.kill("SIGTERM");
    const status = await within(8000, `end of ${command}`, ended).catch((error) => {
      child.kill("SIGKILL");
      throw error;
    });
    assert.doesNotMatch(program.stderr, /Sanitizer|runtime error|Assertion/, program.stderr);
    assert.deepEqual(status, { code: 0, signal: null }, program.stderr);
  };
  return program;
}

// Once all clients have left, a server has nothing left of them: every counter
// of live objects and queued bytes is zero. Asked over HTTP, with a connection
// and a request that are not counted. Node's server does not count so much.
// Returns how many bytes of its heap are in use.
export async function untilNothingIsLeft({ program }) {
  if (PEER_IS_NODE) return 0;
  let left, inUse;
  const none = { connections: 0, requests: 0, sessions: 0, websockets: 0, sockets: 0, rooms: 0, pending_acks: 0, queued_bytes: 0, waiting_sessions: 0, recovery_bytes: 0 };
  await until(() => `nothing is left of the clients, but there is ${left}`, async () => {
    const answer = await http({ socketPath: program.counters }, { path: "/counters" }).catch((error) => (left = error.message, null));
    if (!answer) return false; // no place for one more connection yet
    const { refused, handshakes, heap, ...alive } = JSON.parse(answer.body);
    alive.connections--;
    alive.requests--;
    left = JSON.stringify(alive);
    inUse = heap;
    return left === JSON.stringify(none);
  }, 8000);
  return inUse;
}

// Of the loops that do not have `client` it is what they had counted some ms ago.
export async function statsBy(client) {
  if (LOOPS > 1) await new Promise((resolve) => setTimeout(resolve, 30));
  return client.timeout(5000).emitWithAck("stats");
}

export class TestServer {
  #clients = [];
  polling = []; // sessions spoken by hand

  static async start(options = {}, port = 0) {
    const args = Object.entries({ parser: PARSER, ...(LOOPS > 1 && { loops: LOOPS }), ...options }).map(([name, value]) => `${name}=${value}`);
    const program = PEER_IS_NODE
      ? await startProgram(process.execPath, ["tests/e2e/node-server.mjs", String(port), ...args], /^ready (\d+)$/)
      : await startProgram(`${BUILD}/servers/e2e`, [String(port), ...args], /^ready (\d+)$/);
    const server = new TestServer();
    server.program = program;
    server.pid = program.pid;
    server.port = Number(program.match[1]);
    const tls = "tlsCert" in options;
    server.url = `${tls ? "https" : "http"}://127.0.0.1:${server.port}`;
    server.trust = tls ? { ca: readFileSync(CERTS + "root.pem") } : {};
    return server;
  }

  // A socket.io client on a connection of its own; not connected yet.
  make(namespace = "/", options = {}) {
    const client = io(this.url + namespace, {
      forceNew: true, reconnection: false, ...(parser && { parser }), ...this.trust, ...options,
    });
    this.#clients.push(client);
    return client;
  }

  async connect(namespace = "/", options = {}) {
    const client = this.make(namespace, options);
    await within(5000, "connection", new Promise((resolve, reject) => {
      client.once("connect", resolve);
      client.once("connect_error", reject);
    }));
    return client;
  }

  async watch() {
    return this.connect("/watch", { transports: ["websocket"] });
  }

  closeClients() {
    for (const client of this.#clients) client.io.engine?.close(), client.disconnect();
    this.#clients = [];
  }

  // The end of a test: its clients leave, nothing is left of them, and the
  // process ends in good order. `abandoned`: the test leaves sessions behind
  // that only their ping timeout would end.
  async stop({ abandoned = false } = {}) {
    this.closeClients();
    await Promise.all(this.polling.map((session) => session.post("1").catch(() => {})));
    if (!abandoned) await untilNothingIsLeft(this);
    await this.program.stop();
  }

  // Only a client of its own can ask; it is left out of what it reports.
  async stats() {
    const client = await this.connect("/", { transports: ["websocket"] });
    const stats = await statsBy(client);
    client.disconnect();
    return stats;
  }

  rssKiB() {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)[1]);
  }
}

// ------------------------------------------------------------------- raw HTTP

// One request on a connection of its own. `query` may be a string or an object.
export function http(server, { method = "GET", path = "/socket.io/", query = {}, headers = {}, body, agent = false } = {}) {
  const search = new URLSearchParams(query).toString();
  const target = search ? `${path}?${search}` : path;
  return within(8000, `answer to ${method} ${target}`, new Promise((resolve, reject) => {
    const req = request({ host: "127.0.0.1", port: server.port, socketPath: server.socketPath, method, path: target, headers, agent }, (res) => {
      const chunks = [];
      res.on("data", (chunk) => chunks.push(chunk));
      res.on("end", () => {
        const bytes = Buffer.concat(chunks);
        resolve({ status: res.statusCode, headers: res.headers, bytes, body: bytes.toString() });
      });
      res.on("error", reject);
    });
    req.on("error", reject);
    req.end(body);
  }));
}

// A polling session, spoken by hand.
export class Polling {
  static async open(server, { connect = true } = {}) {
    const session = new Polling();
    session.server = server;
    const { status, body } = await http(server, { query: { EIO: 4, transport: "polling" } });
    assert.equal(status, 200);
    assert.equal(body[0], "0");
    session.handshake = JSON.parse(body.slice(1));
    session.query = { EIO: 4, transport: "polling", sid: session.handshake.sid };
    server.polling?.push(session);
    if (connect) {
      await session.post("40");
      assert.match((await session.poll()).body, /^40\{"sid":"[\w-]{20}"\}(\x1e2)?$/);
    }
    return session;
  }

  poll() {
    return http(this.server, { query: this.query });
  }

  post(body, headers = { "content-type": "text/plain;charset=UTF-8" }) {
    return http(this.server, { method: "POST", query: this.query, headers, body });
  }
}

// Bytes in, bytes out: resolves with what came until the server closed the
// connection, or until `done(text)` is true.
export function raw(server, bytes, { done = () => false, ms = 5000 } = {}) {
  const socket = connect(server.port, "127.0.0.1");
  let text = "";
  return within(ms, () => `end of ${JSON.stringify(bytes.toString("latin1").slice(0, 60))} (got ${JSON.stringify(text)})`,
    new Promise((resolve, reject) => {
      socket.on("data", (data) => {
        text += data.toString("latin1");
        if (done(text)) resolve(text);
      });
      socket.on("close", () => resolve(text));
      socket.on("error", (error) => (error.code === "ECONNRESET" ? resolve(text) : reject(error)));
      socket.write(bytes);
    })).finally(() => socket.destroy());
}
