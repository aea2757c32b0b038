// support.mjs -- what the protocol suites share: a server process of their own,
// HTTP long-polling spoken by hand, and a WebSocket whose messages are awaited
// one by one. Everything that waits has a deadline; nothing sleeps.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import WebSocket from "ws";
import "../exit.mjs";

export const root = path.resolve(
  path.dirname(fileURLToPath(import.meta.url)),
  "../..",
);
// The build that is tested: build/release unless SIO_BUILD names another.
export const build = path.resolve(root, process.env.SIO_BUILD ?? "build/release");

export const RS = "\x1e"; // between the packets of a polling payload
const PATIENCE_MS = 15_000; // far beyond anything that is waited for

export function within(promise, what, ms = PATIENCE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still waiting for ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A server program, usually one that prints "ready PORT" (`silent`: it does not).
// stop() ends it and checks that it went in good order.
export class Server {
  static async start(command, args, { cwd, silent } = {}) {
    const server = new Server();
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    server.child = child;
    server.output = "";
    server.errors = "";
    server.ended = new Promise((resolve) => {
      child.on("error", (error) => resolve({ error }));
      child.on("close", (code, signal) => resolve({ code, signal }));
    });
    child.stderr.on("data", (data) => (server.errors += data));
    if (silent) return server;
    const ready = new Promise((resolve) => {
      child.stdout.on("data", (data) => {
        server.output += data;
        const match = /^ready (\d+)$/m.exec(server.output);
        if (match) resolve(Number(match[1]));
      });
    });
    const failed = server.ended.then((how) => {
      const error = new Error(`${command} ended: ${JSON.stringify(how)} ${server.errors}`);
      throw Object.assign(error, { how, said: server.errors });
    });
    server.port = await within(Promise.race([ready, failed]), `"ready" of ${command}`).catch((error) => {
      child.kill("SIGKILL");
      throw error;
    });
    failed.catch(() => {});
    return server;
  }

  async stop() {
    this.child.kill("SIGTERM");
    const how = await within(this.ended, "the server to end").catch((error) => {
      this.child.kill("SIGKILL");
      throw error;
    });
    assert.deepEqual(how, { code: 0, signal: null }, this.errors);
    assert.equal(this.errors, "");
  }
}

// SIO_PEER=node: the role contract is Node's, a second opinion on the tests.
export function conformance(role, ...options) {
  if (role === "contract" && process.env.SIO_PEER === "node") {
    const program = path.join(root, "tests/cluster/node-contract.mjs");
    return Server.start(process.execPath, [program, "0", ...options]);
  }
  return Server.start(path.join(build, "servers/conformance"), [role, "0", ...options]);
}

// One HTTP request; resolves with status, headers and the body as text.
export function request(port, target, { method = "GET", body, headers } = {}) {
  const answered = new Promise((resolve, reject) => {
    const req = http.request(
      { host: "127.0.0.1", port, path: target, method, headers, agent: false },
      (res) => {
        const chunks = [];
        res.on("data", (chunk) => chunks.push(chunk));
        res.on("error", reject);
        res.on("end", () =>
          resolve({
            status: res.statusCode,
            headers: res.headers,
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      },
    );
    req.on("error", reject);
    req.end(body);
  });
  return within(answered, `${method} ${target}`);
}

// A session that polls.
export class Polling {
  static async open(port, prefix) {
    const answer = await request(port, `${prefix}?EIO=4&transport=polling`);
    assert.equal(answer.status, 200, answer.body);
    assert.equal(answer.body[0], "0");
    const session = new Polling();
    session.port = port;
    session.handshake = JSON.parse(answer.body.slice(1));
    session.target = `${prefix}?EIO=4&transport=polling&sid=${session.handshake.sid}`;
    return session;
  }

  get() {
    return request(this.port, this.target);
  }

  post(body) {
    return request(this.port, this.target, { method: "POST", body });
  }

  // The packets of the next poll, pings answered and left out.
  async packets() {
    for (;;) {
      const { status, body } = await this.get();
      assert.equal(status, 200, body);
      const packets = body.split(RS).filter((packet) => packet !== "2");
      if (packets.length < body.split(RS).length) await this.post("3");
      if (packets.length) return packets;
    }
  }
}

// A WebSocket: next() is the next message (text as string, binary as Buffer),
// ended the promise of its end, however it came.
export class Wire {
  constructor(url) {
    this.received = [];
    this.waiting = [];
    this.ws = new WebSocket(url);
    this.opened = new Promise((resolve, reject) => {
      this.ws.once("open", resolve);
      this.ws.once("error", reject);
    });
    this.opened.catch(() => {});
    this.ended = new Promise((resolve) => {
      this.ws.on("error", () => {}); // "close" follows
      this.ws.on("close", (code) => {
        resolve(code);
        for (const waiter of this.waiting) waiter.reject(new Error(`closed: ${code}`));
        this.waiting = [];
      });
    });
    this.ws.on("message", (data, binary) => {
      const message = binary ? data : data.toString("utf8");
      const waiter = this.waiting.shift();
      if (waiter) waiter.resolve(message);
      else this.received.push(message);
    });
  }

  static async open(url) {
    const wire = new Wire(url);
    await within(wire.opened, `WebSocket ${url}`);
    return wire;
  }

  // Every message, pings too.
  next() {
    if (this.received.length) return Promise.resolve(this.received.shift());
    const message = new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
    });
    return within(message, "a WebSocket message");
  }

  // The next message that is not a ping; pings are answered.
  async message() {
    for (;;) {
      const message = await this.next();
      if (message !== "2") return message;
      this.send("3");
    }
  }

  send(...messages) {
    for (const message of messages) this.ws.send(message);
  }

  // Waits until the server has closed; answers nothing meanwhile.
  end() {
    return within(this.ended, "the server to close the WebSocket");
  }

  async close() {
    this.ws.close();
    await this.end();
  }
}
