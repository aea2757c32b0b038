// requests.test.mjs -- what a program decides about requests, as the real
// engine.io-client sees it: middlewares, CORS, session ids.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { request } from "node:http";
import { test } from "node:test";
import { Socket } from "engine.io-client";
import { BUILD, http, next, startProgram, within } from "./harness.mjs";

const program = await startProgram(`${BUILD}/servers/conformance`, ["http-hooks", "0"], /^ready (\d+)$/);
const server = { port: Number(program.match[1]) };
const url = `http://127.0.0.1:${server.port}`;
const path = "/engine.io/";
const POLLING = { EIO: 4, transport: "polling" };

const open = (options = {}) => new Socket(url, options);

// The answer to a WebSocket handshake: its head, or null when there is none.
function upgrade(query, headers = {}) {
  return within(5000, "answer to an upgrade", new Promise((resolve, reject) => {
    const req = request({
      host: "127.0.0.1", port: server.port, agent: false,
      path: `${path}?${new URLSearchParams({ EIO: 4, transport: "websocket", ...query })}`,
      headers: {
        connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": 13,
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", ...headers,
      },
    });
    req.on("upgrade", (res, socket) => (socket.destroy(), resolve(res)));
    req.on("response", (res) => (res.resume(), resolve(res)));
    req.on("error", (error) => (error.code === "ECONNRESET" ? resolve(null) : reject(error)));
    req.end();
  }));
}

test("E30 E35: a client opens on polling and is offered exactly WebSocket", async () => {
  const socket = open();
  let offered;
  socket.on("handshake", (handshake) => (offered = handshake.upgrades));
  await next(socket, "open");
  assert.equal(socket.transport.name, "polling");
  assert.deepEqual(offered, ["websocket"]);
  await next(socket, "upgrade");
  assert.equal(socket.transport.name, "websocket");
  socket.close();
});

for (const transport of ["polling", "websocket"]) {
  test(`E158: with CORS on, text beyond ASCII both ways, ${transport}`, async () => {
    const socket = open({ transports: [transport], extraHeaders: { origin: "http://a.b" } });
    await next(socket, "open");
    for (const [text, answer] of [["hey", "hol\u00e0"], ["hol\u00e0 \ud83d\ude00", "hol\u00e0 \ud83d\ude00"]]) {
      const came = next(socket, "message");
      socket.send(text);
      assert.deepEqual(await came, [answer]);
    }
    socket.close();
  });

  test(`E23 E24: the id is made on another thread, ${transport}`, async () => {
    const id = `my-own.id_${transport}~`;
    const socket = open({ transports: [transport], query: { id } });
    await next(socket, "open");
    assert.equal(socket.id, id);
    const came = next(socket, "message");
    socket.send("mine");
    assert.deepEqual(await came, ["mine"]);

    const twin = open({ transports: [transport], query: { id } });
    await next(twin, "error");
    socket.close();
  });

  test(`${transport === "polling" ? "E25" : "E26"}: no id can be made, ${transport}`, async () => {
    const socket = open({ transports: [transport], query: { id: "none" } });
    const [error] = await next(socket, "error");
    assert.equal(error.type, "TransportError");
    if (transport === "polling") assert.equal(error.description, 400);
  });

  test(`E175: a cookie is added late, by another thread, ${transport}`, async () => {
    const answer = transport === "polling"
      ? await http(server, { path, query: { ...POLLING, how: "late" } })
      : await upgrade({ how: "late" });
    assert.deepEqual(answer.headers["set-cookie"], ["late=1; Path=/"]);
    const socket = open({ transports: [transport], query: { how: "late" } });
    await next(socket, "open");
    const came = next(socket, "message");
    socket.send("after all");
    assert.deepEqual(await came, ["after all"]);
    socket.close();
  });

  test(`${transport === "polling" ? "E172" : "E173"}: a middleware answers, ${transport}`, async () => {
    const socket = open({ transports: [transport], query: { how: "503" } });
    const [error] = await next(socket, "error");
    assert.equal(error.type, "TransportError");
    if (transport === "polling") assert.equal(error.description, 503);
    else assert.equal(await upgrade({ how: "503" }), null);
  });

  test(`E176: a middleware fails, ${transport}`, async () => {
    const socket = open({ transports: [transport], query: { how: "fail" } });
    const [error] = await next(socket, "error");
    if (transport === "polling") assert.equal(error.description, 400);
    else assert.equal((await upgrade({ how: "fail" })).statusCode, 400);
  });
}

test("E169 E171 E174: what middlewares add, in their order, on polling", async () => {
  const { status, headers } = await http(server, { path, query: POLLING });
  assert.equal(status, 200);
  assert.equal(headers["x-download-options"], "noopen");
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.equal(headers["x-order"], "1, 2");
});

test("E170 E171 E174: and on the 101", async () => {
  const { statusCode, headers } = await upgrade({});
  assert.equal(statusCode, 101);
  assert.equal(headers["x-download-options"], "noopen");
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.equal(headers["x-order"], "1, 2");
});

test("E177: the limit of a body, with middlewares", async () => {
  const handshake = JSON.parse((await http(server, { path, query: POLLING })).body.slice(1));
  const query = { ...POLLING, sid: handshake.sid };
  const post = (n, more = {}) => http(server, {
    method: "POST", path, query: { ...query, ...more },
    headers: { "content-type": "text/plain;charset=UTF-8" }, body: "4" + "x".repeat(n - 1),
  });
  assert.equal((await post(1001)).status, 413);
  assert.equal((await post(1001, { how: "late" })).status, 413);
  assert.equal((await post(1000, { how: "late" })).body, "ok");
  assert.equal((await post(1000)).body, "ok");
});

test("1.9: CORS is decided for each request", async () => {
  const origin = "http://a.b";
  const yes = await http(server, { path, query: POLLING, headers: { origin } });
  assert.equal(yes.headers["access-control-allow-origin"], origin);
  assert.equal(yes.headers["access-control-allow-credentials"], "true");
  assert.equal(yes.headers.vary, "Origin");
  const no = await http(server, { path, query: { ...POLLING, cors: "no" }, headers: { origin } });
  assert.equal(no.status, 200);
  assert.equal(no.headers["access-control-allow-origin"], undefined);
  assert.equal(no.headers.vary, undefined);
  const preflight = await http(server, { method: "OPTIONS", path, headers: { origin } });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers["access-control-allow-origin"], origin);
  assert.equal(preflight.headers["x-order"], undefined);
});

test("E162: what is not below the path is answered 501", async () => {
  const { status, body } = await http(server, { path: "/" });
  assert.deepEqual([status, body], [501, "Not Implemented"]);
});

test("the server process ends with status 0 and nothing on stderr", () => program.stop());
