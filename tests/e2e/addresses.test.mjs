// addresses.test.mjs -- unix sockets and inherited ones with the real clients,
// restarts on the same address, and how many may connect.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { existsSync, linkSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { Agent } from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Socket } from "engine.io-client";
import { io } from "socket.io-client";
import { BUILD, collect, http, next, PEER_IS_NODE, startProgram, statsBy, TestServer, until, within } from "./harness.mjs";

const folder = mkdtempSync(join(tmpdir(), "sio-addresses-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

const MODES = { polling: { transports: ["polling"] }, websocket: { transports: ["websocket"] }, upgrade: {} };
const ours = { skip: PEER_IS_NODE && "libsio's own" };

// A client over `agent`, which says how to get there.
async function whoami(agent, options = {}) {
  const client = io("http://localhost", { forceNew: true, reconnection: false, agent, ...options });
  try {
    await within(5000, "connection", new Promise((resolve, reject) => {
      client.once("connect", resolve);
      client.once("connect_error", reject);
    }));
    if (!options.transports && client.io.engine.transport.name !== "websocket") await next(client.io.engine, "upgrade");
    assert.equal(await client.timeout(5000).emitWithAck("ack", "é".repeat(50_000)), "é".repeat(50_000));
    return await client.timeout(5000).emitWithAck("whoami");
  } finally {
    client.disconnect();
    agent.destroy();
  }
}

for (const [mode, how] of Object.entries(MODES)) {
  test(`a unix socket, socket.io-client: ${mode}`, ours, async () => {
    const path = join(folder, `${mode}.sock`);
    const server = await TestServer.start({ unixMode: "0600" }, `unix:${path}`);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const who = await whoami(new Agent({ socketPath: path }), how);
    assert.equal(who.address, "unix");
    assert.equal(who.transport, mode === "polling" ? "polling" : "websocket");
    await server.stop();
    assert.ok(!existsSync(path), "the socket file is removed");
  });
}

test("a unix socket, engine.io-client", ours, async () => {
  const path = join(folder, "engine.sock");
  const server = await TestServer.start({}, `unix:${path}`);
  const agent = new Agent({ socketPath: path });
  const socket = new Socket("http://localhost", { path: "/socket.io/", agent });
  const packets = collect(socket, "message");
  await next(socket, "upgrade");
  socket.send("0");
  await packets.until(1);
  assert.match(packets[0], /^0\{"sid":/);
  socket.close();
  agent.destroy();
  await server.stop();
});

test("a name without a file", { skip: ours.skip || (process.platform !== "linux" && "Linux only") }, async () => {
  const name = `sio-e2e-${process.pid}`;
  const server = await TestServer.start({}, `unix:@${name}`);
  const who = await whoami(new Agent({ socketPath: `\0${name}` })).catch((error) => error);
  // Node before 20.4 cannot connect to such names: then the server's end is enough.
  if (!(who instanceof Error)) assert.equal(who.address, "unix");
  await server.stop();
});

test("a socket file that a killed server has left is replaced, one in use is not", ours, async () => {
  const path = join(folder, "left.sock");
  const first = await TestServer.start({}, `unix:${path}`);
  await assert.rejects(TestServer.start({}, `unix:${path}`), /cannot listen on unix:.*Address already in use \(another process listens there/);
  first.program.child.kill("SIGKILL");
  await within(5000, "end of the first server", first.program.ended);
  assert.ok(existsSync(path));
  const second = await TestServer.start({}, `unix:${path}`);
  assert.equal((await whoami(new Agent({ socketPath: path }))).address, "unix");
  await second.stop();
});

test("a restart on the same port, at once, after clients were cut off", async () => {
  const first = await TestServer.start();
  const { port } = first;
  await Promise.all(Array.from({ length: 5 }, () => first.connect()));
  first.program.child.kill("SIGKILL");
  await within(5000, "end of the first server", first.program.ended);
  first.closeClients();
  const second = await TestServer.start({}, port);
  assert.equal(second.port, port);
  await second.connect();
  await second.stop();
});

// ------------------------------------------------------------------ inherited

// Sockets that listen, as descriptors 3, 4, ... of the program.
async function withSockets(addresses, address, { env = "", options = [] } = {}) {
  const listening = await Promise.all(addresses.map((where) => new Promise((resolve, reject) => {
    const { path } = where;
    const server = createServer().listen(path ? { path: `${path}.made` } : where, () => {
      if (path) linkSync(`${path}.made`, path); // Node removes the name that it has made
      resolve(server);
    });
    server.once("error", reject);
  })));
  const ports = listening.map((server) => server.address().port);
  // The shell becomes the program, so that LISTEN_PID is its own.
  const program = startProgram("/bin/sh", ["-c", `${env} exec "$0" "$@"`, `${BUILD}/servers/e2e`, address, ...options], /^ready (\d+)$/,
    { stdio: ["ignore", "pipe", "pipe", ...listening.map((server) => server._handle.fd)] });
  try {
    return { program: await program, ports };
  } finally {
    // The test itself must not accept what is the program's.
    for (const server of listening) server._handle.close(), server.unref();
  }
}

const at = (port) => new Agent({ host: "127.0.0.1", port });
const SYSTEMD = (n, names = "") => `LISTEN_PID=$$ LISTEN_FDS=${n} LISTEN_FDNAMES=${names}; export LISTEN_PID LISTEN_FDS LISTEN_FDNAMES;`;

test("an inherited descriptor", ours, async () => {
  const { program, ports } = await withSockets([{ port: 0, host: "127.0.0.1" }], "fd:3");
  assert.equal(Number(program.match[1]), ports[0]);
  assert.equal((await whoami(at(ports[0]))).address, "127.0.0.1");
  await program.stop();
});

test("systemd's sockets: all, of several kinds", ours, async () => {
  const path = join(folder, "systemd.sock");
  const { program, ports } = await withSockets([{ port: 0, host: "127.0.0.1" }, { path }], "systemd",
    { env: SYSTEMD(2) });
  assert.equal((await whoami(at(ports[0]))).address, "127.0.0.1");
  assert.equal((await whoami(new Agent({ socketPath: path }))).address, "unix");
  await program.stop();
  assert.ok(existsSync(path), "the file is systemd's");
});

test("systemd's sockets: by name", ours, async () => {
  const { program, ports } = await withSockets([{ port: 0, host: "127.0.0.1" }, { port: 0, host: "127.0.0.1" }], "systemd:web",
    { env: SYSTEMD(2, "admin:web") });
  assert.equal(Number(program.match[1]), ports[1]);
  assert.equal((await whoami(at(ports[1]))).address, "127.0.0.1");
  await program.stop();
});

for (const [what, address, env, wrong] of [
  ["for another process", "systemd", "LISTEN_PID=1 LISTEN_FDS=1; export LISTEN_PID LISTEN_FDS;", /systemd has passed no sockets to this process/],
  ["of another name", "systemd:web", SYSTEMD(1, "admin"), /no socket of that name/],
  ["more than there are", "systemd", SYSTEMD(30), /cannot listen on systemd: /],
  ["not passed at all", "fd:77", "", /cannot listen on fd:77: Bad file descriptor/],
]) {
  test(`sockets ${what}: the server says so and ends`, ours, async () => {
    await assert.rejects(withSockets([{ port: 0, host: "127.0.0.1" }], address, { env }), wrong);
  });
}

// --------------------------------------------------------------------- limits

test("maxConnections: one more is closed at once, the others go on", ours, async () => {
  const server = await TestServer.start({ maxConnections: 3 });
  const clients = await Promise.all([1, 2, 3].map(() => server.connect("/", { transports: ["websocket"] })));
  const late = connect(server.port, "127.0.0.1");
  await next(late, "close");
  const refused = server.make("/", { transports: ["websocket"] });
  await next(refused, "connect_error");
  assert.equal((await clients[0].timeout(5000).emitWithAck("ack", 1)), 1);
  const stats = await statsBy(clients[0]);
  assert.equal(stats.connections, 3);
  assert.equal(stats.dropped, 2);
  clients[1].disconnect();
  await until("a place is free", async () => (await statsBy(clients[0])).connections === 2);
  await server.connect("/", { transports: ["websocket"] });
  await until("it is logged", () => /connection of 127\.0\.0\.1 closed: max_connections is reached/.test(server.program.stderr));
  await server.stop();
});

test("maxPerAddress: another address is let in, a trusted proxy any number of times", ours, async () => {
  const server = await TestServer.start({ maxPerAddress: 1, trust: "127.0.0.9" });
  const from = (localAddress) => new Agent({ localAddress });
  const agents = ["127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.9", "127.0.0.9"].map(from);
  const first = server.make("/", { transports: ["websocket"], agent: agents[0] });
  await next(first, "connect");
  const second = server.make("/", { transports: ["websocket"], agent: agents[1] });
  await next(second, "connect_error");
  for (const agent of agents.slice(2)) await next(server.make("/", { transports: ["websocket"], agent }), "connect");
  await until("it is logged", () => /max_connections_per_address is reached/.test(server.program.stderr));
  server.closeClients();
  for (const agent of agents) agent.destroy();
  await until("the first address is free again", async () => (await http(server, { query: { EIO: 4, transport: "polling" } })
    .catch(() => ({}))).status === 200);
  await server.stop({ abandoned: true });
});
