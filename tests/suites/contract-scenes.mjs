// contract-scenes.mjs -- the role contract, event by event: scenes for any client
// of contract-clients.mjs, at one server or with the clients spread over several
// of a cluster.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { ask, collect, next } from "./contract-clients.mjs";
import { within } from "./support.mjs";

const sorted = (...list) => list.sort();
const bytes = (value) => Buffer.from(value instanceof ArrayBuffer ? new Uint8Array(value) : value);

// Until all have got, or done, what this one has sent so far: what it says last
// comes last, on other servers, too.
let fences = 0;

async function fence(sender, sockets) {
  const last = `fence ${++fences}`;
  const seen = sockets.map((socket) => next(socket, last));
  sender.emit("all", last);
  await Promise.all(seen);
}

// Of what each server has of its own: the answers of all of them.
const everywhere = (v, sockets, event) => Promise.all(v.oneOfEach(sockets).map(async (socket) => (await ask(socket, event))[0]));

// Three sockets, the first two in the room `pair`, the second also in `trio`: of
// this scene alone, as Node's package for Redis does not hear what a room is sent
// that is joined again while its subscription is being ended.
async function three(v) {
  const all = await Promise.all([v.connect(), v.connect(), v.connect()]);
  const [a, b] = all, pair = `pair ${a.id}`, trio = `trio ${a.id}`;
  await ask(a, "join", pair);
  await ask(b, "join", [pair, trio]);
  await v.heard("/", pair, a, b);
  await v.heard("/", trio, b);
  return { all, pair, trio };
}

// Which of them get "news" after `send` was done.
async function reached(sockets, sender, send, ...args) {
  const lists = sockets.map((socket) => collect(socket, "news"));
  sender.emit(send, ...args);
  await fence(sender, sockets);
  for (const socket of sockets) socket.off("news");
  return lists.map((list, i) => String(i).repeat(list.length)).join("");
}

async function reasonFor(v, leave) {
  const watcher = await v.connect("/watch");
  const gone = collect(watcher, "gone");
  const socket = await v.connect();
  const { id } = socket;
  await within(socket.welcome, "welcome"); // or else it might meet a closing connection
  leave(socket);
  for (let n = 1; ; n++) {
    await gone.until(n);
    if (gone[n - 1][0] === id) return gone[n - 1][1];
  }
}

// Asks until it is so: what one client did is seen by others a little later.
async function eventually(is) {
  for (let round = 0; !(await is()); round++) assert.ok(round < 500, `not after ${round} questions`);
}

export const SCENES = {
  async welcome(v) {
    const socket = await v.connect();
    assert.deepEqual(await within(socket.welcome, "welcome"), [{ id: socket.id, recovered: false }]);
  },

  async "echo, ack"(v) {
    const socket = await v.connect();
    const args = [1, "é😀", { a: [null, true] }, [], -1.5];
    const [back, acked] = [next(socket, "echo"), ask(socket, "ack", ...args)];
    socket.emit("echo", ...args);
    assert.deepEqual(await back, args);
    assert.deepEqual(await acked, args);
    socket.emit("echo", Buffer.from([1]), { b: [Buffer.from([2, 3])] });
    const [first, { b }] = await next(socket, "echo");
    assert.deepEqual([bytes(first), bytes(b[0])], [Buffer.from([1]), Buffer.from([2, 3])]);
    assert.deepEqual((await ask(socket, "ack", Buffer.from([9]))).map(bytes), [Buffer.from([9])]);
    assert.deepEqual(await ask(socket, "ack"), []);
  },

  async "ack-never, ack-late"(v) {
    const socket = await v.connect();
    const order = [];
    socket.emit("ack-never", () => order.push("never"));
    socket.emit("ack-late", 150, "late", (x) => order.push(x));
    socket.emit("ack-late", 0, { b: Buffer.from("early") }, (x) => order.push(bytes(x.b).toString()));
    await ask(socket, "ack-late", 200, "last");
    assert.deepEqual(order, ["early", "late"]);
  },

  async ask(v) {
    const socket = await v.connect();
    const questions = collect(socket, "question");
    socket.once("question", (a, b, answer) => answer([a, b], "ignored"));
    socket.emit("ask", 3000, 1, "two");
    assert.deepEqual(await next(socket, "ask-result"), [{ ok: true, answer: [1, "two"] }]);
    socket.once("question", (answer) => answer({ deep: Buffer.from([7]) }));
    socket.emit("ask", 3000);
    const [{ ok, answer }] = await next(socket, "ask-result");
    assert.deepEqual([ok, bytes(answer.deep)], [true, Buffer.from([7])]);
    socket.emit("ask", 50);
    assert.deepEqual(await next(socket, "ask-result"), [{ ok: false, error: "operation has timed out" }]);
    assert.equal(questions.length, 3);
  },

  async "join, leave, rooms"(v) {
    const socket = await v.connect();
    const { id } = socket;
    assert.deepEqual(await ask(socket, "rooms"), [[id]]);
    assert.deepEqual(await ask(socket, "join", "b"), [sorted("b", id)]);
    assert.deepEqual(await ask(socket, "join", ["c", "a"]), [sorted("a", "b", "c", id)]);
    assert.deepEqual(await ask(socket, "leave", "b"), [sorted("a", "c", id)]);
    assert.deepEqual(await ask(socket, "leave", "nowhere"), [sorted("a", "c", id)]);
  },

  async "to, in, except, broadcast, all"(v) {
    const { all, pair, trio } = await three(v);
    const [a, b, c] = all;
    assert.equal(await reached(all, a, "to", pair, "news", 1), "1");
    assert.equal(await reached(all, b, "to", [pair, trio], "news", 1), "0");
    assert.equal(await reached(all, a, "in", pair, "news", 1), "01");
    assert.equal(await reached(all, c, "in", [pair, trio, c.id], "news", 1), "012");
    assert.equal(await reached(all, a, "except", pair, "news", 1), "2");
    assert.equal(await reached(all, c, "except", [trio, c.id], "news", 1), "0");
    assert.equal(await reached(all, b, "broadcast", "news", 1), "02");
    assert.equal(await reached(all, b, "all", "news", 1), "012");
    assert.equal(await reached(all, b, "to", 5, "news", 1), "");
    assert.equal(await reached(all, b, "all", 5), "");
    const got = next(c, "news");
    a.emit("broadcast", "news", { b: Buffer.from([4]) }, "t");
    await fence(a, all); // nor shall it come to those of the next scene
    const [{ b: binary }, text] = await got;
    assert.deepEqual([bytes(binary), text], [Buffer.from([4]), "t"]);
  },

  // It is dropped while a client is busy: tried until it comes through.
  async "all-volatile"(v) {
    const [a, b] = (await three(v)).all;
    const got = Promise.all([next(a, "news"), next(b, "news")]);
    const timer = setInterval(() => a.emit("all-volatile", "news", 7), 30);
    assert.deepEqual(await got.finally(() => clearInterval(timer)), [[7], [7]]);
    await fence(a, [a, b]);
  },

  async "ask-room"(v) {
    const { all: [a, b, c], pair } = await three(v);
    a.on("question", (x, answer) => answer(`${x} b`));
    b.on("question", (x, answer) => answer(`${x} a`));
    assert.deepEqual(await ask(c, "ask-room", pair, 3000, "question", "q"), [{ late: false, answers: ["q a", "q b"] }]);
    a.off("question");
    assert.deepEqual(await ask(c, "ask-room", pair, 80, "question", "q"), [{ late: true, answers: ["q a"] }]);
    assert.deepEqual(await ask(c, "ask-room", "nobody", 3000, "question", 1), [{ late: false, answers: [] }]);
  },

  async "members, move"(v) {
    const { all: [a, b, c] } = await three(v);
    const [from, to] = [`from ${c.id}`, `to ${c.id}`];
    await Promise.all([a, b].map((socket) => ask(socket, "join", from)));
    assert.deepEqual(await ask(c, "members", from), [sorted(a.id, b.id)]);
    assert.deepEqual(await ask(c, "members", a.id), [[a.id]]);
    assert.deepEqual(await ask(c, "move", from, to), []);
    await fence(c, [a, b, c]);
    assert.deepEqual(await ask(c, "members", from), [[]]);
    assert.deepEqual(await ask(c, "members", to), [sorted(a.id, b.id)]);
  },

  async "kick-room"(v) {
    const { all: [a, b, c], pair } = await three(v);
    const other = await v.also(a, "/watch");
    const both = Promise.all([next(a, "disconnect"), next(b, "disconnect")]);
    c.emit("kick-room", pair, false);
    assert.deepEqual((await both).map(([reason]) => reason), ["io server disconnect", "io server disconnect"]);
    assert.deepEqual(await ask(other, "ack", 1), [1]);
    const d = await v.connect();
    await ask(d, "join", pair);
    const ended = next(d.io.engine, "close");
    c.emit("kick-room", pair, true);
    await ended;
  },

  async burst(v) {
    const socket = await v.connect();
    const got = collect(socket, "burst");
    socket.emit("burst", 200, 1000);
    assert.deepEqual(await next(socket, "burst-done"), [200]);
    assert.deepEqual(got.map(([i]) => i), [...Array(200).keys()]);
    assert.ok(got.every(([, text]) => text === "x".repeat(1000)));
  },

  async "volatile-burst"(v) {
    const socket = await v.connect();
    const got = collect(socket, "burst");
    socket.emit("volatile-burst", 50, 10);
    assert.deepEqual(await next(socket, "burst-done"), [50]);
    assert.ok(got.length < 50, `${got.length} came: none was dropped`);
    assert.ok(got.every(([i], at) => at === 0 || i > got[at - 1][0]), "in order");
  },

  async binary(v) {
    const socket = await v.connect();
    socket.emit("binary", 3, 1000);
    const [{ list, last }] = await next(socket, "binary");
    assert.deepEqual([list.map(bytes), last], [[0, 1, 2].map((i) => Buffer.alloc(1000, i)), 3]);
    socket.emit("binary", 0, 0);
    assert.deepEqual(await next(socket, "binary"), [{ list: [], last: 0 }]);
  },

  async kinds(v) {
    const socket = await v.connect();
    socket.emit("kinds");
    assert.deepEqual(await next(socket, "kinds"), [null, true, false, 0, -1.5, 9007199254740991, "",
      "é€😀\u0000\u2028\"\\", [], {}, [[1], { a: [null] }]]);
  },

  async "whoami, remember"(v) {
    const plain = await v.connect();
    const [anyone] = await ask(plain, "whoami");
    assert.deepEqual([anyone.header, anyone.data], [null, {}]);
    if (!v.v2) assert.deepEqual(anyone.auth, {});

    const socket = await v.connect("/", {
      query: { key: "a=&b", x: "1 2" },
      extraHeaders: { "X-Test": "tested" },
      ...(v.v2 ? {} : { auth: { name: "é" } }),
    });
    assert.deepEqual(await ask(socket, "remember", "k", { v: [1] }), []);
    assert.deepEqual(await ask(socket, "remember", "k2", "first"), []);
    assert.deepEqual(await ask(socket, "remember", "k2", null), []);
    const [{ id, transport, protocol, auth, query, header, secure, recovered, data }] = await ask(socket, "whoami");
    assert.deepEqual([id, transport, protocol, header, secure, recovered, data],
      [socket.id, v.transports.at(-1), v.client.protocol, "tested", false, false, { k: { v: [1] }, k2: null }]);
    assert.deepEqual([query.key, query.x, query.EIO], ["a=&b", "1 2", String(v.client.protocol)]);
    if (!v.v2) assert.deepEqual(auth, { name: "é" });
  },

  async drop(v) {
    const socket = await v.connect("/", { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 20 });
    const { id } = socket;
    const left = next(socket, "disconnect");
    socket.emit("drop");
    assert.equal((await left)[0], "transport close");
    await next(socket, "connect");
    assert.notEqual(socket.id, id);
    assert.deepEqual(await ask(socket, "ack", 1), [1]);
  },

  async "/room-N, namespaces"(v) {
    const socket = await v.connect();
    const other = await v.connect();
    const names = async () => [...new Set((await everywhere(v, [socket, other], "namespaces")).flat())].sort();
    assert.deepEqual(await names(), ["/", "/admin", "/watch"]);
    const here = await v.also(socket, "/room-7");
    const there = await v.also(other, "/room-7");
    await v.also(other, "/room-81");
    assert.deepEqual(await names(), ["/", "/admin", "/room-7", "/room-81", "/watch"]);
    const count = async (...sockets) => (await everywhere(v, sockets, "count")).reduce((sum, n) => sum + n);
    assert.equal(await count(here, there), 2);
    await v.heard("/room-7", null, here, there);
    const [said, heard] = [next(here, "said"), next(there, "said")];
    there.emit("say", 1, { a: [null] });
    assert.deepEqual(await said, ["/room-7", 1, { a: [null] }]);
    assert.deepEqual(await heard, ["/room-7", 1, { a: [null] }]);
    assert.deepEqual(await ask(here, "ack", "x"), ["x"]);
    there.disconnect();
    await eventually(async () => (await count(here)) === 1);
    here.disconnect();
    await eventually(async () => !(await names()).includes("/room-7"));
  },

  async bye(v) {
    const socket = await v.connect();
    const watch = await v.also(socket, "/watch");
    const left = next(socket, "disconnect");
    socket.emit("bye", false);
    assert.equal((await left)[0], "io server disconnect");
    assert.deepEqual(await ask(watch, "ack", 1), [1]);
    const [gone, ended] = [next(watch, "disconnect"), next(watch.io.engine, "close")];
    watch.emit("bye", true);
    assert.equal((await gone)[0], "io server disconnect");
    await ended;
  },

  async gone(v) {
    assert.match(await reasonFor(v, (socket) => socket.disconnect()), /^(client namespace disconnect|transport close)$/);
    assert.equal(await reasonFor(v, (socket) => socket.io.engine.close()), "transport close");
    assert.equal(await reasonFor(v, (socket) => socket.emit("bye", false)), "server namespace disconnect");
    assert.equal(await reasonFor(v, (socket) => socket.emit("bye", true)), "server namespace disconnect");
    assert.equal(await reasonFor(v, (socket) => socket.emit("drop")), "forced close");
    assert.equal(await reasonFor(v, (socket) => socket.io.engine.write("9")), "forced close");
  },

  async "/watch, /admin"(v) {
    const watch = await v.connect("/watch");
    watch.emit("echo", 1);
    assert.deepEqual(await next(watch, "echo"), [1]);

    const denied = v.make("/admin", { auth: { token: "guess" } });
    const why = await v.refusal(denied);
    const data = { code: "E_AUTH", retry: false };
    assert.deepEqual(why, v.v2 ? data : { message: "not authorized", data });

    const admin = v.make("/admin", { auth: { token: "secret" } });
    const hello = next(admin, "hello");
    await next(admin, "connect");
    // The client of Socket.IO 1 takes its session's id for its own everywhere.
    const [{ id }] = await hello;
    assert.equal(id, v.v1 ? `/admin#${admin.id}` : admin.id);
    assert.deepEqual(await ask(admin, "ack", "a"), ["a"]);
    admin.emit("echo", 2);
    assert.deepEqual(await next(admin, "echo"), [2]);
    admin.emit("bye", false);
    assert.equal((await next(admin, "disconnect"))[0], "io server disconnect");
  },

  async "what is refused"(v) {
    const why = await v.refusal(v.make("/", { query: { fail: "1" } }));
    assert.deepEqual(why, v.v2 ? { why: "query" } : { message: "refused", data: { why: "query" } });
    const nowhere = await v.refusal(v.make("/nowhere"));
    assert.equal(nowhere.message ?? nowhere, "Invalid namespace");
    await next(v.make("/", { query: { deny: "1" } }), "connect_error");
  },

  async "wrong arguments are ignored"(v) {
    const socket = await v.connect();
    const got = [];
    const answered = () => got.push("answered");
    socket.emit("join", 5, answered);
    socket.emit("leave", {}, answered);
    socket.emit("members", null, answered);
    socket.emit("move", "a", answered);
    socket.emit("remember", 1, 2, answered);
    socket.emit("ask-room", "a", "soon", "question", 1, answered);
    for (const event of ["burst", "burst-done", "binary", "ask-result", "question"]) socket.on(event, () => got.push(event));
    socket.emit("burst", "many", 1);
    socket.emit("binary", -1, 1);
    socket.emit("ask", "soon");
    socket.emit("ack-late", "soon", 1, answered);
    socket.emit("kick-room", 7);
    socket.emit("bye", "please");
    await ask(socket, "ack-late", 100, 1);
    assert.deepEqual(got, []);
  },
};
