// migrating.test.mjs -- the programs of docs/MIGRATING.md, which are those of
// tests/migrating: each client script is run against the Node original and
// against the C program, and both have to say the same. And the page names all
// of Node's API.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { io } from "socket.io-client";
import { build, root, Server, within } from "./support.mjs";

const FOLDER = path.join(root, "tests/migrating");
const PAGE = fs.readFileSync(path.join(root, "docs/MIGRATING.md"), "utf8");
const PROGRAMS = fs.readdirSync(FOLDER).sort();

let folder;
const children = []; // those that a failed test has left
before(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "sio-migrating-"))));
after(() => {
  children.forEach((child) => child.kill("SIGKILL"));
  fs.rmSync(folder, { recursive: true });
});

// Of every address: programs listen on all of them.
async function freePort() {
  const listener = net.createServer().listen(0);
  await once(listener, "listening");
  const { port } = listener.address();
  listener.close();
  await once(listener, "close");
  return port;
}

// Nothing of the program is changed but its port.
function source(number, name, port) {
  const text = fs.readFileSync(path.join(FOLDER, number, name), "utf8");
  assert.equal(text.split("3000").length, 2, `${name} names its port once`);
  return text.replace("3000", String(port));
}

// A process that is up once something listens on its port.
async function start(command, args, port, options) {
  const server = await Server.start(command, args, { silent: true, ...options });
  children.push(server.child);
  for (;;) {
    const probe = net.connect(port, "127.0.0.1");
    const up = await new Promise((resolve) => {
      probe.once("connect", () => resolve(true));
      probe.once("error", () => resolve(false));
    });
    probe.destroy();
    if (up) return server;
    assert.equal(server.child.exitCode, null, server.errors);
  }
}

async function startC(number) {
  const port = await freePort();
  const file = path.join(folder, `server${number}`);
  // The compiler and its flags as this build was made, so that it also links
  // with an instrumented library.
  const compile = fs.readFileSync(path.join(build, "flags"), "utf8").trim();

  fs.writeFileSync(`${file}.c`, source(number, "server.c", port));
  execFileSync("sh", ["-c", `${compile} -o "$1" "$2" "$3" -lcjson -Wl,-rpath,"$4"`, "sh", file,
    `${file}.c`, path.join(build, "libsio.so"), build], { cwd: root, stdio: "inherit" });
  const server = await start(file, [], port);
  return { port, stop: () => server.stop() };
}

async function startNode(number) {
  const port = await freePort();
  // Beside the original, so that it finds its package; a module from memory.
  const text = source(number, "server.mjs", port);
  const server = await start(process.execPath,
    ["--input-type=module", "--eval", `${text}\nprocess.on("SIGTERM", () => process.exit());`], port, { cwd: root });
  return { port, stop: () => server.stop() };
}

// What client scripts use; all that happens is written down, in the order in
// which the script asks for it.
function stage(port, transport) {
  const sockets = {}, inbox = {}, transcript = [];
  const log = (what, value) => transcript.push(`${what}: ${JSON.stringify(value)}`);
  const make = (namespace, auth) => io(`http://127.0.0.1:${port}${namespace}`, {
    transports: [transport], forceNew: true, reconnection: false, ...(auth && { auth }),
  });

  return {
    transcript,
    log,
    // A client that is connected. Whatever it is sent waits in its inbox.
    async connect(name, namespace = "/", auth) {
      const socket = (sockets[name] = make(namespace, auth));
      inbox[name] = { list: [], wake() {} };
      socket.onAny((event, ...args) => {
        inbox[name].list.push([event, ...args]);
        inbox[name].wake();
      });
      await within(once(socket, "connect"), `the connection of ${name}`);
      return socket;
    },
    // The oldest event of that name in the inbox, or the next that comes.
    async heard(name, event, show = (...args) => args) {
      const box = inbox[name];
      const find = () => box.list.findIndex(([each]) => each === event);
      await within(new Promise((resolve) => {
        box.wake = () => find() >= 0 && resolve();
        box.wake();
      }), `"${event}" at ${name}`);
      const [[, ...args]] = box.list.splice(find(), 1);
      log(`${name} hears ${event}`, show(...args));
    },
    // Nothing waits at that client, though the server has answered it since.
    async quiet(socket) {
      await socket.emitWithAck("leave", "no such room");
      const name = Object.keys(sockets).find((each) => sockets[each] === socket);
      log(`${name} has heard nothing else`, inbox[name].list);
    },
    async refused(namespace, auth) {
      const socket = make(namespace, auth);
      const [error] = await within(once(socket, "connect_error"), "the refusal");
      socket.close();
      return [error.message, error.data];
    },
    reason: (socket) => new Promise((resolve) => socket.once("disconnect", resolve)),
    first: (socket, event) => within(once(socket, event), event),
    close() {
      for (const socket of Object.values(sockets)) socket.close();
    },
  };
}

async function perform(server, number, transport) {
  const script = await import(pathToFileURL(path.join(FOLDER, number, "client.mjs")));
  const here = stage(server.port, transport);
  try {
    await within(script.default(here), "the end of the script");
  } finally {
    here.close();
  }
  return here.transcript;
}

for (const number of PROGRAMS)
  test(`MIGRATING: program ${number} does the same in C as in Node`, async () => {
    for (const transport of ["polling", "websocket"]) {
      // A server for each: what it keeps is part of what it answers.
      const [original, ported] = [await startNode(number), await startC(number)];
      const expected = await perform(original, number, transport);
      const got = await perform(ported, number, transport);
      assert.ok(expected.length >= 5, "the script says what it sees");
      assert.deepEqual(got, expected, transport);
      await original.stop();
      await ported.stop();
    }
  });

test("MIGRATING: the page shows the programs as they are", () => {
  for (const number of PROGRAMS)
    for (const [name, language] of [["server.mjs", "js"], ["server.c", "c"]]) {
      const text = fs.readFileSync(path.join(FOLDER, number, name), "utf8");
      assert.ok(PAGE.includes(`\`\`\`${language}\n${text}\`\`\`\n`), `tests/migrating/${number}/${name}`);
    }
  const blocks = [...PAGE.matchAll(/^```(?:js|c)\n/gm)];
  assert.equal(blocks.length, 2 * PROGRAMS.length, "and no others");
});

// Of Node's classes: what they keep for themselves has a leading "_" or is
// TypeScript's `private`, which leaves no trace in JavaScript.
const PRIVATE = {
  Server: ["initEngine", "attachServe", "serve", "sendFile", "onconnection", "bind", "checkNamespace", "opts", "extractFilename"],
  Namespace: ["initAdapter", "run", "createSocket"],
  Socket: ["buildHandshake", "ack", "onack", "ondisconnect", "registerAckCallback", "packet", "ackEvent", "dispatch", "onevent", "onpacket", "run",
    "notifyOutgoingListeners", "newBroadcastOperator"],
  BroadcastOperator: [],
};

test("MIGRATING: every method of Node's classes is on the page", () => {
  const require = createRequire(import.meta.url);
  const dist = path.dirname(require.resolve("socket.io"));
  const { Server: NodeServer, Namespace, Socket } = require("socket.io");
  const { BroadcastOperator } = require(path.join(dist, "broadcast-operator.js"));
  const missing = [];

  for (const [name, type] of Object.entries({ Server: NodeServer, Namespace, Socket, BroadcastOperator }))
    for (const method of Object.getOwnPropertyNames(type.prototype))
      if (method !== "constructor" && !method.startsWith("_") && !PRIVATE[name].includes(method) &&
        !new RegExp(`\\b${method}\\b`).test(PAGE)) missing.push(`${name}.${method}`);
  assert.deepEqual(missing, []);
});

test("MIGRATING: every option of Node's constructors is on the page of options", () => {
  const require = createRequire(import.meta.url);
  const dist = path.dirname(require.resolve("socket.io"));
  const engine = path.dirname(createRequire(path.join(dist, "x.js")).resolve("engine.io"));
  const options = fs.readFileSync(path.join(root, "docs/OPTIONS.md"), "utf8") + PAGE;
  const names = new Set();

  // As the types that are published with them say.
  for (const [file, type] of [[path.join(dist, "index.d.ts"), "ServerOptions"], [path.join(engine, "server.d.ts"), "ServerOptions"],
    [path.join(engine, "server.d.ts"), "AttachOptions"]]) {
    const text = fs.readFileSync(file, "utf8").replace(/\/\*.*?\*\//gs, "");
    const [, body] = new RegExp(`interface ${type}[^{]*{\\n(.*?)\\n}`, "s").exec(text);
    for (const [, name] of body.matchAll(/^    (\w+)\??:/gm)) names.add(name);
  }
  assert.ok(names.size > 20, [...names].join());
  assert.deepEqual([...names].filter((name) => !new RegExp(`\\b${name}\\b`).test(options)), []);
});
