// protocol-sio.test.mjs -- Socket.IO v5 on the wire, against the role
// protocol-sio of the conformance server. "S9.3" is the protocol suite's part of
// the checklist in docs/TESTING.md; most cases run over both transports.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { conformance, Polling, request, RS, Wire } from "./support.mjs";

const CONNECT_TIMEOUT_MS = 1_000;

let server;

before(async () => {
  server = await conformance("protocol-sio");
});
after(() => server.stop());

// Both transports behind one face: send packets (strings, or Buffers for
// attachments), take the next one, wait for the end.
const transports = {
  async websocket() {
    const wire = await Wire.open(
      `ws://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=websocket`,
    );
    assert.equal((await wire.next())[0], "0");
    return {
      send: async (...packets) => wire.send(...packets),
      next: () => wire.message(),
      any: () => wire.next(),
      ended: () => wire.end(),
      close: () => wire.close(),
    };
  },

  async polling() {
    const session = await Polling.open(server.port, "/socket.io/");
    const encode = (packet) =>
      typeof packet === "string" ? packet : `b${packet.toString("base64")}`;
    const decode = (packet) =>
      packet[0] === "b" ? Buffer.from(packet.slice(1), "base64") : packet;
    const received = [];
    return {
      async send(...packets) {
        const { status, body } = await session.post(packets.map(encode).join(RS));
        assert.deepEqual([status, body], [200, "ok"]);
      },
      async next() {
        if (!received.length) received.push(...(await session.packets()));
        return decode(received.shift());
      },
      async any() {
        return received.length ? decode(received.shift()) : (await session.get()).body;
      },
      // A graceful close waits for the next poll (E210), then the sid is gone.
      async ended() {
        const last = await session.packets();
        assert.ok(last.join() === "6,1" || last.join() === "1", last.join());
        assert.equal((await session.get()).status, 400);
      },
      async close() {
        assert.equal((await session.post("1")).status, 200);
      },
    };
  },
};

const names = Object.keys(transports);

function both(name, body) {
  for (const transport of names)
    test(`${name} (${transport})`, async () => body(await transports[transport]()));
}

// Join a namespace ("" is "/") and take the two packets that this brings.
async function join(client, nsp = "", auth = "") {
  await client.send(`40${nsp}${auth}`);
  const connect = await client.next();
  assert.ok(connect.startsWith(`40${nsp}{`), connect);
  const reply = JSON.parse(connect.slice(2 + nsp.length));
  assert.deepEqual(Object.keys(reply), ["sid"]);
  assert.match(reply.sid, /^[A-Za-z0-9_-]{20}$/);
  assert.equal(await client.next(), `42${nsp}["auth",${auth || "{}"}]`);
  return reply.sid;
}

// --- connecting

both("S9.3: CONNECT to the main namespace", async (client) => {
  await join(client);
  await client.close();
});

both("S9.3: CONNECT to the main namespace with auth", async (client) => {
  await join(client, "", '{"token":"123"}');
  await client.close();
});

both("S9.3: CONNECT to another namespace", async (client) => {
  await join(client, "/custom,");
  await client.close();
});

both("S9.3: CONNECT to another namespace with auth", async (client) => {
  await join(client, "/custom,", '{"token":"abc"}');
  await client.close();
});

both("S9.3: two namespaces on one connection are two sockets", async (client) => {
  assert.notEqual(await join(client), await join(client, "/custom,"));
  await client.close();
});

both("S9.3: CONNECT to an unknown namespace is refused", async (client) => {
  await client.send("40/random");
  assert.equal(await client.next(), '44/random,{"message":"Invalid namespace"}');
  await join(client); // the connection is none the worse for it
  await client.close();
});

both("S9.3: something else than CONNECT at first ends the connection", async (client) => {
  await client.send("4abc");
  await client.ended();
});

test("S9.3: no CONNECT in time ends the connection (websocket)", async () => {
  const client = await transports.websocket();
  const started = performance.now();
  await assert.rejects(client.next(), /closed/);
  const took = performance.now() - started;
  assert.ok(took >= CONNECT_TIMEOUT_MS - 20, `${took} ms`);
});

test("S9.3: no CONNECT in time ends the connection (polling)", async () => {
  const client = await transports.polling();
  const started = performance.now();
  assert.equal(await client.next(), "1");
  const took = performance.now() - started;
  assert.ok(took >= CONNECT_TIMEOUT_MS - 20, `${took} ms`);
});

// --- leaving

test("S9.3: DISCONNECT keeps the connection (websocket)", async () => {
  const client = await transports.websocket();
  await join(client);
  await client.send("41");
  assert.equal(await client.any(), "2"); // the next thing is a ping
  await client.send("3");
  await join(client, "/custom,");
  await client.close();
});

both("S9.3: DISCONNECT leaves one namespace only", async (client) => {
  await join(client);
  await join(client, "/custom,");
  await client.send("41/custom,");
  await client.send('42["message","still here"]');
  assert.equal(await client.next(), '42["message-back","still here"]');
  await client.close();
});

// Node closes the connection when both come in one go: see docs/PROTOCOL.md.
both("S2.5: DISCONNECT and CONNECT at once join anew", async (client) => {
  const first = await join(client);
  await client.send("41", "40");
  const connect = await client.next();
  assert.match(connect, /^40\{"sid":/);
  assert.notEqual(JSON.parse(connect.slice(2)).sid, first);
  assert.equal(await client.next(), '42["auth",{}]');
  await client.close();
});

// --- messages

for (const [name, args] of [
  ["numbers, strings and trees", '1,"2",{"3":[true]}'],
  ["nothing", ""],
  ["every kind of value", 'null,false,-1.5,"",[],{},[[1],{"a":[null]}]'],
  ["text beyond ASCII", '"\u00e9\u20ac\u{1f600}"'],
]) {
  both(`S9.3: EVENT with ${name}`, async (client) => {
    const rest = args && `,${args}`;
    await join(client);
    await client.send(`42["message"${rest}]`);
    assert.equal(await client.next(), `42["message-back"${rest}]`);
    await client.close();
  });
}

const placeholder = (num) => `{"_placeholder":true,"num":${num}}`;

both("S9.3: EVENT with two attachments", async (client) => {
  const args = `${placeholder(0)},${placeholder(1)}`;
  await join(client);
  await client.send(
    `452-["message",${args}]`, Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6]),
  );
  assert.equal(await client.next(), `452-["message-back",${args}]`);
  assert.deepEqual(await client.next(), Buffer.from([1, 2, 3]));
  assert.deepEqual(await client.next(), Buffer.from([4, 5, 6]));
  await client.close();
});

both("S9.3: EVENT with an attachment inside a tree", async (client) => {
  await join(client);
  await client.send(
    `451-["message",{"a":[${placeholder(0)},1]}]`, Buffer.from([0xff, 0]),
  );
  assert.equal(await client.next(), `451-["message-back",{"a":[${placeholder(0)},1]}]`);
  assert.deepEqual(await client.next(), Buffer.from([0xff, 0]));
  await client.close();
});

both("S9.3: EVENT with an ack", async (client) => {
  await join(client);
  await client.send('42456["message-with-ack",1,"2",{"3":[false]}]');
  assert.equal(await client.next(), '43456[1,"2",{"3":[false]}]');
  await client.close();
});

both("S9.3: EVENT with attachments and an ack", async (client) => {
  const args = `${placeholder(0)},${placeholder(1)}`;
  await join(client);
  await client.send(
    `452-789["message-with-ack",${args}]`, Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6]),
  );
  assert.equal(await client.next(), `462-789[${args}]`);
  assert.deepEqual(await client.next(), Buffer.from([1, 2, 3]));
  assert.deepEqual(await client.next(), Buffer.from([4, 5, 6]));
  await client.close();
});

// --- violations

for (const [name, ...packets] of [
  ["an unknown packet type", "4abc"],
  ["a payload that is no array", "42{}"],
  ["an ack id that is no number", '42abc["message-with-ack",1,"2",{"3":[false]}]'],
  ["bytes behind the payload", '42["message"]x'],
  ["a second CONNECT", "40"],
  ["an EVENT for a namespace not joined", '42/custom,["message"]'],
  ["a reserved event name", '42["disconnect"]'],
  ["an attachment nobody announced", Buffer.from([1])],
  ["text where an attachment is due", `451-["message",${placeholder(0)}]`, '42["message"]'],
  ["more than 10 attachments", '4511-["message"]'],
  ["an attachment count of 0", '450-["message"]'],
]) {
  both(`S9.3: ${name} ends the connection`, async (client) => {
    await join(client);
    await client.send(...packets);
    await client.ended();
  });
}

test("E210: after a violation the next poll is a NOOP and a CLOSE", async () => {
  const session = await Polling.open(server.port, "/socket.io/");
  await session.post("4abc");
  const { status, body } = await session.get();
  assert.deepEqual([status, body], [200, `6${RS}1`]);
  assert.equal((await session.get()).status, 400);
});

test("E209: what lies outside the path is not found", async () => {
  assert.equal((await request(server.port, "/other")).status, 404);
});
