// limits.test.mjs -- sizes on and one past each limit, and floods: what bad
// clients leave behind is nothing.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import { WebSocket } from "ws";
import { BUILD, collect, http, next, PEER_IS_NODE, Polling, raw, RS, TestServer, until } from "./harness.mjs";

const LIMIT = 2000;
const server = await TestServer.start({ maxPayload: LIMIT });
const OPENING = "EIO=4&transport=websocket";

// 42["echo","xxx..."] of exactly `size` bytes.
function packet(size) {
  const frame = '42["echo",""]';
  return `42["echo","${"x".repeat(size - frame.length)}"]`;
}

// A WebSocket that has joined "/"; `frames` are the messages after that.
async function joined(target) {
  const ws = new WebSocket(`${target.url}/socket.io/?${OPENING}`);
  const frames = collect(ws, "message");
  ws.on("error", () => {}); // a reset on the way out is no matter
  await next(ws, "open");
  ws.send("40");
  await frames.until(2);
  frames.length = 0;
  return { ws, frames };
}

test("E190, E27: maxPayload is announced", async () => {
  const { handshake } = await Polling.open(server);
  assert.equal(handshake.maxPayload, LIMIT);
  assert.deepEqual(Object.keys(handshake), ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]);
});

test("E91: a body of exactly maxPayload is handled", async () => {
  const session = await Polling.open(server);
  assert.equal((await session.post(packet(LIMIT))).status, 200);
  assert.equal((await session.poll()).body, packet(LIMIT));
});

for (const [name, headers] of [["with Content-Length", { "content-length": LIMIT + 1 }], ["chunked", { "transfer-encoding": "chunked" }]]) {
  test(`E89: one byte more, ${name}: 413 without a body, the session lives`, async () => {
    const session = await Polling.open(server);
    const answer = await http(server, { method: "POST", query: session.query, headers, body: packet(LIMIT + 1) });
    assert.deepEqual([answer.status, answer.body], [413, ""]);
    await session.post('42["echo","next"]');
    assert.equal((await session.poll()).body, '42["echo","next"]');
  });
}

test("the limit counts bytes, not characters", async () => {
  const session = await Polling.open(server);
  const { status } = await session.post(`42["echo","${"é".repeat(LIMIT / 2)}"]`);
  assert.equal(status, 413);
});

test("E90: a WebSocket message of exactly maxPayload is handled, one byte more closes with 1009", async () => {
  const { ws, frames } = await joined(server);
  ws.send(packet(LIMIT));
  await frames.until(1);
  assert.equal(frames[0][0].toString(), packet(LIMIT));
  ws.send(packet(LIMIT + 1));
  assert.equal((await next(ws, "close"))[0], 1009);
});

test("the limit counts all fragments of a message", async () => {
  const { ws } = await joined(server);
  for (let i = 0; i < 3; i++) ws.send("4".repeat(LIMIT / 2), { fin: false });
  assert.equal((await next(ws, "close"))[0], 1009);
});

test("what the server sends may be larger", async () => {
  const client = await server.connect("/", { transports: ["websocket"] });
  const echoes = collect(client, "burst");
  client.emit("burst", 1000);
  await echoes.until(1000);
  assert.deepEqual([...echoes], [...Array(1000).keys()]);
  client.disconnect();
});

for (const transports of [["polling"], ["websocket"]]) {
  test(`just under the default limit of 1,000,000 bytes, text and binary (${transports})`, async () => {
    const other = await TestServer.start();
    const client = await other.connect("/", { transports });
    const text = "x".repeat(999_980);
    client.emit("echo", text);
    assert.equal((await next(client, "echo"))[0], text);
    // Over polling binary travels as base64.
    const data = Buffer.alloc(transports[0] === "polling" ? 740_000 : 999_990, 0x5a);
    client.emit("echo", data);
    assert.deepEqual((await next(client, "echo"))[0], data);
    await other.stop();
  });

  test(`over the default limit the client is disconnected, others go on (${transports})`, async () => {
    const other = await TestServer.start();
    const witness = await other.connect();
    const client = await other.connect("/", { transports });
    const left = next(client, "disconnect");
    client.emit("echo", "x".repeat(1_000_001));
    assert.match((await left)[0], /^transport (close|error)$/);
    assert.equal(await witness.emitWithAck("ack", 1), 1);
    await other.stop();
  });
}

test("CVE-2020-36049: a million digits of attachment count are refused in linear time", async () => {
  const other = await TestServer.start();
  const { ws } = await joined(other);
  const began = Date.now();
  ws.send(`45${"9".repeat(999_000)}`);
  await next(ws, "close");
  assert.ok(Date.now() - began < 2000, `took ${Date.now() - began} ms`);
  await other.stop();
});

// -------------------------------------------------------------------- floods

// Bad requests and sessions of every kind, n in all, at most 20 at a time.
async function flood(target, n) {
  const kinds = [
    () => http(target, { query: { EIO: 4, transport: "nope" } }),
    () => http(target, { query: { EIO: 4, transport: "polling", sid: "nobody" } }),
    () => http(target, { method: "PUT", query: { EIO: 4, transport: "polling" } }),
    () => raw(target, "BAD\r\n\r\n"),
    () => raw(target, "GET /socket.io/?EIO=4&transport=nope HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
    // Node may break the connection off instead of answering.
    async () => (await Polling.open(target)).post(`4abc${RS}4x`).catch(() => {}),
    async () => {
      const session = await Polling.open(target);
      await session.post('42["join","room"]');
      await session.post("invalid");
    },
    async () => {
      const { ws, frames } = await joined(target);
      ws.send('420["join","room"]');
      await frames.until(1);
      ws.send('451-["x",{"_placeholder":true,"num":0}]'); // never completed
      ws.terminate();
    },
    async () => {
      const { ws } = await joined(target);
      ws.send("42[]");
      await next(ws, "close");
    },
    async () => {
      const { ws, frames } = await joined(target);
      ws.send('421["ask",0,"never answered"]');
      await frames.until(1);
      ws.close();
      await next(ws, "close");
    },
  ];
  let left = n;
  await Promise.all(Array.from({ length: 20 }, async () => {
    while (left-- > 0) await kinds[left % kinds.length]();
  }));
}

async function allZero(target) {
  let stats;
  await until("every counter is back", async () => {
    stats = await target.stats();
    // The one that asks is one connection, session, WebSocket and socket.
    return stats.sessions === 1 && stats.sockets === 1 && stats.connections === 1;
  }, 10000);
  if (PEER_IS_NODE) return;
  const { requests, websockets, rooms, pending_acks: acks, queued_bytes: queued } = stats;
  assert.deepEqual({ requests, websockets, rooms, acks, queued }, { requests: 0, websockets: 1, rooms: 0, acks: 0, queued: 0 });
}

const fds = (target) => readdirSync(`/proc/${target.pid}/fd`).length;

test("a flood of 2,000 bad requests and sessions leaves no memory, descriptor or counter behind", async (t) => {
  const target = await TestServer.start({ pingInterval: 200, pingTimeout: 300 });
  await flood(target, 500); // what the allocator keeps for good is there now
  await allZero(target);
  const before = { rss: target.rssKiB(), fds: fds(target) };
  await flood(target, 2000);
  await allZero(target);
  const grown = target.rssKiB() - before.rss;
  t.diagnostic(`resident set ${before.rss} KiB, grown by ${grown} KiB`);
  assert.equal(fds(target), before.fds);
  // Node collects garbage when it likes, and sanitizers hold freed memory back.
  if (!PEER_IS_NODE && !/asan|tsan/.test(BUILD)) assert.ok(grown <= 256, `grown by ${grown} KiB`);
  await target.stop();
});

test("CVE-2020-36048: 300 half-sent bodies that announce a megabyte each cost only what was sent", async (t) => {
  const target = await TestServer.start();
  const sessions = await Promise.all(Array.from({ length: 300 }, () => Polling.open(target)));
  const before = target.rssKiB();
  const sockets = sessions.map(({ query }) => {
    const socket = connect(target.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(`POST /socket.io/?${new URLSearchParams(query)} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n4${"x".repeat(1000)}`);
    return socket;
  });
  await Promise.all(sockets.map((socket) => (socket.connecting ? next(socket, "connect") : null)));
  const witness = await target.connect("/", { transports: ["websocket"] });
  for (let i = 0; i < 20; i++) assert.equal(await witness.emitWithAck("ack", i), i);
  const grown = target.rssKiB() - before;
  t.diagnostic(`resident set ${before} KiB, grown by ${grown} KiB`);
  if (!PEER_IS_NODE && !/asan|tsan/.test(BUILD)) assert.ok(grown < 16 * 1024, `grown by ${grown} KiB`);
  for (const socket of sockets) socket.destroy();
  witness.disconnect();
  await allZero(target);
  await target.stop();
});

test("silent TCP connections are bounded in number only by the system, and go when they are closed", async () => {
  const target = await TestServer.start();
  const before = fds(target);
  const sockets = await Promise.all(Array.from({ length: 100 }, async () => {
    const socket = connect(target.port, "127.0.0.1");
    await next(socket, "connect");
    return socket;
  }));
  const client = await target.connect();
  assert.equal(await client.emitWithAck("ack", 1), 1);
  client.disconnect();
  for (const socket of sockets) socket.destroy();
  await allZero(target);
  await until("all descriptors are closed", () => fds(target) <= before + 1);
  await target.stop();
});

test("the server process ends with status 0 and nothing on stderr", () => server.stop());
