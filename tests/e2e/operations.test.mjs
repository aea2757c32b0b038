// operations.test.mjs -- what who runs a server relies on: clients that do not
// read, the counters, stopping, draining.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { collect, next, PEER_IS_NODE, Polling, TestServer, until, within } from "./harness.mjs";

const ours = (name, fn) => test(name, { skip: PEER_IS_NODE && "libsio only" }, fn);

test("S27 S28: a server that stops: its clients hear of it, and its port is free at once", async () => {
  const first = await TestServer.start();
  const client = await first.connect();
  const left = next(client, "disconnect");
  await first.program.stop();
  assert.match((await left)[0], /^transport (close|error)$/);
  const second = await TestServer.start({}, first.port);
  await second.connect();
  assert.equal((await second.stats()).sessions, 2);
  first.closeClients();
  await second.stop();
});

// --------------------------------------------------------------- slow readers

// A WebSocket that joins and then reads nothing any more.
async function deafWebSocket(server) {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n" +
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  await next(socket, "data");
  socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x34, 0x30])); // "40"
  await next(socket, "data");
  socket.pause();
  return socket;
}

for (const transport of ["websocket", "polling"]) {
  ours(`a client that reads nothing is closed as a slow consumer, ${transport}; the others miss nothing`, async () => {
    const server = await TestServer.start({ maxBuffered: 1000000 });
    const gone = collect(await server.watch(), "gone");
    const readers = await Promise.all(Array.from({ length: 10 }, () =>
      server.connect("/", { transports: ["websocket"] })));
    const got = readers.map((reader) => collect(reader, "news"));
    const deaf = transport === "websocket" ? await deafWebSocket(server) : await Polling.open(server);
    const text = "x".repeat(4000);

    // In steps, so that only who does not read falls behind.
    let sent = 0;
    while (gone.length === 0 && sent < 20000) {
      for (let i = 0; i < 50; i++) readers[0].emit("send", { from: "io" }, "news", sent++, text);
      await readers[0].emitWithAck("ack", 1);
      await Promise.all(got.map((list) => list.until(sent)));
    }
    assert.equal(gone[0]?.[1], "slow consumer", `after ${sent} events`);
    for (const list of got) assert.deepEqual(list.map(([n]) => n), Array.from({ length: sent }, (_, i) => i));
    const stats = await server.stats();
    assert.equal(stats.slow, 1);
    assert.ok(stats.discarded_bytes > 900000, `${stats.discarded_bytes} bytes discarded`);
    assert.ok(stats.queued_bytes < 100000, `${stats.queued_bytes} bytes still queued`);
    assert.match(server.program.stderr, new RegExp(
      `session closed: reason="slow consumer" detail="[^"]+" address=127.0.0.1 transport=${transport} `));
    deaf.destroy?.();
    await server.stop();
  });
}

// ------------------------------------------------------------------- draining

// Connections go to the first server that takes them.
async function startBalancer(...servers) {
  const open = new Set();
  const forward = (client, [server, ...others]) => {
    const upstream = connect(server.port, "127.0.0.1");
    upstream.once("connect", () => client.pipe(upstream).pipe(client));
    upstream.once("error", () => (upstream.connecting === false && others.length && upstream.bytesRead === 0
      ? forward(client, others) : client.destroy()));
    upstream.once("close", () => upstream.bytesRead && client.destroy());
    client.once("close", () => upstream.destroy());
  };
  const balancer = createServer((client) => {
    open.add(client);
    client.on("error", () => {});
    client.once("close", () => open.delete(client));
    forward(client, servers);
  });
  balancer.listen(0, "127.0.0.1");
  await once(balancer, "listening");
  return {
    url: `http://127.0.0.1:${balancer.address().port}`,
    stop: () => (balancer.close(), open.forEach((client) => client.destroy())),
  };
}

ours("a drain moves every client to the next server, spread over its time; what was asked is answered", async () => {
  const CLIENTS = 20;
  const [old, fresh] = [await TestServer.start({ drain: 2000 }), await TestServer.start()];
  const balancer = await startBalancer(old, fresh);
  const made = [];
  const direct = fresh.url;
  fresh.url = balancer.url;
  for (let i = 0; i < CLIENTS; i++) {
    const client = fresh.make("/", {
      reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100, retries: 20, ackTimeout: 1000,
      transports: i % 4 ? ["websocket"] : ["polling"],
    });
    client.answers = [];
    made.push(client);
  }
  fresh.url = direct;
  await Promise.all(made.map((client) => client.connected || next(client, "connect")));
  assert.equal((await old.stats()).sessions, CLIENTS + 1);

  const times = [];
  let asking = true;
  const busy = made.map(async (client) => {
    client.on("disconnect", () => times.push(Date.now()));
    for (let n = 0; asking; n++) {
      client.answers.push(await client.emitWithAck("ack", n));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return client.answers.length;
  });
  const began = Date.now();
  old.program.child.kill("SIGTERM");
  const status = await within(10000, "end of the first server", old.program.ended);
  assert.deepEqual(status, { code: 0, signal: null }, old.program.stderr);
  await until("all have moved", () => times.length >= CLIENTS && made.every((client) => client.connected));
  asking = false;
  for (const [i, asked] of (await within(20000, "the last answers", Promise.all(busy))).entries())
    assert.deepEqual(made[i].answers, Array.from({ length: asked }, (_, n) => n));
  assert.equal((await fresh.stats()).sessions, CLIENTS + 1);
  const halves = [times.filter((t) => t - began < 1000).length, times.filter((t) => t - began >= 1000).length];
  assert.ok(halves.every((n) => n >= CLIENTS / 4), `left in the first and the second half: ${halves}`);
  balancer.stop();
  fresh.closeClients();
  await fresh.stop();
});

ours("a second signal ends a drain", async () => {
  const server = await TestServer.start({ drain: 600000 });
  const client = await server.connect();
  const left = next(client, "disconnect");
  server.program.child.kill("SIGTERM");
  await until("it takes nobody any more", () => new Promise((resolve) => {
    const socket = connect(server.port, "127.0.0.1");
    socket.once("connect", () => (socket.destroy(), resolve(false)));
    socket.once("error", () => resolve(true));
  }));
  assert.equal(await client.emitWithAck("ack", 1), 1);
  await server.program.stop(); // SIGTERM again
  await left;
  server.closeClients();
});
