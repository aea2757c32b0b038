// msgpack.test.mjs -- socket.io-msgpack-parser at the client, sio_msgpack_parser()
// at the server: what passes with JSON passes with it, and what only MessagePack
// has. S1.7 is the section of the reference.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";

process.env.SIO_PARSER = "msgpack";
const { collect, next, parser, PEER_IS_NODE, Polling, TestServer, until, within } = await import("./harness.mjs");
const { WebSocket } = await import("ws");

await import("./events.test.mjs");
await import("./rooms.test.mjs");
await import("./namespaces.test.mjs");

const server = await TestServer.start();
const encoder = new parser.Encoder();
const bytesOf = (packet) => encoder.encode(packet)[0];

const WAYS = { polling: { transports: ["polling"] }, websocket: { transports: ["websocket"] } };

const ROWS = {
  "a date": [new Date(1700000000123), new Date(-1)],
  "undefined": [undefined, 1, undefined],
  "an ArrayBuffer comes back as one": [Uint8Array.from([9, 8]).buffer],
  "NaN and infinities": [NaN, Infinity, -Infinity],
  "integers beyond 2^53": [2 ** 53, 2 ** 63, -(2 ** 63)],
  "eleven binary values: there is no limit of ten": [Array.from({ length: 11 }, (_, i) => Buffer.alloc(i, i))],
  "a string and an array of more than 65535": ["x".repeat(65536), Array(65536).fill(1)],
  "a map of more than 65535": [Object.fromEntries(Array.from({ length: 65536 }, (_, i) => [`k${i.toString(36)}`, 1]))],
};

for (const [way, options] of Object.entries(WAYS)) {
  for (const [name, args] of Object.entries(ROWS)) {
    test(`S1.7: ${name}: as event and as acknowledgement (${way})`, async () => {
      const client = await server.connect("/", options);
      client.emit("echo", ...args);
      assert.deepEqual(await next(client, "echo"), args);
      assert.deepEqual(await new Promise((resolve) => client.emit("ack", ...args, (...all) => resolve(all))), args);
      client.disconnect();
    });
  }

  test(`S1.7: what the server itself writes: answers of a room, a tree, auth (${way})`, async () => {
    const client = await server.connect("/", { ...options, auth: { token: "é", deep: [{ n: 1.5 }] } });
    await client.emitWithAck("join", "r");
    const reply = { b: Buffer.from("xy"), list: [1, null] };
    client.once("question", (ack) => ack(reply));
    assert.deepEqual(await new Promise((resolve) =>
      client.emit("ask-room", "r", 5000, (...all) => resolve(all))), [null, reply]);
    const who = await client.emitWithAck("whoami");
    assert.deepEqual(who.auth, { token: "é", deep: [{ n: 1.5 }] });
    assert.equal(who.id, client.id);
    client.disconnect();
  });
}

// --------------------------------------------------------------- by hand

async function open() {
  const ws = new WebSocket(`ws://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=websocket`);
  ws.messages = collect(ws, "message");
  ws.closed = new Promise((resolve) => ws.once("close", (code) => resolve(code)));
  await within(5000, "OPEN", next(ws, "message"));
  return ws;
}

// The packets that came, decoded by the npm parser.
function decoded(ws) {
  const packets = [];
  const decoder = new parser.Decoder();
  decoder.on("decoded", (packet) => packets.push(packet));
  for (const [data, binary] of ws.messages) if (binary) decoder.add(data);
  return packets;
}

test("S1.7: events and acknowledgements are byte for byte what the npm parser writes", async () => {
  const ws = await open();
  ws.send(bytesOf({ type: 0, nsp: "/" }));
  await ws.messages.until(2);
  const { sid } = decoded(ws)[0].data;
  assert.match(sid, /^[\w-]{20}$/);
  const args = ["é", { a: [] }, Buffer.from("x"), -1, 300];
  const exchanges = [
    [{ type: 2, data: ["burst", 1], nsp: "/" }, { type: 2, data: ["burst", 0], nsp: "/" }],
    [{ type: 2, data: ["echo", ...args], nsp: "/" }, { type: 2, data: ["echo", ...args], nsp: "/" }],
    [{ type: 2, data: ["ack", ...args], nsp: "/", id: 70000 }, { id: 70000, type: 3, data: args, nsp: "/" }],
    [{ type: 2, data: ["join", "room"], nsp: "/", id: 1 }, { id: 1, type: 3, data: [[sid, "room"]], nsp: "/" }],
    [{ type: 2, data: ["ask", 0, "q", ...args], nsp: "/", id: 2 }, { type: 2, data: ["q", ...args], id: true, nsp: "/" }],
  ];
  for (const [sent, expected] of exchanges) {
    const before = ws.messages.length;
    ws.send(bytesOf(sent));
    await ws.messages.until(before + 1);
    // Ids of the server's own questions go on from those of other tests.
    if (expected.id === true) expected.id = decoded(ws).at(-1).id;
    assert.deepEqual(ws.messages[before], [bytesOf(expected), true]);
  }
  ws.close();
});

const good = bytesOf({ type: 2, data: ["echo"], nsp: "/" });
const BAD = {
  "S1.7: bytes behind": Buffer.concat([good, Buffer.from([0xc0])]),
  "cut short": good.subarray(0, -1),
  "S1.7: an unknown type": bytesOf({ type: 5, data: ["echo"], nsp: "/" }),
  "S1.7: no namespace": bytesOf({ type: 2, data: ["echo"] }),
  "S1.7: id null": bytesOf({ type: 2, data: ["echo"], nsp: "/", id: null }),
  "S1.7: no array": bytesOf({ type: 2, data: {}, nsp: "/" }),
  "text": "2[\"echo\"]",
};
// Node takes the first and the last of these; the second one ends its process.
const BAD_HERE = {
  "CVE-2023-32695: a reserved name": bytesOf({ type: 2, data: ["disconnect", "x"], nsp: "/" }),
  "CVE-2023-32695: an object as name": bytesOf({ type: 2, data: [{ toString: "x" }], nsp: "/" }),
  "nested too deep": bytesOf({ type: 2, nsp: "/", data: ["echo", JSON.parse("[".repeat(1000) + "]".repeat(1000))] }),
};

for (const [name, bytes] of Object.entries({ ...BAD, ...(PEER_IS_NODE ? {} : BAD_HERE) })) {
  test(`${name}: closes its sender only, "forced close"`, async () => {
    const watch = collect(await server.watch(), "gone");
    const other = await server.connect("/", { transports: ["websocket"] });
    const ws = await open();
    ws.send(bytesOf({ type: 0, nsp: "/" }));
    await ws.messages.until(2);
    const { sid } = decoded(ws)[0].data;
    ws.send(typeof bytes === "string" ? `4${bytes}` : bytes);
    assert.equal(await within(5000, "close", ws.closed), 1005);
    await until("it is told", () => watch.some(([id]) => id === sid));
    assert.deepEqual(watch.find(([id]) => id === sid), [sid, "forced close", "/"]);
    assert.equal(await other.emitWithAck("ack", "alive"), "alive");
    server.closeClients();
  });
}

test("S1.7: over polling a packet is base64; a bad one is answered 6 and 1", async () => {
  const session = await Polling.open(server, { connect: false });
  await session.post(`b${bytesOf({ type: 0, nsp: "/" }).toString("base64")}`);
  const first = (await session.poll()).body;
  assert.match(first, /^b[A-Za-z0-9+/]+=*$/);
  await session.post("bwQ==");
  assert.equal((await session.poll()).body, "6\x1e1");
});

test("nothing is left of the clients with MessagePack", async () => {
  server.closeClients();
  await until("only the one that asks", async () => (await server.stats()).sockets === 1);
});

test("the server process of MessagePack ends with status 0", () => server.stop());
