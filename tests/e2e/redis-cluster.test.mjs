// redis-cluster.test.mjs -- the Redis client of the adapters and a Redis Cluster
// of three masters: keys and shard channels go where their slots are, also when
// those move, and when a server is gone.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Peer } from "../cluster/world.mjs";
import { LOOPS, until } from "./harness.mjs";
import { Client, Masters, missing, Redis } from "./redis-servers.mjs";

const skip = missing;
let cluster, masters = [];

before(async () => {
  if (skip) return;
  cluster = await Masters.start();
  masters = cluster.list;
}, { timeout: 60000 });

after(() => cluster?.stop());

async function clientOf(t, options = {}) {
  const client = await Client.start({ url: `redis://127.0.0.1:${masters[0].port}`, cluster: 1, command: 2000, connect: 1000, backoff_max: 200, ...options });
  t.after(() => client.stop());
  await client.ready();
  return client;
}

// A shard channel of each master: a, b, c are in different thirds.
const SLOTS = { a: 15495, b: 3300, c: 7365 };

test("redis cluster: keys go to the master that has their slot", { skip }, async (t) => {
  const client = await clientOf(t);
  for (const [key, slot] of Object.entries(SLOTS)) {
    assert.deepEqual(await client.ask(key, "CLUSTER", "KEYSLOT", key), { status: 0, text: String(slot) });
    assert.deepEqual(await client.ask(key, "SET", key, "v"), { status: 0, text: "OK" });
    assert.deepEqual(await client.ask(`x{${key}}y`, "SET", `x{${key}}y`, "v"), { status: 0, text: "OK" });
    assert.deepEqual(await client.ask(key, "GET", key), { status: 0, text: "v" });
  }
  const { redirects, links } = await client.stats();
  assert.deepEqual({ redirects, links }, { redirects: 0, links: 3 });
});

test("R54: a shard channel for each master, and SPUBLISH", { skip }, async (t) => {
  const client = await clientOf(t);
  for (const channel of Object.keys(SLOTS)) {
    const id = await client.subscribe("shard", channel);
    assert.deepEqual(await client.ask(channel, "SPUBLISH", channel, `to-${channel}`), { status: 0, text: "1" });
    assert.deepEqual(await client.message(id), { channel, payload: `to-${channel}` });
    assert.equal(await client.count("shard", channel), 1);
  }
  assert.equal((await client.stats()).redirects, 0);
});

test("R54: CROSSSLOT never: many shard channels at once", { skip }, async (t) => {
  const client = await clientOf(t);
  const names = Array.from({ length: 100 }, (_, i) => `room-${i}`);
  const ids = await Promise.all(names.map((name) => client.subscribe("shard", name)));
  for (const [i, name] of names.entries()) {
    await client.ask(name, "SPUBLISH", name, String(i));
    assert.equal((await client.message(ids[i])).payload, String(i));
  }
  assert.equal((await client.stats()).state, "ready");
});

test("redis cluster: PUBLISH at one master, subscribers at others, counted once each", { skip }, async (t) => {
  const one = await clientOf(t);
  const two = await clientOf(t, { url: `redis://127.0.0.1:${masters[1].port}` });
  const ids = [await one.subscribe("channel", "news"), await two.subscribe("channel", "news")];
  await until("the cluster knows both", async () => (await one.count("channel", "news")) === 2);
  await one.ask("-", "PUBLISH", "news", "hello");
  assert.equal((await one.message(ids[0])).payload, "hello");
  assert.equal((await two.message(ids[1])).payload, "hello");
});

test("R54: MOVED is followed, by commands and by subscriptions", { skip }, async (t) => {
  const client = await clientOf(t);
  const channel = "moving";
  const slot = Number((await client.ask("-", "CLUSTER", "KEYSLOT", channel)).text);
  const from = cluster.of(slot);
  const to = cluster.another(slot);
  const id = await client.subscribe("shard", channel);
  assert.deepEqual(await client.ask(channel, "SPUBLISH", channel, "1"), { status: 0, text: "1" });
  const moved = client.said.length;
  await cluster.move(slot, to);
  // The server ends the subscription; it is in force again at the other one.
  await client.heard(new RegExp(`^status ${id} - `, "m"), moved);
  await client.heard(new RegExp(`^status ${id} \\+`, "m"), moved);
  await client.ready(moved);
  const published = client.said.length;
  assert.deepEqual(await client.ask(channel, "SPUBLISH", channel, "2"), { status: 0, text: "1" });
  assert.equal((await client.message(id, published)).payload, "2");
  const known = client.said.length;
  await cluster.move(slot, from);
  await client.heard(new RegExp(`^status ${id} \\+`, "m"), known);
  // A command meets what has moved meanwhile: it is sent on once.
  const other = await clientOf(t);
  assert.equal((await other.ask(channel, "SET", channel, "v")).text, "OK");
  await other.ask(channel, "DEL", channel);
  await cluster.move(slot, to);
  assert.equal((await other.ask(channel, "SET", channel, "v")).text, "OK");
  assert.equal((await other.stats()).redirects, 1);
  assert.equal((await other.ask(channel, "GET", channel)).text, "v");
  assert.equal((await other.stats()).redirects, 1);
  await other.ask(channel, "DEL", channel);
  await cluster.move(slot, from);
});

test("redis cluster: ASK is followed while a slot is on its way", { skip }, async (t) => {
  const client = await clientOf(t);
  const key = "asking";
  const slot = Number((await client.ask("-", "CLUSTER", "KEYSLOT", key)).text);
  const from = cluster.of(slot);
  const to = cluster.another(slot);
  await to.ask(`CLUSTER SETSLOT ${slot} IMPORTING ${from.id}`);
  await from.ask(`CLUSTER SETSLOT ${slot} MIGRATING ${to.id}`);
  assert.equal((await client.ask(key, "SET", key, "v")).text, "OK");
  assert.equal((await client.ask(key, "GET", key)).text, "v");
  assert.equal((await client.stats()).redirects, 2);
  await client.ask(key, "DEL", key);
  for (const redis of masters) await redis.ask(`CLUSTER SETSLOT ${slot} STABLE`);
});

// Two servers with four streams; Node would put "/notifications" into one of a
// negative number, which nobody reads.
test("R71: redis cluster: servers whose streams are at different masters", { skip }, async (t) => {
  const options = { adapter: "streams", streams: 4, cluster: 1, recovery: 60000, ...(LOOPS > 1 ? { loops: LOOPS } : {}) };
  const peers = await Promise.all(["f", "t"].map((name) => Peer.start("c", name, null, options, { plain: `127.0.0.1:${masters[0].port}` })));
  t.after(() => Promise.all(peers.map((peer) => peer.stop())));
  const [from, to] = peers;
  for (const peer of peers) peer.control = await peer.client("control", "/watch");
  const clients = await Promise.all(peers.flatMap((peer) => ["/", "/watch"].map((nsp) => peer.client(nsp, nsp))));
  const got = (client) => client.got.splice(0).filter(([event]) => event === "hello");

  await until("both know of the other", async () => (await from.call({ op: "fetch" })).length === 2);
  for (const nsp of ["/", "/watch"]) {
    await from.call({ op: "emit", nsp }, "hello", nsp);
    await until(`all in ${nsp} to hear`, () => clients.filter((client) => client.nsp === nsp).every(({ got }) => got.some(([event]) => event === "hello")));
  }
  const [[, , offset]] = got(clients[0]);
  const pid = clients[0].socket._pid;
  clients[0].socket.io.engine.close();
  await until("it to be missed", async () => (await to.call({ op: "fetch" })).length === 1);
  await to.call({ op: "emit" }, "hello", "missed");
  const back = await to.client("back", "/", { auth: { pid, offset } });
  await until("what it has missed", () => back.got.length > 0);
  assert.equal(back.id, clients[0].id);
  assert.deepEqual(got(back).map((args) => args.slice(0, 2)), [["hello", "missed"]]);
  for (const { socket } of [...clients, back, from.control, to.control]) socket.disconnect();
});

test("redis cluster: a server that is down: the others are served, and it heals", { skip }, async (t) => {
  const client = await clientOf(t);
  const ids = {};
  for (const channel of Object.keys(SLOTS)) ids[channel] = await client.subscribe("shard", channel);
  const news = await client.subscribe("channel", "news");
  const home = masters[0]; // where the client came in
  const [lost] = Object.entries(SLOTS).find(([, slot]) => cluster.of(slot) === home);
  const gone = client.said.length;
  await home.stop();
  await client.heard(/^state degraded/m, gone);
  await client.heard(new RegExp(`^status ${news} \\+`, "m"), gone); // at another server
  const published = client.said.length;
  await client.ask("-", "PUBLISH", "news", "still");
  assert.equal((await client.message(news, published)).payload, "still");
  for (const channel of Object.keys(SLOTS)) {
    if (channel === lost) continue;
    assert.equal((await client.ask(channel, "SPUBLISH", channel, "x")).text, "1");
  }
  const back = client.said.length;
  await home.start();
  await client.ready(back, 20000);
  await until("it has its slots", async () => (await client.ask(lost, "SPUBLISH", lost, "back")).text === "1", 20000);
  assert.equal((await client.heard(new RegExp(`^message ${ids[lost]} (\\S+) (.*)$`, "m"), back))[2], "back");
});

test("redis cluster: a server that is none", { skip }, async (t) => {
  const redis = await Redis.start();
  const client = await Client.start({ url: `redis://127.0.0.1:${redis.port}`, cluster: 1 });
  t.after(async () => {
    await client.stop();
    await redis.stop();
  });
  await client.heard(/^state degraded .*CLUSTER SLOTS was refused/m);
});
