// events.test.mjs -- events and acknowledgements both ways with the published
// socket.io-client, over polling only, WebSocket only, and an upgrade.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { collect, next, PARSER, TestServer, until } from "./harness.mjs";

const server = await TestServer.start();

const WAYS = {
  polling: { transports: ["polling"] },
  websocket: { transports: ["websocket"] },
  upgrade: {},
};

const bytes = (...list) => Buffer.from(list);
const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

// Each row travels to the server and back; it has to come back deeply equal.
const ROWS = {
  "S79, S83, S103, S104: several arguments, array": ["1", "2", [3]],
  "S100: two numbers": [1, 2],
  "S102: no arguments": [],
  "S81: null": [null],
  "S222: false, true, 0, -1.5, 1e21": [false, true, 0, -1.5, 1e21],
  "integers up to 2^53 - 1": [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  "empty string, array and object": ["", [], {}],
  "S84: multibyte UTF-8": ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string"],
  "astral characters": ["😀👩‍👩‍👧‍👦", "\u{10ffff}"],
  "NUL and control characters": ["a\u0000b", "\u0001\u001f\u007f", "\b\f\n\r\t"],
  "U+2028, U+2029, quotes, backslash": ["\u2028\u2029", "\"\\/"],
  "lone surrogate": ["\ud800x"],
  "the record separator of polling payloads, escaped": ["a\u001eb"],
  "deep nesting": [JSON.parse("[".repeat(500) + "]".repeat(500))],
  "keys that JavaScript knows": [JSON.parse('{"__proto__":1,"constructor":2,"toString":3}')],
  "what looks like a placeholder": [{ _placeholder: false, num: 0 }],
  "S85, S87, S106, S107, S108: binary": [bytes(1, 2, 3)],
  "S105: binary and two numbers": [bytes(1, 2, 3), 1, 2],
  "all byte values": [every],
  "empty binary": [bytes()],
  "S86, S88: mixed and nested binary": ["x", bytes(1), [bytes(2, 3), { a: { b: bytes(4) } }], null, bytes(5)],
  "ten attachments, the most a client takes": [Array.from({ length: 10 }, (_, i) => Buffer.alloc(i, i))],
  "same buffer twice": [every, every],
};

// What the other parsers themselves cannot carry.
const BEYOND = {
  json: [],
  msgpack: ["lone surrogate", "S222: false, true, 0, -1.5, 1e21", "keys that JavaScript knows"],
  toy: ["lone surrogate", "NUL and control characters", "the record separator of polling payloads, escaped"],
}[PARSER];
for (const name of BEYOND) delete ROWS[name];

for (const [way, options] of Object.entries(WAYS)) {
  const shared = server.connect("/", options);

  for (const [name, args] of Object.entries(ROWS)) {
    test(`${name}: as event and as acknowledgement, both ways (${way})`, async () => {
      const client = await shared;
      client.emit("echo", ...args);
      assert.deepEqual(await next(client, "echo"), args);

      // The server acknowledges.
      assert.deepEqual(await new Promise((resolve) =>
        client.emit("ack", ...args, (...all) => resolve(all))), args);

      // The client acknowledges.
      let asked;
      client.once("question", (...all) => {
        const reply = all.pop();
        asked = all;
        reply(...all);
      });
      assert.deepEqual(await new Promise((resolve) =>
        client.emit("ask", 5000, "question", ...args, (...all) => resolve(all))), [null, ...args]);
      assert.deepEqual(asked, args);
    });
  }

  test(`S130, S133, S135, S169, S170: catch-all listeners, middlewares of events (${way})`, async () => {
    const client = await server.connect("/filter", options);
    client.emit("old", "text", bytes(1, 2), { a: [bytes(3)] });
    assert.deepEqual(await next(client, "echo"), ["text", bytes(1, 2), { a: [bytes(3)] }]);
    client.emit("no", 1);
    assert.deepEqual(await new Promise((resolve) =>
      client.emit("later", bytes(4), "é", (...all) => resolve(all))), [bytes(4), "é"]);
    assert.deepEqual((await client.emitWithAck("seen")).split(",").sort(),
      ["any later", "any no", "any old", "any seen", "error no", "out echo"]);
    assert.ok(client.connected);
    client.disconnect();
  });

  test(`events arrive in the order they were sent, 200 each way (${way})`, async () => {
    const client = await server.connect("/", options);
    const echoes = collect(client, "echo");
    const burst = collect(client, "burst");
    for (let i = 0; i < 200; i++) client.emit("echo", i, i % 7 === 0 ? bytes(i % 256) : "text");
    client.emit("burst", 200);
    await echoes.until(200);
    await burst.until(200);
    assert.deepEqual(echoes.map(([i]) => i), [...Array(200).keys()]);
    assert.deepEqual([...burst], [...Array(200).keys()]);
    for (const [i, value] of echoes)
      assert.deepEqual(value, i % 7 === 0 ? bytes(i % 256) : "text");
    client.disconnect();
  });

  test(`S116, S117: large JSON and large binary, three times (${way})`, async () => {
    const client = await server.connect("/", options);
    const list = Array.from({ length: 18000 }, (_, i) => ({ i, text: `é${i}` }));
    const binary = { inside: { data: Buffer.alloc(600000, 0xa5) } };
    for (let i = 0; i < 3; i++) {
      client.emit("echo", list);
      assert.deepEqual(await next(client, "echo"), [list]);
      client.emit("echo", binary);
      assert.deepEqual(await next(client, "echo"), [binary]);
    }
    client.disconnect();
  });

  test(`S109: emitWithAck resolves with the answer (${way})`, async () => {
    const client = await server.connect("/", options);
    assert.equal(await client.emitWithAck("ack", "one"), "one");
    assert.equal(await client.timeout(5000).emitWithAck("ack-thread", 42), 42);
    client.disconnect();
  });

  test(`S83, S99, S100, S102, S176, S178: events and answers with none, one, two values (${way})`, async () => {
    const client = await server.connect("/", options);
    const ask = (reply, ...args) => {
      client.once("question", (...all) => all.pop()(...reply));
      return new Promise((resolve) => client.emit("ask", 5000, "question", ...args, (...all) => resolve(all)));
    };

    client.emit("send", { from: "io", to: [client.id] }, "message", "a");
    assert.deepEqual(await next(client, "message"), ["a"]);
    assert.deepEqual(await new Promise((resolve) => client.emit("ack", 1, 2, (...all) => resolve(all))), [1, 2]);
    assert.deepEqual(await new Promise((resolve) => client.emit("ack", (...all) => resolve(all))), []);
    assert.deepEqual(await ask([]), [null]);
    assert.deepEqual(await ask([42], 1), [null, 42]);
    client.disconnect();
  });

  test(`S174: a client that does not answer is a timeout at the server (${way})`, async () => {
    const client = await server.connect("/", options);
    const [error, ...rest] = await new Promise((resolve) =>
      client.emit("ask", 50, "nobody listens", (...all) => resolve(all)));
    assert.equal(error, "operation has timed out");
    assert.deepEqual(rest, []);
    client.disconnect();
  });

  test(`S175: a late acknowledgement is ignored (${way})`, async () => {
    const client = await server.connect("/", options);
    let reply;
    client.once("question", (ack) => (reply = ack));
    const [error] = await new Promise((resolve) => client.emit("ask", 50, "question", (...all) => resolve(all)));
    assert.equal(error, "operation has timed out");
    reply("too late");
    reply("twice");
    assert.equal(await client.emitWithAck("ack", "still here"), "still here");
    client.disconnect();
  });

  test(`S259: an event nobody listens to is not acknowledged (${way})`, async () => {
    const client = await server.connect("/", options);
    await assert.rejects(client.timeout(100).emitWithAck("unknown", 1), /timed out/);
    assert.equal(await client.emitWithAck("ack", 1), 1);
    client.disconnect();
  });
}

test("S80, CVE-2024-38355: events named message, error, __proto__ and '' are ordinary", async () => {
  const client = await server.connect();
  client.send("a");
  client.emit("error", "boom");
  client.emit("__proto__", 1);
  client.emit("", 1);
  assert.equal(await client.emitWithAck("ack", "alive"), "alive");
  client.disconnect();
});

test("S99: what the server sends as message arrives as message", async () => {
  const client = await server.connect();
  const came = next(client, "message");
  client.emit("send", { from: "io", to: [client.id] }, "message", "a");
  assert.deepEqual(await came, ["a"]);
  client.disconnect();
});

test("S112, S113: query, header and address of the first request", async () => {
  const client = await server.connect("/", {
    transports: ["websocket"], query: { who: "a&b=c é" }, extraHeaders: { "X-Test": "yes" },
  });
  const who = await client.emitWithAck("whoami");
  assert.equal(who.query, "a&b=c é");
  assert.equal(who.header, "yes");
  assert.match(who.address, /^(::ffff:)?127\.0\.0\.1$/);
  assert.equal(who.id, client.id);
  assert.equal(who.transport, "websocket");
  client.disconnect();
});

test("nothing is left of the clients", async () => {
  server.closeClients();
  await until("only the one that asks", async () => (await server.stats()).sockets === 1);
});

test("the server process ends with status 0 and nothing on stderr", () => server.stop());
