// protocol-eio.test.mjs -- plain Engine.IO v4 on the wire, against the role
// protocol-eio of the conformance server: every message comes back. The numbers
// are those of the checklist in docs/TESTING.md.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { conformance, Polling, request, RS, Wire } from "./support.mjs";

const INTERVAL_MS = 300;
const TIMEOUT_MS = 200;
const SLACK_MS = 3_000; // a loaded machine may be late by this, never early
const EARLY_MS = 20; // the client's clock starts a little after the server's

let server;

before(async () => {
  server = await conformance("protocol-eio");
});
after(() => server.stop());

const poll = () => Polling.open(server.port, "/engine.io/");
const get = (query) => request(server.port, `/engine.io/${query}`);
const url = (query) => `ws://127.0.0.1:${server.port}/engine.io/${query}`;

async function websocket() {
  const wire = await Wire.open(url("?EIO=4&transport=websocket"));
  const open = await wire.next();
  assert.equal(open[0], "0");
  return { wire, handshake: JSON.parse(open.slice(1)) };
}

// A polling session, and a WebSocket opened for it.
async function probing() {
  const session = await poll();
  const wire = await Wire.open(
    url(`?EIO=4&transport=websocket&sid=${session.handshake.sid}`),
  );
  return { session, wire };
}

async function upgraded() {
  const { session, wire } = await probing();
  wire.send("2probe");
  assert.equal(await wire.next(), "3probe");
  wire.send("5");
  return { session, wire };
}

function assertOpen(handshake, upgrades) {
  const { sid, ...rest } = handshake;
  assert.match(sid, /^[A-Za-z0-9_-]{20}$/);
  assert.deepEqual(rest, {
    upgrades,
    pingInterval: INTERVAL_MS,
    pingTimeout: TIMEOUT_MS,
    maxPayload: 1_000_000,
  });
}

function assertPeriod(started, least) {
  const took = performance.now() - started;
  assert.ok(took >= least - EARLY_MS, `${took} ms: too early`);
  assert.ok(took <= least + SLACK_MS, `${took} ms: too late`);
}

// --- opening

test("E190: OPEN over polling has its five fields, in order", async () => {
  const { status, headers, body } = await get("?EIO=4&transport=polling");
  assert.equal(status, 200);
  assert.equal(headers["content-type"], "text/plain; charset=UTF-8");
  assert.equal(headers["access-control-allow-origin"], "*");
  const handshake = JSON.parse(body.slice(1));
  assertOpen(handshake, ["websocket"]);
  assert.deepEqual(Object.keys(handshake), [
    "sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload",
  ]);
});

test("E190: OPEN over WebSocket offers no upgrade", async () => {
  const { wire, handshake } = await websocket();
  assertOpen(handshake, []);
  await wire.close();
});

test("E190: every session has an id of its own", async () => {
  const ids = new Set();
  for (let i = 0; i < 50; i++) ids.add((await poll()).handshake.sid);
  assert.equal(ids.size, 50);
});

const VERSION = '{"code":5,"message":"Unsupported protocol version"}';
const TRANSPORT = '{"code":0,"message":"Transport unknown"}';

for (const [query, refusal] of [
  ["?transport=polling", VERSION],
  ["?EIO=abc&transport=polling", VERSION],
  ["?EIO=3&transport=polling", VERSION],
  ["?EIO=4", TRANSPORT],
  ["?EIO=4&transport=abc", TRANSPORT],
]) {
  test(`E191: polling refuses ${query}`, async () => {
    const { status, headers, body } = await get(query);
    assert.equal(status, 400);
    assert.equal(headers["content-type"], "application/json");
    assert.equal(body, refusal);
  });
}

for (const query of [
  "?transport=websocket",
  "?EIO=abc&transport=websocket",
  "?EIO=4",
  "?EIO=4&transport=abc",
]) {
  test(`E191: WebSocket refuses ${query}`, async () => {
    const wire = new Wire(url(query));
    await wire.end();
    assert.deepEqual(wire.received, [], "no session was opened");
  });
}

for (const method of ["POST", "PUT"]) {
  test(`E192: ${method} cannot open a session`, async () => {
    const { status, body } = await request(
      server.port, "/engine.io/?EIO=4&transport=polling", { method },
    );
    assert.equal(status, 400);
    assert.equal(body, '{"code":2,"message":"Bad handshake method"}');
  });
}

// --- messages

for (const [name, payload] of [
  ["E193: one text packet", "4hello"],
  ["E194: several text packets in one payload", `4test1${RS}4test2${RS}4test3`],
  ["E195: text and binary in one payload", `4hello${RS}bAQIDBA==`],
  ["E195: beyond ASCII", `4\u20ac\u{1f600}${RS}b`],
]) {
  test(`${name} comes back as it went over polling`, async () => {
    const session = await poll();
    const posted = await session.post(payload);
    assert.deepEqual([posted.status, posted.body], [200, "ok"]);
    const got = await session.get();
    assert.deepEqual([got.status, got.body], [200, payload]);
    assert.equal(got.headers["content-type"], "text/plain; charset=UTF-8");
  });
}

test("E196: a packet that is none ends a polling session", async () => {
  const session = await poll();
  await session.post("abc");
  assert.equal((await session.get()).status, 400);
});

test("E197: a second GET ends the session", async () => {
  const session = await poll();
  const answers = await Promise.all([session.get(), session.get()]);
  // Which of the two came first is up to the network.
  assert.deepEqual(answers.map((a) => [a.status, a.body]).sort(), [
    [200, "1"],
    [400, ""],
  ]);
  const late = await session.get();
  assert.equal(late.status, 400);
  assert.equal(late.body, '{"code":1,"message":"Session ID unknown"}');
});

test("E198: text comes back over WebSocket", async () => {
  const { wire } = await websocket();
  wire.send("4hello");
  assert.equal(await wire.message(), "4hello");
  await wire.close();
});

test("E198: binary comes back over WebSocket", async () => {
  const { wire } = await websocket();
  wire.send(Buffer.from([1, 2, 3, 4]));
  assert.deepEqual(await wire.message(), Buffer.from([1, 2, 3, 4]));
  await wire.close();
});

test("E198: a packet that is none ends a WebSocket session", async () => {
  const { wire } = await websocket();
  wire.send("abc");
  await wire.end();
});

// --- heartbeat

test("E199: three pings over polling", async () => {
  const session = await poll();
  for (let i = 0; i < 3; i++) {
    const started = performance.now();
    const { status, body } = await session.get();
    assert.deepEqual([status, body], [200, "2"]);
    assertPeriod(started, INTERVAL_MS);
    assert.equal((await session.post("3")).status, 200);
  }
});

test("E199: three pings over WebSocket", async () => {
  const { wire } = await websocket();
  for (let i = 0; i < 3; i++) {
    const started = performance.now();
    assert.equal(await wire.next(), "2");
    assertPeriod(started, INTERVAL_MS);
    wire.send("3");
  }
  await wire.close();
});

test("E200: without a pong a polling session ends", async () => {
  const session = await poll();
  const started = performance.now();
  assert.equal((await session.get()).body, "2");
  const farewell = await session.get();
  assert.deepEqual([farewell.status, farewell.body], [200, "1"]);
  assertPeriod(started, INTERVAL_MS + TIMEOUT_MS);
  assert.equal((await session.get()).status, 400);
});

test("E200: without a pong a WebSocket session ends", async () => {
  const { wire } = await websocket();
  const started = performance.now();
  await wire.end();
  assertPeriod(started, INTERVAL_MS + TIMEOUT_MS);
});

// --- closing

test("E201: CLOSE over polling frees the waiting GET", async () => {
  const session = await poll();
  const waiting = session.get();
  // The GET is on its way first; should the CLOSE overtake it, it is refused.
  const posted = await session.post("1");
  assert.deepEqual([posted.status, posted.body], [200, "ok"]);
  const { status, body } = await waiting;
  if (status === 200) assert.equal(body, "6");
  else assert.equal(body, '{"code":1,"message":"Session ID unknown"}');
  assert.equal((await session.get()).status, 400);
});

test("E201: CLOSE over WebSocket ends the session", async () => {
  const { wire } = await websocket();
  wire.send("1");
  await wire.end();
});

// --- upgrade

test("E202: polling becomes WebSocket", async () => {
  const { session, wire } = await probing();
  wire.send("2probe");
  assert.equal(await wire.next(), "3probe");
  const freed = await session.get();
  assert.deepEqual([freed.status, freed.body], [200, "6"]);
  wire.send("5", "4hello");
  assert.equal(await wire.message(), "4hello");
  await wire.close();
});

test("E202: what was posted before the upgrade is not lost", async () => {
  const { session, wire } = await probing();
  wire.send("2probe");
  assert.equal(await wire.next(), "3probe");
  assert.equal((await session.post(`4a${RS}4b`)).status, 200);
  wire.send("5", "4c");
  const got = [await wire.message(), await wire.message(), await wire.message()];
  assert.deepEqual(got, ["4a", "4b", "4c"]);
  await wire.close();
});

test("E203: after the upgrade polling is refused", async () => {
  const { session, wire } = await probing();
  wire.send("2probe", "5"); // without waiting for the answer
  assert.equal(await wire.next(), "3probe");
  wire.send("4hello");
  assert.equal(await wire.message(), "4hello");
  const { status, body } = await session.get();
  assert.deepEqual([status, body], [400, '{"code":3,"message":"Bad request"}']);
  wire.send("4again");
  assert.equal(await wire.message(), "4again");
  await wire.close();
});

test("E203: after the upgrade a second WebSocket is closed", async () => {
  const { session, wire } = await upgraded();
  wire.send("4hello");
  assert.equal(await wire.message(), "4hello");
  const second = new Wire(
    url(`?EIO=4&transport=websocket&sid=${session.handshake.sid}`),
  );
  await second.end();
  assert.deepEqual(second.received, []);
  wire.send("4again");
  assert.equal(await wire.message(), "4again");
  await wire.close();
});
