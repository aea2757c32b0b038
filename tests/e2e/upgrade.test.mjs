// upgrade.test.mjs -- from polling to WebSocket while messages are under way.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { Socket as Engine } from "engine.io-client";
import { WebSocket } from "ws";
import { collect, http, next, Polling, RS, TestServer, until } from "./harness.mjs";

const server = await TestServer.start();

function openWebSocket(sid) {
  return new WebSocket(`ws://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=websocket&sid=${sid}`);
}

// Calls fn(0), fn(1), ... every 2 ms: at least 50 times, and beyond `upgraded`,
// so that some are under way while the transports change. Resolves with how many.
async function everyTwoMs(upgraded, fn) {
  let more = 10;
  let over = false;
  upgraded.then(() => (over = true));
  for (let i = 0; ; fn(i++)) {
    if (i >= 50 && over && more-- === 0) return i;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

for (let round = 1; round <= 5; round++) {
  test(`E131: socket.io-client, 50 messages and more each way across an upgrade, round ${round}`, async () => {
    const client = server.make();
    const upgraded = next(client.io, "open").then(() => next(client.io.engine, "upgrade"));
    await next(client, "connect");
    const echoes = collect(client, "echo");
    const burst = collect(client, "burst");
    const acks = [];
    client.emit("burst", 50);
    const n = await everyTwoMs(upgraded, (i) => {
      client.emit("echo", i);
      client.emit("ack", i, (value) => acks.push(value));
    });
    const [transport] = await upgraded;
    assert.equal(transport.name, "websocket"); // E132
    await echoes.until(n);
    await burst.until(50);
    await until("all acknowledgements", () => acks.length === n);
    assert.equal((await client.emitWithAck("whoami")).transport, "websocket");
    const sent = [...Array(n).keys()];
    assert.deepEqual([...echoes], sent);
    assert.deepEqual(acks, sent);
    assert.deepEqual([...burst], sent.slice(0, 50));
    client.disconnect();
  });

  test(`E131: engine.io-client, 50 messages and more each way across an upgrade, round ${round}`, async () => {
    const engine = new Engine(server.url, { path: "/socket.io/" });
    const messages = collect(engine, "message");
    const upgraded = next(engine, "upgrade");
    await next(engine, "open");
    engine.send("0"); // the Socket.IO packet; the engine puts a "4" before it
    await messages.until(1);
    const n = await everyTwoMs(upgraded, (i) => engine.send(`2["echo",${i}]`));
    await messages.until(1 + n);
    assert.deepEqual(messages.slice(1), Array.from({ length: n }, (_, i) => `2["echo",${i}]`));
    assert.equal(engine.transport.name, "websocket");
    engine.close();
  });
}

test("what waits for a poll when the upgrade completes comes as frames, in order", async () => {
  const session = await Polling.open(server);
  const ws = openWebSocket(session.handshake.sid);
  await next(ws, "open");
  const frames = collect(ws, "message");
  ws.send("2probe");
  await frames.until(1);
  await session.post(`42["burst",3]${RS}451-["echo",{"_placeholder":true,"num":0},"é"]${RS}bAQID${RS}42["echo","last"]`);
  ws.send("5");
  await frames.until(7);
  assert.deepEqual(frames.slice(1).map(([data, binary]) => (binary ? data.toString("hex") : data.toString())), [
    '42["burst",0]', '42["burst",1]', '42["burst",2]',
    '451-["echo",{"_placeholder":true,"num":0},"é"]', "010203", '42["echo","last"]',
  ]);
  ws.close();
});

test("E120: messages sent in the connect handler arrive once", async () => {
  const client = server.make();
  const echoes = collect(client, "echo");
  client.on("connect", () => ["a", "b", "c"].forEach((text) => client.emit("echo", text)));
  await next(client.io, "open");
  await next(client.io.engine, "upgrade");
  await echoes.until(3);
  await client.emitWithAck("ack");
  assert.deepEqual([...echoes], ["a", "b", "c"]);
  client.disconnect();
});

test("E202: probe, noop for the waiting poll, then everything over WebSocket", async () => {
  const session = await Polling.open(server);
  const ws = openWebSocket(session.handshake.sid);
  const frames = collect(ws, "message");
  const poll = session.poll();
  await next(ws, "open");
  ws.send("2probe");
  await frames.until(1);
  assert.equal(frames[0][0].toString(), "3probe");
  assert.equal((await poll).body, "6");
  ws.send("5");
  ws.send('42["echo","over ws"]');
  await frames.until(2);
  assert.equal(frames[1][0].toString(), '42["echo","over ws"]');

  // Polling is over for this session: the transport does not match.
  const { status, body } = await session.poll();
  assert.deepEqual([status, body], [400, '{"code":3,"message":"Bad request"}']);
  ws.close();
});

test("E9, E203: a second WebSocket of an upgraded session is closed, the first goes on", async () => {
  const session = await Polling.open(server);
  const first = openWebSocket(session.handshake.sid);
  await next(first, "open");
  const frames = collect(first, "message");
  first.send("2probe");
  await frames.until(1);
  first.send("5");
  const second = openWebSocket(session.handshake.sid);
  second.on("error", () => {}); // refusing it outright is fine too
  await next(second, "close");
  first.send('42["echo",1]');
  await frames.until(2);
  assert.equal(frames[1][0].toString(), '42["echo",1]');
  first.close();
});

for (const [name, frame] of [["a message", "4hi"], ["garbage", "x"], ["a bare ping", "2"], ["binary", Buffer.from([1])]]) {
  test(`${name} instead of the probe closes that WebSocket, the session goes on polling`, async () => {
    const session = await Polling.open(server);
    const ws = openWebSocket(session.handshake.sid);
    await next(ws, "open");
    ws.send(frame);
    await next(ws, "close");
    await session.post('42["echo","still polling"]');
    assert.equal((await session.poll()).body, '42["echo","still polling"]');
    await session.post("1");
  });
}

test("a WebSocket that goes away while probing leaves the session on polling", async () => {
  const session = await Polling.open(server);
  const ws = openWebSocket(session.handshake.sid);
  await next(ws, "open");
  ws.send("2probe");
  await next(ws, "message");
  ws.terminate();
  await session.post('42["echo",1]');
  const body = (await session.poll()).body;
  assert.equal(body === "6" ? (await session.poll()).body : body, '42["echo",1]');
  await session.post("1");
});

test("E78: an upgrade that is never completed is closed after upgradeTimeout", async () => {
  const quick = await TestServer.start({ upgradeTimeout: 100 });
  const session = await Polling.open(quick);
  const ws = new WebSocket(`ws://127.0.0.1:${quick.port}/socket.io/?EIO=4&transport=websocket&sid=${session.handshake.sid}`);
  await next(ws, "open");
  await next(ws, "close", 1000);
  await session.post('42["echo",1]');
  assert.equal((await session.poll()).body, '42["echo",1]');
  await session.post("1");
  await quick.stop();
});

test("E33: a polling-only server suggests no upgrade; E31: a WebSocket-only one serves no polling", async () => {
  const polling = await TestServer.start({ transports: "polling" });
  const { handshake } = await Polling.open(polling);
  assert.deepEqual(handshake.upgrades, []);
  const client = await polling.connect();
  assert.equal((await client.emitWithAck("whoami")).transport, "polling");
  await polling.stop();

  const websocket = await TestServer.start({ transports: "websocket" });
  const { status, body } = await http(websocket, { query: { EIO: 4, transport: "polling" } });
  assert.deepEqual([status, body], [400, '{"code":0,"message":"Transport unknown"}']);
  const other = await websocket.connect("/", { transports: ["websocket"] });
  assert.equal((await other.emitWithAck("whoami")).transport, "websocket");
  await websocket.stop();
});

test("the server process ends with status 0 and nothing on stderr", () => server.stop());
