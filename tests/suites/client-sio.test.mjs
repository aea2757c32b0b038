// client-sio.test.mjs -- the role client-sio with the published socket.io-client:
// what its own suite asserts of a server.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import { io, Manager } from "socket.io-client";
import { conformance, request, within } from "./support.mjs";

const server = await conformance("client-sio");
const url = `http://127.0.0.1:${server.port}`;
const WAYS = [["polling"], ["websocket"], ["polling", "websocket"]];
const OFFSET = /^[\w-]{7}(\.[\w-]+)?$/; // of recovery, behind every event
const sockets = [];

function open(path = "/", options = {}) {
  const socket = io(url + path, { forceNew: true, ...options });
  sockets.push(socket);
  return socket;
}

const keep = (...made) => (sockets.push(...made), made.length === 1 ? made[0] : made);

// The next `event` as the array of its arguments.
function next(emitter, event) {
  return within(new Promise((resolve) => emitter.once(event, (...args) => resolve(args))), `"${event}"`);
}

const connected = (socket) => (socket.connected ? null : next(socket, "connect"));

// What is sent later is answered later: nothing is under way behind this.
const settled = (socket) => within(socket.emitWithAck("echo", 0), "an echo");

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function counter(emitter, event) {
  const list = [];
  emitter.on(event, (...args) => list.push(args));
  return list;
}

// The packets that a client sends, as text, heartbeats left out.
function sent(manager) {
  const list = [];
  manager.engine.on("packetCreate", ({ type, data }) => type === "message" && list.push(data));
  return list;
}

afterEach(() => {
  for (const socket of sockets.splice(0)) {
    socket.io.reconnection(false);
    socket.disconnect();
    socket.io.engine?.close();
  }
});

after(() => server.stop());

for (const transports of WAYS) {
  const way = transports.join("+");
  const connect = (path, options) => open(path, { transports, ...options });

  test(`S217 S260: hi is answered by hi, echo by its argument (${way})`, async () => {
    const socket = connect();
    socket.emit("hi");
    assert.match((await next(socket, "hi")).join(), OFFSET);
    assert.equal(await within(socket.timeout(2000).emitWithAck("echo", 42), "the answer"), 42);
  });

  test(`S220: the server asks; the answer's two values reach it (${way})`, async () => {
    const socket = connect();
    socket.on("ack", (answer) => answer(5, { test: true }));
    socket.emit("ack");
    await next(socket, "got it");
  });

  test(`S221 S234 S235: dates travel as text (${way})`, async () => {
    const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
    const socket = connect();
    assert.match(await socket.emitWithAck("getAckDate", { test: true }), ISO);
    socket.emit("getDate");
    assert.match((await next(socket, "takeDate"))[0], ISO);
    socket.emit("getDateObj");
    assert.match((await next(socket, "takeDateObj"))[0].date, ISO);
  });

  test(`S222 S223: false, and five texts of all scripts in order (${way})`, async () => {
    const socket = connect();
    socket.emit("false");
    const [no, offset, ...rest] = await next(socket, "false");
    assert.deepEqual([no, rest], [false, []]);
    assert.match(offset, OFFSET);
    const texts = counter(socket, "takeUtf8");
    socket.emit("getUtf8");
    await settled(socket);
    assert.deepEqual(texts.map(([text]) => text), ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"]);
  });

  test(`S87 S236 S237 S238 S239: binary from the server, to it, inside an object, in order (${way})`, async () => {
    const socket = connect();
    socket.emit("doge");
    assert.equal(Buffer.from((await next(socket, "doge"))[0]).toString(), "asdfasdf");
    socket.emit("getbin");
    assert.equal(Buffer.from((await next(socket, "takebin"))[0]).toString(), "asdfasdf");
    const got = counter(socket, "buffack");
    socket.emit("buffa", "no binary");
    socket.emit("buffa", new Uint8Array([1, 2]).buffer);
    await settled(socket);
    assert.equal(got.length, 1);
    socket.emit("jsonbuff", { hello: "lol", message: Buffer.from("x"), goodbye: "gotcha" });
    await next(socket, "jsonbuff-ack");
    socket.emit("abuff1", Buffer.from("y"));
    socket.emit("abuff2", "please arrive second");
    await next(socket, "abuff2-ack");
  });

  // A Blob is an attachment like any other once it is on the wire.
  test(`S240: what browsers send as Blobs (${way})`, async () => {
    const socket = connect();
    const bytes = Buffer.from([1, 2, 3]);
    socket.emit("blob", bytes);
    await next(socket, "back");
    socket.emit("jsonblob", { hello: "lol", message: bytes, goodbye: "gotcha" });
    await next(socket, "jsonblob-ack");
    const early = counter(socket, "blob3-ack");
    socket.emit("blob3", bytes);
    await settled(socket);
    assert.equal(early.length, 0, "out of order");
    socket.emit("blob1", bytes);
    socket.emit("blob2", "second");
    socket.emit("blob3", bytes);
    await next(socket, "blob3-ack");
  });

  test(`S244 S245: the id is the server's for this socket, not the session's (${way})`, async () => {
    const root = connect();
    const foo = keep(root.io.socket("/foo"));
    for (const socket of [root, foo]) {
      assert.equal(await socket.emitWithAck("getId"), socket.id);
      assert.notEqual(socket.id, socket.io.engine.id);
    }
    assert.notEqual(root.id, foo.id);
  });

  test(`S255: any argument comes back as it is (${way})`, async () => {
    const socket = connect();
    for (const value of [null, 0, -1.5, "", "é€😀", [], {}, true, [[{ a: null }]]])
      assert.deepEqual(await socket.emitWithAck("echo", value), value);
  });

  test(`S254: what is sent before the connection arrives in order, answers too (${way})`, async () => {
    const socket = connect();
    const order = [];
    socket.emit("echo", 1, (n) => order.push(n));
    socket.emit("echo", 2, (n) => order.push(n));
    await socket.emitWithAck("echo", 3);
    assert.deepEqual(order, [1, 2]);
  });

  test(`S252: a refused namespace says why, once, and the connection stays (${way})`, async () => {
    const foo = connect("/foo");
    await connected(foo);
    const closings = counter(foo.io, "close");
    const no = keep(foo.io.socket("/no"));
    const refusals = counter(no, "connect_error");
    const [error] = await next(no, "connect_error");
    assert.equal(error.message, "Auth failed (custom namespace)");
    assert.equal(await foo.emitWithAck("getId"), foo.id);
    assert.deepEqual([refusals.length, closings.length], [1, 0]);
  });

  test(`S259: an event without a handler is not acknowledged, the connection stays (${way})`, async () => {
    const socket = connect();
    await assert.rejects(socket.timeout(100).emitWithAck("unknown", 1), /timed out/);
    assert.equal(await socket.emitWithAck("echo", 1), 1);
  });

  test(`S261: an event and a disconnect at once do no harm (${way})`, async () => {
    const socket = connect();
    await connected(socket);
    socket.emit("echo", 1, () => {});
    socket.disconnect();
    const again = connect();
    assert.equal(await again.emitWithAck("echo", 2), 2);
  });

  test(`S226 S247 S262: the connection breaks: the client comes back, what it kept is answered (${way})`, async () => {
    const socket = connect("/", { reconnectionDelay: 10 });
    await connected(socket);
    const errors = counter(socket, "connect_error");
    const { id } = socket;
    socket.io.engine.close();
    const answer = socket.emitWithAck("echo", "kept");
    assert.equal(socket.connected, false);
    assert.equal(await within(answer, "the answer"), "kept");
    assert.notEqual(socket.id, id);
    assert.equal(errors.length, 0);
  });

  test(`S227 S228 S241: disconnected and connected again by hand, then by itself (${way})`, async () => {
    const socket = connect("/", { reconnectionDelay: 10 });
    await connected(socket);
    socket.disconnect();
    assert.equal(socket.connected, false);
    socket.connect();
    await next(socket, "connect");
    assert.equal(await socket.emitWithAck("getId"), socket.id);
    socket.io.engine.close();
    await next(socket, "connect");
    assert.equal(await socket.emitWithAck("getId"), socket.id);
  });
}

test("S218: two clients of one address have sessions of their own, other queries and paths too", async () => {
  const pairs = [
    [open("/"), open("/")],
    [open("/?room=a"), open("/?room=b")],
  ];
  for (const [a, b] of pairs) {
    await Promise.all([connected(a), connected(b)]);
    assert.notEqual(a.io.engine.id, b.io.engine.id);
  }
  const lost = ["/foo", "/bar"].map((path) => open("/", { path, reconnection: false }));
  await Promise.all(lost.map((socket) => next(socket, "connect_error")));
  assert.equal((await request(server.port, "/foo/?EIO=4&transport=polling")).status, 404);
  assert.equal(await pairs[0][0].emitWithAck("echo", 1), 1);
});

test("S219 S224: namespaces share a connection: one joins late, one does not exist", async () => {
  const root = open("/");
  await connected(root);
  const manager = root.io;
  const [foo, bar] = keep(manager.socket("/foo"), manager.socket("/bar"));
  const [error] = await next(bar, "connect_error");
  assert.equal(error.message, "Invalid namespace");
  await connected(foo);
  assert.equal(await foo.emitWithAck("getId"), foo.id);
  assert.equal(foo.io.engine, root.io.engine);
});

test("S225: the first namespace is left, the connection ends, the second gets a new one", async () => {
  const root = open("/");
  await connected(root);
  const session = root.io.engine.id;
  root.disconnect();
  const foo = keep(root.io.socket("/foo"));
  await connected(foo);
  assert.notEqual(foo.io.engine.id, session);
});

test("S229: handshakes that are given up at once", async () => {
  for (const path of ["/", "/timeout", "/timeout_socket", "/invalid"])
    for (const transports of WAYS) {
      const socket = open(path, { transports, timeout: 0, reconnection: false });
      await next(socket, "connect_error");
    }
  const socket = open("/");
  assert.equal(await socket.emitWithAck("echo", 1), 1);
});

test("S246: a timeout of 0 ends before the server has let the client in", async () => {
  for (const transports of [["polling"], ["websocket"]]) {
    const socket = open("/", { transports, timeout: 0, reconnection: false });
    const [error] = await next(socket, "connect_error");
    assert.equal(error.message, "timeout");
  }
});

test("S230: one namespace comes back after the connection broke, the other stays away", async () => {
  const manager = new Manager(url, { reconnectionDelay: 10 });
  const [root, asd] = keep(manager.socket("/"), manager.socket("/asd"));
  await Promise.all([connected(root), connected(asd)]);
  root.disconnect();
  manager.engine.close();
  await next(asd, "connect");
  assert.deepEqual([root.connected, asd.connected], [false, true]);
});

test("S231: a namespace that is there is joined without a second attempt", async () => {
  const manager = new Manager(url, { reconnection: true, timeout: 2000, reconnectionDelay: 10 });
  const attempts = counter(manager, "reconnect_attempt");
  const socket = keep(manager.socket("/valid"));
  await connected(socket);
  await pause(100);
  assert.deepEqual([attempts.length, socket.connected], [0, true]);
});

test("S232: joining one namespace and leaving another in one go", async () => {
  const manager = new Manager(url);
  const foo = keep(manager.socket("/foo"));
  await connected(foo);
  const packets = sent(manager);
  const asd = keep(manager.socket("/asd"));
  foo.disconnect();
  await connected(asd);
  assert.deepEqual(packets.slice(0, 2), ["0/asd,", "1/foo,"]);
});

test("S233: one namespace is left, the other stays", async () => {
  const manager = new Manager(url);
  const [foo, asd] = keep(manager.socket("/foo"), manager.socket("/asd"));
  await Promise.all([connected(foo), connected(asd)]);
  const gone = counter(asd, "disconnect");
  foo.disconnect();
  await pause(200);
  assert.deepEqual([gone.length, asd.connected], [0, true]);
});

test("S242: joining and leaving are one packet each, both CONNECTs are answered", async () => {
  const manager = new Manager(url, { transports: ["websocket"], autoConnect: false });
  const root = keep(manager.socket("/"));
  let packets;
  manager.once("open", () => (packets = sent(manager)));
  root.connect();
  await connected(root);
  root.disconnect();
  assert.deepEqual(packets, ["0", "1"]);

  const both = new Manager(url, { transports: ["websocket"], autoConnect: false });
  const [a, b] = keep(both.socket("/"), both.socket("/foo"));
  both.once("open", () => (packets = sent(both)));
  a.connect();
  b.connect();
  await Promise.all([connected(a), connected(b)]);
  a.disconnect();
  b.disconnect();
  assert.deepEqual(packets, ["0", "0/foo,", "1", "1/foo,"]);
});

test("S243: a client that cannot read a packet comes back with a new session", async () => {
  const socket = open("/", { reconnectionDelay: 10 });
  await connected(socket);
  const session = socket.io.engine.id;
  const left = next(socket, "disconnect");
  socket.io.engine.emit("data", "bad");
  assert.equal((await left)[0], "parse error");
  await next(socket, "connect");
  assert.notEqual(socket.io.engine.id, session);
});

test("S249 S250: the query of the options and of the address, as the server reads it", async () => {
  for (const make of [
    () => open("/", { query: { key1: "&=bb", key2: "&=cc", n: 5 } }),
    () => open("/?key1=%26%3Dbb&key2=%26%3Dcc&n=5"),
  ]) {
    const { query } = await make().emitWithAck("getHandshake");
    assert.equal(query.EIO, "4");
    assert.match(query.transport, /^(polling|websocket)$/);
    assert.deepEqual([query.key1, query.key2, query.n], ["&=bb", "&=cc", "5"]);
  }
  const [{ query }] = await next(open("/abc", { query: { "&a": "&=?a" } }), "handshake");
  assert.equal(query["&a"], "&=?a");
  const [other] = await next(open("/abc?b=c&d=e"), "handshake");
  assert.deepEqual([other.query.b, other.query.d], ["c", "e"]);
});

test("S251: auth as an object and as a function; the query knows nothing of it", async () => {
  const wanted = { a: "b", c: "d" };
  for (const auth of [wanted, (give) => setTimeout(give, 1, wanted)]) {
    const [handshake] = await next(open("/abc", { auth }), "handshake");
    assert.deepEqual(handshake.auth, wanted);
    assert.deepEqual([handshake.query.a, handshake.query.c], [undefined, undefined]);
  }
});

test("S253: disconnected by hand and connected again: one disconnect", async () => {
  const socket = open("/", { transports: ["websocket"] });
  await connected(socket);
  const gone = counter(socket, "disconnect");
  socket.disconnect().connect();
  await next(socket, "connect");
  await settled(socket);
  assert.equal(gone.length, 1);
});

test("S256: an event is answered once though a volatile one before it was dropped", async () => {
  const socket = open("/");
  const answers = [];
  socket.volatile.emit("getId", () => answers.push("volatile")); // not connected: dropped
  socket.emit("getId", (id) => answers.push(id));
  await settled(socket);
  assert.deepEqual(answers, [socket.id]);
});

test("S257: a volatile event that is tried again and again is answered", async () => {
  const socket = open("/");
  let timer;
  const answered = new Promise((resolve) => {
    timer = setInterval(() => socket.volatile.emit("getId", resolve), 50);
  });
  assert.equal(await within(answered, "an answer").finally(() => clearInterval(timer)), socket.id);
});

test("S258: what the server sends while connecting reaches the client", async () => {
  const socket = open("/abc");
  const [event, handshake] = await within(new Promise((resolve) => socket.onAny((...args) => resolve(args))), "an event");
  assert.deepEqual([event, handshake.query.EIO], ["handshake", "4"]);
});

test("S263: an event that was held back until the client came back is answered", async () => {
  const socket = open("/", { transports: ["polling"], reconnectionDelay: 10 });
  await connected(socket);
  // The client believes its ping timer to have run out, as after a throttled tab.
  const session = socket.io.engine.id;
  socket.io.engine._pingTimeoutTime = Date.now() - 1;
  assert.equal(await within(socket.emitWithAck("echo", "123"), "the answer"), "123");
  assert.notEqual(socket.io.engine.id, session);
});

test("S264: queued events are sent one after the other, each with a number of its own", async () => {
  const socket = open("/", { retries: 10, ackTimeout: 5000, transports: ["websocket"] });
  await connected(socket);
  const packets = sent(socket.io);
  const answers = [];
  for (const n of [1, 2, 3]) socket.emit("echo", n, (error, value) => answers.push([error, value]));
  await within(new Promise((resolve) => {
    const look = setInterval(() => answers.length === 3 && (clearInterval(look), resolve()), 5);
  }), "three answers");
  assert.deepEqual(answers, [[null, 1], [null, 2], [null, 3]]);
  assert.deepEqual(packets, ['20["echo",1]', '21["echo",2]', '22["echo",3]']);
});

test("S265: an event that is never acknowledged is sent four times; the server handles each", async () => {
  const socket = open("/", { retries: 3, ackTimeout: 50 });
  await connected(socket);
  const packets = sent(socket.io);
  const asked = counter(socket, "ack");
  const [error] = await within(new Promise((resolve) => socket.emit("ack", (...args) => resolve(args))), "the end");
  assert.match(error.message, /timed out/);
  await settled(open("/"));
  assert.deepEqual(packets.slice(0, 4), [0, 1, 2, 3].map((id) => `2${id}["ack"]`));
  assert.equal(asked.length, 4);
});

test("S266: what was queued while away is answered after connecting", async () => {
  const socket = open("/", { retries: 3, ackTimeout: 100, autoConnect: false });
  const answer = new Promise((resolve) => socket.emit("echo", 1, (error, value) => resolve([error, value])));
  await pause(100);
  socket.connect();
  assert.deepEqual(await within(answer, "the answer"), [null, 1]);
});

test("S267: after connecting and one answer nothing else comes for 100 ms", async () => {
  const socket = open("/", { retries: 3 });
  const packets = [];
  socket.io.engine.on("packet", ({ type, data }) => packets.push({ type, data, at: Date.now() }));
  socket.once("connect", () => socket.emit("echo", null));
  await within(new Promise((resolve) => socket.io.engine.on("packet", ({ data }) => data === "30[null]" && resolve())), "the answer");
  await pause(100);
  const early = packets.filter(({ at }) => at - packets[0].at < 100);
  assert.deepEqual(early.filter(({ type }) => type !== "open" && type !== "message"), []);
  assert.equal(packets.filter(({ type }) => type === "message").length, 2);
});
