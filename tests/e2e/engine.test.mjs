// engine.test.mjs -- plain Engine.IO under the clients as published, of both
// revisions: what the program is told beside what the client sees. E numbers
// are those of the checklist.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Socket as Engine4 } from "engine.io-client";
import engine3 from "engine.io-client-3";
import { WebSocket } from "ws";
import { BUILD, collect, next, PEER_IS_NODE, raw, startProgram, until, untilNothingIsLeft } from "./harness.mjs";

if (PEER_IS_NODE) process.exit(0); // the server is a program of ours

// The role eio-events; says(tag) is what its session has said so far.
class Server {
  static async start(options = {}, port = 0) {
    const args = Object.entries({ eio3: 1, ...options }).map(([name, value]) => `${name}=${value}`);
    const server = new Server();
    server.program = await startProgram(`${BUILD}/servers/conformance`, ["eio-events", String(port), ...args], /^ready (\d+)$/);
    server.port = Number(server.program.match[1]);
    return server;
  }

  says(tag) {
    return this.program.stdout.split("\n").filter((line) => line.startsWith(`${tag} `))
      .map((line) => line.slice(tag.length + 1).trimEnd());
  }

  async said(tag, line) {
    await until(`${tag} says "${line}"`, () => this.says(tag).includes(line));
  }

  stop() {
    return this.program.stop();
  }
}

let tags = 0;
const clients = [];

// A client with a tag of its own, `steps` as query parameters.
function make(server, revision, { transports, steps = {}, host = "127.0.0.1", ...more } = {}) {
  const tag = `t${++tags}`;
  const query = { tag, ...steps };
  const uri = `http://${host}:${server.port}`;
  const options = { transports, query, ...more };
  const client = revision === 3 ? engine3(uri, options) : new Engine4(uri, options);
  client.tag = tag;
  client.messages = collect(client, "message");
  client.on("error", () => {}); // "close" follows
  clients.push(client);
  return client;
}

async function open(server, revision, options) {
  const client = make(server, revision, options);
  if (client.readyState !== "open") await next(client, "open");
  return client;
}

// The reason of a client's close, of which Node's has more arguments.
const closed = async (client) => (await next(client, "close"))[0];

const text = (data) => (typeof data === "string" ? data : Buffer.from(data).toString("hex"));

const server = await Server.start();
after(async () => {
  for (const client of clients) client.close();
  await untilNothingIsLeft(server);
  await server.stop();
});

const ways = [];
for (const revision of [4, 3])
  for (const transport of ["polling", "websocket"])
    ways.push([`Engine.IO ${revision}, ${transport}`, revision, [transport]]);

for (const [name, revision, transports] of ways) {
  const polling = transports[0] === "polling";

  test(`${polling ? "E87" : "E92"}: ${name}: the server sends text`, async () => {
    const client = await open(server, revision, { transports, steps: { open: "send:hi" } });
    await client.messages.until(1);
    assert.deepEqual([...client.messages], ["hi"]);
    client.close();
  });

  test(`${polling ? "E88" : "E93 E94"}: ${name}: a, b, c and the close: all arrive, in order`, async () => {
    const client = make(server, revision, { transports, steps: { open: "send:a;send:b;send:c;close" } });
    await closed(client);
    assert.deepEqual([...client.messages], ["a", "b", "c"]);
    await server.said(client.tag, "close forced close");
  });

  test(`${polling ? "E99 E103" : "E95 E96 E97 E98 E100"}: ${name}: binary both ways, as Buffer and as ArrayBuffer`, async () => {
    const int8 = Int8Array.of(0, 1, -2, 127, -128);
    const int32 = Int32Array.of(0, 1, -2, 0x12345678, -2147483648);
    const hex = (array) => Buffer.from(array.buffer).toString("hex");
    for (const binaryType of polling && revision === 4 ? ["nodebuffer", "arraybuffer"] : ["arraybuffer", "nodebuffer"]) {
      const client = await open(server, revision, { transports, steps: { open: `hex:${hex(int8)};hex:${hex(int32)}` } });
      client.binaryType = binaryType;
      if (binaryType === "arraybuffer") {
        client.send(int8); // what came before binaryType was set does not count
        await client.messages.until(3);
        assert.ok(client.messages[2] instanceof ArrayBuffer, String(client.messages[2]));
        assert.deepEqual(new Int8Array(client.messages[2]), int8);
        client.send(int32);
        await client.messages.until(4);
        assert.deepEqual(new Int32Array(client.messages[3]), int32);
      } else {
        client.send(Buffer.from(int32.buffer));
        await client.messages.until(3);
        assert.equal(text(client.messages[2]), hex(int32));
      }
      assert.deepEqual(client.messages.slice(0, 2).map(text), [hex(int8), hex(int32)]);
      client.close();
    }
  });

  test(`${polling ? "E113 E106" : "E114"}: ${name}: one message after the other comes back`, async () => {
    const client = await open(server, revision, { transports });
    for (const [i, said] of ["a", "\u4f60\u597d\uff0c\u4e16\u754c", "\u{1f600} b"].entries()) {
      client.send(said);
      await client.messages.until(i + 1);
    }
    assert.deepEqual([...client.messages], ["a", "\u4f60\u597d\uff0c\u4e16\u754c", "\u{1f600} b"]);
    client.close();
  });

  test(`${polling ? "E115" : "E116"}: ${name}: 1, then 2 and 3 at once: in order, and the client's callbacks`, async () => {
    const client = await open(server, revision, { transports });
    const called = [];
    client.send("1", () => called.push(1));
    await client.messages.until(1);
    client.send("2", () => called.push(2));
    client.send("3", () => called.push(3));
    await client.messages.until(3);
    assert.deepEqual([...client.messages], ["1", "2", "3"]);
    await until("all callbacks", () => called.length === 3);
    assert.deepEqual(called, [1, 2, 3]);
    client.close();
  });

  test(`${polling ? "E117 E122" : "E119 E121"}: ${name}: as many callbacks as messages`, async () => {
    const client = await open(server, revision, { transports, steps: { open: "sent:a;sent:b;sent:c;sent:d" } });
    await client.messages.until(4);
    await server.said(client.tag, "sent d");
    assert.deepEqual([...client.messages], ["a", "b", "c", "d"]);
    assert.deepEqual(server.says(client.tag).filter((line) => line.startsWith("sent ")), ["sent a", "sent b", "sent c", "sent d"]);
    client.send("do sent:e");
    await client.messages.until(5);
    await server.said(client.tag, "sent e");
    client.close();
  });

  test(`E104: ${name}: one send, one flush, one drain, and nothing left at it`, async () => {
    const client = await open(server, revision, { transports, steps: { open: "send:aaaa" } });
    await client.messages.until(1);
    await server.said(client.tag, "drain 0");
    assert.deepEqual(server.says(client.tag).slice(1), ["create message aaaa", "flush 1", "drain 0"]);
    client.close();
  });

  test(`E127 E129: ${name}: packets that come and go`, async () => {
    const client = await open(server, revision, { transports });
    client.send("a");
    await client.messages.until(1);
    await server.said(client.tag, "create message a"); // it says so before it sends, but by another way
    assert.deepEqual(server.says(client.tag).slice(1, 3), ["packet message a", "create message a"]);
    client.close();
    await server.said(client.tag, "close transport close");
  });

  test(`E29 E30 E40 ${polling ? "E143 E160" : "E142 E161"}: ${name}: the session's request`, async () => {
    const client = await open(server, revision, {
      transports,
      steps: { a: "b", c: "d" },
      extraHeaders: { "x-custom": "yes", cookie: "k=v" },
    });
    for (const what of ["query:a", "query:c", "query:EIO", "query:transport", "header:x-custom", "header:cookie"]) client.send(`do ${what}`);
    await client.messages.until(6);
    assert.deepEqual([...client.messages], ["b", "d", String(revision), transports[0], "yes", "k=v"]);
    await server.said(client.tag, `open ${transports[0]} 127.0.0.1`);
    client.close();
  });

  test(`${polling ? "E160" : "E161"}: ${name}: the address, IPv6`, async (t) => {
    const client = make(server, revision, { transports, host: "[::1]" });
    try {
      await next(client, "open");
    } catch {
      return t.skip("no ::1 here");
    }
    await server.said(client.tag, `open ${transports[0]} ::1`);
    client.close();
  });

  test(`E123: ${name}: the session is discarded: no callback`, async () => {
    const client = make(server, revision, { transports, steps: { open: "sent:a;discard" } });
    await closed(client);
    await server.said(client.tag, "close forced close");
    assert.ok(!server.says(client.tag).includes("sent a"));
  });
}

for (const revision of [4, 3]) {
  test(`E118 E132 E133: Engine.IO ${revision}: a message of on_upgrading, once; then the transports`, async () => {
    const client = await open(server, revision, { transports: ["polling", "websocket"], steps: { upgrading: "sent:u" } });
    await next(client, "upgrade");
    await client.messages.until(1);
    await server.said(client.tag, "sent u");
    await server.said(client.tag, "upgrade websocket polling");
    client.send("echo");
    await client.messages.until(2);
    assert.deepEqual([...client.messages], ["u", "echo"]);
    assert.equal(server.says(client.tag).filter((line) => line === "sent u").length, 1);
    const reason = closed(client);
    client.close();
    assert.equal(await reason, "forced close");
    await server.said(client.tag, "close transport close");
  });

  test(`E120: Engine.IO ${revision}: three sends with an upgrade: each arrives once`, async () => {
    const client = await open(server, revision, { transports: ["polling", "websocket"], steps: { open: "sent:a;sent:b;sent:c" } });
    await next(client, "upgrade");
    await client.messages.until(3);
    client.send("last");
    await client.messages.until(4);
    assert.deepEqual([...client.messages], ["a", "b", "c", "last"]);
    assert.equal(server.says(client.tag).filter((line) => line.startsWith("sent ")).length, 3);
    client.close();
  });

  test(`E131: Engine.IO ${revision}: 50 messages each way across an upgrade`, async () => {
    const client = await open(server, revision, { transports: ["polling", "websocket"] });
    const upgraded = next(client, "upgrade");
    for (let i = 0; i < 50; i++) {
      client.send(`m${i}`);
      await new Promise((resolve) => setTimeout(resolve, 2)); // the checklist's own pace
    }
    await upgraded;
    await client.messages.until(50);
    assert.deepEqual([...client.messages], Array.from({ length: 50 }, (_, i) => `m${i}`));
    client.close();
  });

  test(`E134: Engine.IO ${revision}: upgrades on two engines of one server`, async () => {
    const pair = ["/engine.io", "/other"].map((path) => make(server, revision, { transports: ["polling", "websocket"], path }));
    await Promise.all(pair.map((client) => next(client, "upgrade")));
    for (const client of pair) client.send(`to ${client.tag}`);
    for (const client of pair) {
      await client.messages.until(1);
      assert.deepEqual([...client.messages], [`to ${client.tag}`]);
      client.close();
    }
  });

  test(`E124: Engine.IO ${revision}: a packet that no poll fetches: no callback`, async () => {
    const query = `EIO=${revision}&transport=polling&tag=silent${revision}&open=sent:never`;
    const answer = await raw(server, `GET /engine.io/?${query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.match(answer, /"sid"/);
    await server.said(`silent${revision}`, "create message never");
    const other = await open(server, revision, { steps: { open: "sent:there" } });
    await server.said(other.tag, "sent there");
    assert.ok(!server.says(`silent${revision}`).includes("sent never"));
    other.close();
    const [, sid] = /"sid":"([^"]+)"/.exec(answer);
    const end = revision === 3 ? "1:1" : "1";
    await raw(server, `POST /engine.io/?EIO=${revision}&transport=polling&sid=${sid} HTTP/1.1\r\nHost: x\r\n` +
      `Connection: close\r\nContent-Type: text/plain\r\nContent-Length: ${end.length}\r\n\r\n${end}`);
  });
}

test("E125: a frame made beforehand is sent instead of the message; over polling the message", async () => {
  const client = await open(server, 4, { transports: ["websocket"], steps: { open: "frame" } });
  await client.messages.until(1);
  assert.equal(client.messages[0], "123");
  client.close();
  const polling = await open(server, 4, { transports: ["polling"], steps: { open: "frame" } });
  await polling.messages.until(1);
  assert.equal(polling.messages[0], "test");
  polling.close();
});

test("E126: with permessage-deflate the frame is ignored", async () => {
  const deflating = await Server.start({ deflate: 1 });
  for (const perMessageDeflate of [{}, false]) {
    const client = await open(deflating, 4, { transports: ["websocket"], steps: { open: "frame" }, perMessageDeflate });
    await client.messages.until(1);
    assert.equal(client.messages[0], "test");
    client.close();
  }
  await deflating.stop();
});

// ------------------------------------------------------------------ heartbeat

test("E128 E130: the first packets of a quiet session: a ping is made, a pong comes; Engine.IO 3: the other way round", async () => {
  const quick = await Server.start({ pingInterval: 4, pingTimeout: 4000 });
  for (const [name, revision, transports] of ways) {
    const client = await open(quick, revision, { transports });
    await quick.said(client.tag, "beat");
    const heard = quick.says(client.tag).filter((line) => /^(packet|create) /.test(line));
    assert.deepEqual(heard.slice(0, 2), revision === 4 ? ["create ping", "packet pong"] : ["packet ping", "create pong"], name);
    client.close();
  }
  await quick.stop();
});

test("E65 E66: heartbeats in time: nobody is given up", async () => {
  const quick = await Server.start({ pingInterval: 80, pingTimeout: 1000 });
  const quiet = ways.map(([, revision, transports]) => make(quick, revision, { transports }));
  await Promise.all(quiet.map((client) => until("five heartbeats",
    () => quick.says(client.tag).filter((line) => line === "beat").length >= 5)));
  for (const client of quiet) {
    assert.equal(client.readyState, "open");
    client.close();
  }
  await quick.stop();
});

test("E67: closed at a heartbeat: the client sees a close, no ping timeout", async () => {
  const quick = await Server.start({ pingInterval: 50, pingTimeout: 1000 });
  for (const [name, revision, transports] of ways) {
    const client = make(quick, revision, { transports, steps: { beat: "close" } });
    assert.equal(await closed(client), "transport close", name);
    await quick.said(client.tag, "close forced close");
  }
  await quick.stop();
});

for (const [revision, event, number] of [[3, "pong", "E68"], [4, "ping", "E69"]]) {
  test(`${number}: Engine.IO ${revision}: a heartbeat, then nothing reaches the client: its ping timeout behind 300 + 100 ms`, async () => {
    const quick = await Server.start({ pingInterval: 300, pingTimeout: 100 });
    const client = await open(quick, revision, { transports: ["websocket"] });
    await next(client, event);
    const begin = performance.now();
    client.onPacket = () => {};
    // Nor does it hear that the server gives up, which may come first.
    for (const deaf of ["packet", "close", "error"]) client.transport.removeAllListeners(deaf);
    assert.equal(await closed(client), "ping timeout");
    assert.ok(performance.now() - begin > 350, `${performance.now() - begin} ms`);
    await until("the server has noticed", () => quick.says(client.tag).some((line) => /^close (ping timeout|transport close)$/.test(line)));
    await quick.stop();
  });
}

test("E54: no traffic either way: both see a ping timeout", async () => {
  const quick = await Server.start({ pingInterval: 50, pingTimeout: 50 });
  const client = await open(quick, 4, { transports: ["websocket"] });
  client.onPacket = client.sendPacket = () => {};
  // Neither does the end of the one reach the other.
  client.transport.removeAllListeners();
  client.transport.doClose = () => {};
  assert.equal(await closed(client), "ping timeout");
  await quick.said(client.tag, "close ping timeout");
  await quick.stop();
});

// ------------------------------------------------------------------- the ends

for (const [number, steps] of [["E81", "send:lost;end"], ["E82", "send:lost;close;end"]]) {
  test(`${number}: ${steps}: discarded, the client's next poll is refused`, async () => {
    const ending = await Server.start();
    for (const revision of [4, 3]) {
      const client = make(ending, revision, { transports: ["polling"], steps: { open: steps } });
      assert.equal(await closed(client), "transport error");
      assert.equal(client.messages.length, 0);
      if (revision === 4) await ending.said(client.tag, "close forced close");
    }
    await ending.stop();
  });
}

for (const [number, what] of [["E84", "open session"], ["E85", "upgraded session"], ["E86", "upgrade under way"]]) {
  test(`${number}: stopped with an ${what}: the process ends, with nothing left`, async () => {
    const ending = await Server.start();
    const client = await open(ending, 4, { transports: number === "E85" ? ["polling", "websocket"] : ["polling"] });
    let ws;
    if (number === "E85") await next(client, "upgrade");
    if (number === "E86") {
      ws = new WebSocket(`ws://127.0.0.1:${ending.port}/engine.io/?EIO=4&transport=websocket&sid=${client.id}`);
      await next(ws, "open");
      ws.send("2probe");
      await next(ws, "message");
      await ending.said(client.tag, "upgrading");
    }
    const ends = [closed(client), ws && next(ws, "close")];
    await ending.stop(); // status 0, in bounded time
    await Promise.all(ends);
    assert.deepEqual(ending.says(client.tag).slice(-1), ["close server shutting down"]);
  });
}

test("E57 E211: stopped and started again on the same port: clients can connect again", async () => {
  let again = await Server.start();
  const { port } = again;
  for (let round = 0; round < 3; round++) {
    const client = await open(again, 4, { transports: ["websocket"] });
    client.send("hello");
    await client.messages.until(1);
    const reason = closed(client);
    await again.stop();
    assert.equal(await reason, "transport close");
    again = await Server.start({}, port);
    assert.equal(again.port, port);
  }
  const client = make(again, 4, { transports: ["websocket"], steps: { open: "close" } });
  assert.equal(await closed(client), "transport close");
  await again.stop();
});
