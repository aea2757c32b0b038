// redis.test.mjs -- the Redis client of the adapters against real servers: ways
// to connect, and what happens when they go, hang, and come back.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { createServer, connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { CERTS, until } from "./harness.mjs";
import { Client, folder, freePort, missing, Redis } from "./redis-servers.mjs";

const skip = missing;
const fast = { connect: 1000, command: 1000, ping: 500, backoff_max: 200 };

// It can ask, and hears what it publishes.
async function works(client, from = 0) {
  await client.ready(from);
  assert.deepEqual(await client.ask("-", "SET", "k", "v"), { status: 0, text: "OK" });
  assert.deepEqual(await client.ask("-", "GET", "k"), { status: 0, text: "v" });
  const id = await client.subscribe("channel", "works");
  assert.deepEqual(await client.ask("-", "PUBLISH", "works", "hello"), { status: 0, text: "1" });
  assert.deepEqual(await client.message(id), { channel: "works", payload: "hello" });
}

// A server and a client of it, until the test is over.
async function pair(t, serverOptions, clientOptions) {
  const redis = await Redis.start(serverOptions);
  const options = typeof clientOptions === "function" ? clientOptions(redis) : clientOptions;
  const client = await Client.start({ url: `redis://127.0.0.1:${redis.port}`, ...options });
  t.after(async () => {
    await client.stop();
    await redis.stop();
  });
  return { redis, client };
}

// ------------------------------------------------------------ ways to connect

test("redis: an address, and one connection of each kind", { skip }, async (t) => {
  const { redis, client } = await pair(t, {}, {});
  await works(client);
  assert.equal((await client.stats()).links, 2);
  assert.match(await redis.ask("INFO clients"), /connected_clients:3\b/); // and this one
});

test("redis: a name", { skip }, async (t) => {
  const { client } = await pair(t, {}, (redis) => ({ url: `redis://localhost:${redis.port}` }));
  await works(client);
});

test("redis: a password", { skip }, async (t) => {
  const { client } = await pair(t, { requirepass: "open sesame" }, (redis) => ({ url: `redis://:open%20sesame@127.0.0.1:${redis.port}` }));
  await works(client);
});

test("redis: a wrong password, then the right one", { skip }, async (t) => {
  const { redis, client } = await pair(t, { requirepass: "right" }, { password: "later", backoff_max: 200 });
  await client.heard(/^state degraded .*AUTH: WRONGPASS/m);
  await redis.ask("AUTH right\r\nCONFIG SET requirepass later");
  await works(client);
});

test("redis: a user that may do only so much", { skip }, async (t) => {
  const { client } = await pair(t, { user: ["sio", "on", ">secret", "~allowed*", "&allowed*", "+@all"] }, { user: "sio", password: "secret" });
  await client.ready();
  assert.deepEqual(await client.ask("-", "SET", "allowed1", "v"), { status: 0, text: "OK" });
  assert.match((await client.ask("-", "SET", "other", "v")).text, /^NOPERM/);
  await client.subscribe("channel", "allowed1");
  const from = client.said.length;
  client.say("sub 99 channel other");
  await client.heard(/^status 99 - NOPERM/m, from);
  await client.heard(/^state degraded 1 of 2 subscriptions/m, from);
  client.say("unsub 99");
  await client.ready(from);
});

test("redis: a database", { skip }, async (t) => {
  const { redis, client } = await pair(t, {}, (server) => ({ url: `redis://127.0.0.1:${server.port}/3` }));
  await works(client);
  assert.match(await redis.ask("INFO keyspace"), /db3:keys=1/);
});

test("redis: a unix socket", { skip }, async (t) => {
  const path = join(folder, "redis.sock");
  const { client } = await pair(t, { unixsocket: path }, { url: `unix:${path}` });
  await works(client);
});

const tls = { "tls-cert-file": CERTS + "server.pem", "tls-key-file": CERTS + "server.key", "tls-ca-cert-file": CERTS + "root.pem" };

async function tlsPair(t, serverOptions, clientOptions) {
  const port = await freePort();
  return pair(t, { port: 0, "tls-port": port, ...tls, ...serverOptions }, { url: `rediss://localhost:${port}`, backoff_max: 200, ...clientOptions });
}

test("redis: TLS", { skip }, async (t) => {
  const { client } = await tlsPair(t, { "tls-auth-clients": "no" }, { ca: CERTS + "root.pem" });
  await works(client);
  assert.deepEqual(await client.ask("-", "SET", "big", "@3000000"), { status: 0, text: "OK" });
  assert.deepEqual(await client.ask("-", "GET", "big"), { status: 0, text: "<3000000 bytes>" });
});

test("redis: TLS, a certificate of our own", { skip }, async (t) => {
  const { client } = await tlsPair(t, {}, { ca: CERTS + "root.pem", certificate: CERTS + "client.pem", key: CERTS + "client.key" });
  await works(client);
});

test("redis: TLS, a server that nobody trusts", { skip }, async (t) => {
  const { client } = await tlsPair(t, { "tls-auth-clients": "no" }, {});
  await client.heard(/^state degraded .*TLS: certificate verify failed/m);
});

test("redis: TLS is spoken to a server that does not", { skip }, async (t) => {
  const { client } = await pair(t, {}, (redis) => ({ url: `rediss://127.0.0.1:${redis.port}`, connect: 500 }));
  await client.heard(/^state degraded /m);
});

// -------------------------------------------------------------------- trouble

test("R51: Redis restarts: it is subscribed again, later events flow", { skip }, async (t) => {
  const { redis, client } = await pair(t, {}, fast);
  await client.ready();
  const channel = await client.subscribe("channel", "c");
  const pattern = await client.subscribe("pattern", "p*");
  const shard = await client.subscribe("shard", "s");
  await client.after(() => redis.stop(), /^state degraded/m);
  const from = client.said.length;
  await redis.start();
  await client.ready(from);
  await client.ask("-", "PUBLISH", "c", "1");
  await client.ask("-", "PUBLISH", "p2", "2");
  await client.ask("-", "SPUBLISH", "s", "3");
  assert.equal((await client.message(channel, from)).payload, "1");
  assert.deepEqual(await client.message(pattern, from), { channel: "p2", payload: "2" });
  assert.equal((await client.message(shard, from)).payload, "3");
  assert.equal((await client.stats()).connects, 4);
});

test("redis: down at the start, then there", { skip }, async (t) => {
  const redis = new Redis();
  redis.port = await freePort();
  const client = await Client.start({ url: `redis://127.0.0.1:${redis.port}`, backoff_max: 200 });
  t.after(() => client.stop());
  await client.heard(/^state degraded .*Connection refused/m);
  const answer = client.ask("-", "SET", "early", "1");
  await redis.start();
  t.after(() => redis.stop());
  assert.deepEqual(await answer, { status: 0, text: "OK" });
  await works(client);
});

test("redis: frozen: commands end in time, it is degraded, and heals", { skip }, async (t) => {
  const { redis, client } = await pair(t, {}, fast);
  const id = await client.ready().then(() => client.subscribe("channel", "c"));
  redis.freeze();
  const begun = Date.now();
  const [answer] = await Promise.all([client.ask("-", "GET", "k"), client.heard(/^state degraded .*no answer within 1000 ms/m), client.heard(new RegExp(`^status ${id} - `, "m"))]);
  assert.equal(answer.status, -8);
  assert.ok(Date.now() - begun < 8000);
  const from = client.said.length;
  redis.thaw();
  await client.ready(from);
  await client.ask("-", "PUBLISH", "c", "again");
  assert.equal((await client.message(id, from)).payload, "again");
});

test("redis: while it is down what waits is bounded, and ends", { skip }, async (t) => {
  const { redis, client } = await pair(t, {}, { ...fast, max_queued: 100000 });
  await client.ready();
  await client.after(() => redis.stop(), /^state degraded/m);
  const answers = await Promise.all(Array.from({ length: 200 }, () => client.ask("-", "SET", "k", "@1000")));
  const refused = answers.filter(({ status }) => status === -3).length;
  assert.ok(refused > 90 && refused < 200, `${refused} refused`);
  assert.equal(answers.filter(({ status }) => status === -8).length, 200 - refused);
  const { queued, dropped, failed } = await client.stats();
  assert.deepEqual({ queued, dropped, failed }, { queued: 0, dropped: refused, failed: 200 - refused });
  await redis.start();
  await works(client, client.said.length - 1);
});

test("redis: a connection that is cut within an answer", { skip }, async (t) => {
  const redis = await Redis.start();
  let cut = Infinity; // bytes of answers that a connection may still carry
  const proxy = createServer((socket) => {
    const inner = connect(redis.port, "127.0.0.1");
    socket.on("error", () => {}).on("close", () => inner.destroy());
    inner.on("error", () => {}).on("close", () => socket.destroy());
    socket.pipe(inner);
    inner.on("data", (data) => {
      if (data.length <= cut) return void socket.write(data);
      socket.end(data.subarray(0, cut));
      cut = Infinity;
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => proxy.once("listening", resolve));
  const client = await Client.start({ url: `redis://127.0.0.1:${proxy.address().port}`, ...fast, ping: 60000 });
  t.after(async () => {
    await client.stop();
    proxy.close();
    await redis.stop();
  });
  await client.ready();
  await client.ask("-", "SET", "k", "@100000");
  for (const bytes of [0, 1, 5, 9, 1000]) {
    const from = client.said.length;
    cut = bytes;
    const answer = await client.ask("-", "GET", "k");
    assert.equal(answer.status, -4, `cut behind ${bytes}`);
    await client.ready(from);
    assert.equal((await client.ask("-", "GET", "k")).text, "<100000 bytes>");
  }
});

test("redis: how many have a subscription", { skip }, async (t) => {
  const { redis, client } = await pair(t, {}, {});
  await client.ready();
  const other = await Client.start({ url: `redis://127.0.0.1:${redis.port}` });
  await client.subscribe("channel", "c");
  await client.subscribe("shard", "s");
  await other.subscribe("channel", "c");
  assert.equal(await client.count("channel", "c"), 2);
  assert.equal(await client.count("shard", "s"), 1);
  assert.equal(await client.count("channel", "nobody"), 0);
  await other.stop();
  await until("the other one is gone", async () => (await client.count("channel", "c")) === 1);
});
