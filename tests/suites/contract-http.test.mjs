// contract-http.test.mjs -- the role contract beside its events: HTTP, CORS,
// the client bundle, who is turned away, and its command line.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, test } from "node:test";
import { io } from "socket.io-client";
import WebSocket from "ws";
import { build, conformance, Polling, request, root, Wire, within } from "./support.mjs";

const HANDSHAKE = "/socket.io/?EIO=4&transport=polling";

const server = await conformance("contract");
after(() => server.stop());

const get = (target, options) => request(server.port, target, options);

// The counters, once they are these: what has just left is on its way out.
async function counted(wanted) {
  const end = Date.now() + 10_000;
  for (;;) {
    const { status, headers, body } = await get("/stats");
    assert.deepEqual([status, headers["content-type"]], [200, "application/json"]);
    if (body === JSON.stringify(wanted)) return;
    assert.ok(Date.now() < end, `${body}, never ${JSON.stringify(wanted)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("contract: /stats counts sessions, and sockets of /", async () => {
  await counted({ engine: 0, sockets: 0 });
  const wire = await Wire.open(`ws://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=websocket`);
  await counted({ engine: 1, sockets: 0 });
  wire.send("40/watch,");
  await wire.message();
  await counted({ engine: 1, sockets: 0 });
  wire.send("40");
  await wire.message();
  await counted({ engine: 1, sockets: 1 });
  const session = await Polling.open(server.port, "/socket.io/");
  await counted({ engine: 2, sockets: 1 });
  await session.post("1");
  await wire.close();
  await counted({ engine: 0, sockets: 0 });
});

test("contract: the handshake says what the options are", async () => {
  const session = await Polling.open(server.port, "/socket.io/");
  const { sid, ...handshake } = session.handshake;
  assert.match(sid, /^[\w-]{20}$/);
  assert.deepEqual(handshake, { upgrades: ["websocket"], pingInterval: 2000, pingTimeout: 4000, maxPayload: 1000000 });
  await session.post("1");
});

test("S16 contract: beside routes of the program, the client bundle with an ETag", async () => {
  for (const name of ["socket.io.js", "socket.io.min.js"]) {
    const { status, headers, body } = await get(`/socket.io/${name}`);
    assert.equal(status, 200);
    assert.match(headers["content-type"], /^application\/javascript; charset=utf-8$/);
    assert.equal(body, readFileSync(path.join(root, "node_modules/socket.io/client-dist", name), "utf8"));
    assert.equal(headers.etag, '"4.8.4"');
    assert.equal(headers["x-sourcemap"], undefined);
    const again = await get(`/socket.io/${name}`, { headers: { "if-none-match": headers.etag } });
    assert.deepEqual([again.status, again.body], [304, ""]);
  }
});

test("contract: anything else is 404", async () => {
  for (const target of ["/", "/stats/", "/socket.io.js", "/index.html"]) assert.equal((await get(target)).status, 404, target);
  assert.equal((await get("/stats", { method: "POST" })).status, 404);
});

test("contract: a handshake with deny is refused with its reason", async () => {
  const { status, body } = await get(`${HANDSHAKE}&deny=1`);
  assert.deepEqual([status, body], [403, '{"code":4,"message":"no entry"}']);
  const ws = new WebSocket(`ws://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=websocket&deny`);
  ws.on("error", () => {});
  const refused = new Promise((resolve) => ws.once("unexpected-response", (_, answer) => resolve(answer.statusCode)));
  assert.equal(await within(refused, "the refusal"), 400);
});

test("contract: CORS lets every page in, with credentials; a preflight is 204", async () => {
  const origin = "https://shop.example";
  const answer = await get(HANDSHAKE, { headers: { origin } });
  assert.equal(answer.status, 200);
  const flight = await get(HANDSHAKE, {
    method: "OPTIONS",
    headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "x-one,x-two" },
  });
  assert.equal(flight.status, 204);
  assert.equal(flight.headers["access-control-allow-headers"], "x-one,x-two");
  for (const { headers } of [answer, flight]) {
    assert.equal(headers["access-control-allow-origin"], origin);
    assert.equal(headers["access-control-allow-credentials"], "true");
    assert.match(headers.vary, /\bOrigin\b/);
  }
});

test("contract: ten attachments are taken, eleven end the connection", async () => {
  const wire = await Wire.open(`ws://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=websocket`);
  wire.send("40");
  await wire.message();
  await wire.message(); // OPEN, CONNECT; welcome follows
  await wire.message();
  const list = (n) => [...Array(n).keys()].map((num) => ({ _placeholder: true, num }));
  wire.send(`4510-1${JSON.stringify(["ack", ...list(10)])}`, ...Array(10).fill(Buffer.from("x")));
  assert.equal(await wire.message(), `4610-1${JSON.stringify(list(10))}`);
  for (let i = 0; i < 10; i++) assert.deepEqual(await wire.message(), Buffer.from("x"));
  wire.send(`4511-1${JSON.stringify(["ack", ...list(11)])}`);
  await wire.end();
});

test("S173 contract: eio3=0 keeps the clients of protocol 3 out", async () => {
  const strict = await conformance("contract", "eio3=0");
  const { status, body } = await request(strict.port, "/socket.io/?EIO=3&transport=polling");
  assert.deepEqual([status, body], [400, '{"code":5,"message":"Unsupported protocol version"}']);
  await strict.stop();
});

test("contract: connectTimeout ends a connection that joins nothing", async () => {
  const hasty = await conformance("contract", "connectTimeout=100");
  const wire = await Wire.open(`ws://127.0.0.1:${hasty.port}/socket.io/?EIO=4&transport=websocket`);
  await wire.end();
  await hasty.stop();
});

for (const on of [0, 1])
  test(`contract: deflate=${on} ${on ? "compresses" : "does not compress"} WebSocket messages`, async () => {
    const other = await conformance("contract", `deflate=${on}`);
    const wire = await Wire.open(`ws://127.0.0.1:${other.port}/socket.io/?EIO=4&transport=websocket`);
    assert.equal(wire.ws.extensions.includes("permessage-deflate"), on === 1);
    wire.send("40", '421["ack","x"]');
    assert.match(await wire.message(), /^0\{/);
    assert.match(await wire.message(), /^40/);
    await wire.close();
    await other.stop();
  });

for (const option of ["redis=nonsense:99999"])
  test(`contract: ${option} is explained and ends with 1`, () => {
    const { status, stdout, stderr } = spawnSync(path.join(build, "servers/conformance"), ["contract", "0", option], { encoding: "utf8", timeout: 20000 });
    assert.deepEqual([status, stdout], [1, ""]);
    assert.match(stderr, /^conformance: cluster, adapter "redis": not the url of a Redis server/);
  });

test("contract: tlsCert and tlsKey: served over TLS, and whoami says so", async () => {
  const certs = path.join(root, "build/certs");
  const safe = await conformance("contract", `tlsCert=${certs}/server.pem`, `tlsKey=${certs}/server.key`);
  const ca = readFileSync(path.join(certs, "root.pem"));
  for (const transports of [["polling"], ["websocket"]]) {
    const socket = io(`https://localhost:${safe.port}`, { forceNew: true, reconnection: false, transports, ca });
    const { secure } = await within(socket.emitWithAck("whoami"), "whoami");
    assert.equal(secure, true);
    socket.disconnect();
  }
  await safe.stop();
});

test("contract: a certificate that is not there is explained and ends with 1", () => {
  const { status, stderr } = spawnSync(path.join(build, "servers/conformance"), ["contract", "0", "tlsCert=/nowhere.pem"], { encoding: "utf8", timeout: 20000 });
  assert.equal(status, 1);
  assert.match(stderr, /^conformance: .*nowhere/);
});

test("contract: what stands for the defaults is accepted", async () => {
  const plain = await conformance("contract", "recovery=0", "loops=1", "tlsCert=", "tlsKey=", "redis=", "adapter=classic");
  await plain.stop();
});
