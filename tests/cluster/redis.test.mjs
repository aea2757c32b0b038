// redis.test.mjs -- the Redis that the tests of clusters start, and the relay in
// front of it: that they do what those tests take for granted.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { within } from "../suites/support.mjs";
import { Connection, encode, HAVE_REDIS, Redis, Relay } from "./redis.mjs";

const skip = HAVE_REDIS ? false : "redis-server is not installed";
const redis = HAVE_REDIS ? await Redis.start() : null;
const relay = HAVE_REDIS ? await Relay.start(redis.where) : null;

after(async () => {
  await relay?.stop();
  await redis?.stop();
});

const connect = () => new Connection({ host: relay.host, port: relay.port });

test("cluster: a private Redis answers, binary too", { skip }, async () => {
  const bytes = Buffer.from([0, 13, 10, 255]);
  assert.equal(await redis.command("SET", "key", bytes), "OK");
  assert.deepEqual(await redis.command("GET", "key"), bytes);
  assert.equal(await redis.command("GET", "none"), null);
  assert.deepEqual((await redis.command("LRANGE", "none", 0, -1)), []);
  await assert.rejects(redis.command("NO-SUCH"), /ERR unknown command/);
});

test("cluster: a relay passes everything, and cuts", { skip }, async () => {
  const near = connect();
  assert.deepEqual(await near.command("ECHO", "x".repeat(100000)), Buffer.from("x".repeat(100000)));
  assert.equal(relay.open, 1);
  relay.cut();
  await within(near.closed, "the cut");
  const again = connect();
  assert.equal(await again.command("PING"), "PONG");
  relay.refusing = true;
  const refused = connect();
  await within(refused.closed, "the refusal");
  relay.refusing = false;
  await again.close();
});

test("cluster: a relay cuts within a message", { skip }, async () => {
  const near = connect();
  await near.command("PING");
  let got = Buffer.alloc(0);
  near.socket.removeAllListeners("data").on("data", (data) => (got = Buffer.concat([got, data])));
  relay.cutAfter(7);
  near.socket.write(encode(["ECHO", "0123456789"]));
  await within(near.closed, "the cut");
  assert.equal(got.toString(), "$10\r\n01");
});

test("cluster: what a relay holds comes when it is released", { skip }, async () => {
  const near = connect();
  await near.command("PING");
  relay.hold();
  let came = false;
  const answer = near.command("PING").then((text) => (came = true, text));
  await redis.command("PING");
  assert.equal(came, false);
  relay.release();
  assert.equal(await answer, "PONG");
  await near.close();
});

test("cluster: Redis freezes, thaws and starts again with nothing in it", { skip }, async () => {
  redis.freeze();
  const answer = redis.command("PING");
  redis.thaw();
  assert.equal(await answer, "PONG");
  const near = connect();
  await near.command("SET", "key", 1);
  await redis.restart(() => within(near.closed, "the end of Redis"));
  assert.equal(await redis.command("GET", "key"), null);
  const again = connect();
  assert.equal(await again.command("PING"), "PONG");
  await again.close();
});
