// run.mjs -- a cluster on this machine: Redis, two nodes in C, one in
// JavaScript, and haproxy in front of them.
//
//     browser --> haproxy :PORT --> c1, c2, js1 --> Redis
//
//     node run.mjs [--program build/release/demo/cluster] [--pause 3000] [PORT]
//
// PORT is 3000 when not given; 0 is any free one. After the pause, in
// milliseconds, a node that has ended is started again.
//
// It prints the address of the page on standard output, and on standard error a
// line for each process that starts or ends. SIGINT or SIGTERM ends them all;
// so does one that cannot start, or that ends and is not a node, and the status
// is 1 then.
//
// But for haproxy's port everything is a unix socket in a folder of its own, so
// that two such clusters do not meet.
//
// SPDX-License-Identifier: MIT

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const START_MS = 10000; // a process may take to be ready
const STOP_MS = 5000; // and to end

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const usage = "usage: node run.mjs [--program PROGRAM] [--pause MS] [PORT]";
const { values: { program, pause }, positionals: [wanted = "3000"] } = readOptions({
  program: { type: "string", default: join(ROOT, "build/release/demo/cluster") },
  pause: { type: "string", default: "3000" },
});
process.env.PATH += ":/usr/local/sbin:/usr/sbin:/sbin"; // haproxy is there

function say(text) {
  console.error(`cluster: ${text}`);
}

function readOptions(options) {
  try {
    return parseArgs({ allowPositionals: true, options });
  } catch (error) {
    say(`${error.message}\n${usage}`);
    process.exit(2);
  }
}

// ---------------------------------------------------------------------- parts

// What has to be there; the reason why not, or "".
function missing() {
  const absent = ["redis-server", "haproxy"].filter((name) => spawnSync(name, ["-v"]).error);
  if (!/^\d{1,5}$/.test(wanted) || wanted > 65535 || !/^\d{1,9}$/.test(pause)) return usage;
  if (absent.length) return `${absent.join(" and ")} not found: "make demo DEMO=cluster" installs what is missing`;
  if (!existsSync(join(ROOT, "node_modules/@socket.io/redis-adapter"))) return 'no Node packages: run "make setup-demo DEMO=cluster" first';
  if (!existsSync(program)) return `${program} not found: run "make demos" first`;
  return "";
}

// The parts, each ready when it has printed a line of that form.
function describeParts(folder) {
  const redis = `${folder}/redis.sock`;
  const node = (name, language, ...command) => ({
    name: `${name} (${language})`, ready: new RegExp(`^${name}: `), again: true,
    command: [...command, "--name", name, "--redis", `unix:${redis}`, `unix:${folder}/${name}.sock`],
  });
  return {
    redis: {
      name: "Redis", ready: /Ready to accept connections/i, quiet: true,
      command: ["redis-server", "--port", "0", "--unixsocket", redis, "--dir", folder, "--save", ""],
    },
    nodes: [
      node("c1", "C", resolve(program)),
      node("c2", "C", resolve(program)),
      node("js1", "Node.js", process.execPath, join(ROOT, "demo/cluster/server.mjs")),
    ],
    haproxy: { name: "haproxy", command: ["haproxy", "-db", "-f", `${folder}/haproxy.cfg`] },
  };
}

// A client's requests have to come to the node that has its session: haproxy
// sets a cookie with that node's name. Whose node is gone, or who has no cookie,
// gets the node with the fewest connections.
const haproxyConfig = (folder, port) => `
defaults
    mode http
    timeout connect         5s
    timeout http-request    10s
    timeout client          60s    # more than 45 s: heartbeats
    timeout server          60s
    timeout tunnel          60s
    retries 3
    option redispatch 1            # at once, to another node

frontend page
    bind 127.0.0.1:${port}
    default_backend nodes

backend nodes
    balance leastconn
    cookie node insert indirect nocache attr SameSite=Lax
    default-server check inter 250ms fall 1 rise 1
    server c1  unix@${folder}/c1.sock  cookie c1
    server c2  unix@${folder}/c2.sock  cookie c2
    server js1 unix@${folder}/js1.sock cookie js1
`;

// ------------------------------------------------------------------- processes

// They are in process groups of their own, so that Ctrl-C comes to us alone and
// they end in order; should we be killed, the kernel ends them.
const guard = spawnSync("setpriv", ["--pdeathsig", "TERM", "true"]).status === 0 ? ["setpriv", "--pdeathsig", "TERM"] : [];
const children = new Map(); // process -> part
let stopping = false;
let failed = false;

// Resolves when it is ready, rejects when it ends before.
function start(part) {
  const [command, ...args] = [...guard, ...part.command];
  const child = spawn(command, args, { cwd: ROOT, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const lines = []; // the last that it said: the reason, should it fail
  children.set(child, part);
  child.ended = new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));

  return new Promise((resolve, reject) => {
    const giveUp = (how) => reject(new Error([`${part.name} ${how}`, ...lines].join("\n")));
    const timer = setTimeout(giveUp, START_MS, "is not ready");
    const ready = () => {
      clearTimeout(timer);
      child.ready = true;
      say(`${part.name} runs, pid ${child.pid}`);
      resolve();
    };
    const hear = (line) => {
      if (!child.ready && part.ready?.test(line)) return ready();
      lines.splice(0, lines.length - 9, line);
      if (child.ready && !part.quiet) say(`${part.name}: ${line}`);
    };
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on("line", hear);
    if (!part.ready) child.once("spawn", ready);
    child.once("error", (error) => giveUp(error.message));
    child.ended.then((status) => {
      clearTimeout(timer);
      children.delete(child);
      onEnd(part, child, status);
      giveUp("could not start");
    });
  });
}

function onEnd(part, child, { code, signal }) {
  say(`${part.name} has ended, pid ${child.pid}, ${signal ?? `status ${code}`}`);
  if (stopping) failed ||= part.again && code !== 0 && signal !== "SIGTERM";
  else if (part.again && child.ready) setTimeout(() => stopping || start(part).catch(fail), Number(pause));
  else if (child.ready) fail(new Error(`without ${part.name} there is no cluster`));
}

async function end(list) {
  for (const child of list) child.kill("SIGTERM");
  const timer = setTimeout(() => list.forEach((child) => child.kill("SIGKILL")), STOP_MS);
  await Promise.all(list.map((child) => child.ended));
  clearTimeout(timer);
}

// Redis comes last, so that no node misses it.
async function stop() {
  if (stopping) return;
  stopping = true;
  await end([...children.keys()].filter((child) => children.get(child) !== parts.redis));
  await end([...children.keys()]);
  process.exit(failed ? 1 : 0);
}

function fail(error) {
  if (stopping) return;
  say(error.message);
  failed = true;
  stop();
}

// ----------------------------------------------------------------------- main

// That port, or with 0 any, if nobody listens there.
function freePort(port) {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject).listen(port, "127.0.0.1", () => {
      const taken = server.address().port;
      server.close(() => resolve(taken));
    });
  });
}

const accepts = (port) => new Promise((resolve) => {
  const socket = connect(port, "127.0.0.1", () => resolve(true)).once("error", () => resolve(false));
  socket.once("connect", () => socket.destroy());
});

async function untilAccepts(port) {
  const end = Date.now() + START_MS;
  while (!(await accepts(port))) {
    if (Date.now() > end) throw new Error("haproxy does not listen");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function main() {
  const port = await freePort(Number(wanted));
  writeFileSync(`${folder}/haproxy.cfg`, haproxyConfig(folder, port));
  await start(parts.redis);
  await Promise.all(parts.nodes.map(start));
  await start(parts.haproxy);
  await untilAccepts(port);
  console.log(`cluster: http://localhost:${port}`);
}

const reason = missing();
if (reason) {
  say(reason);
  process.exit(1);
}
const folder = mkdtempSync(join(tmpdir(), "sio-cluster-"));
const parts = describeParts(folder);
process.on("exit", () => {
  for (const child of children.keys()) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);
main().catch(fail);
