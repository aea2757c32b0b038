// chat.test.mjs -- the chat's server without its page: the command line, the
// files it serves, and what it accepts from a client that is not the page.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { io } from "socket.io-client";
import { BUILD, collect, http, next, ROOT, startProgram, until } from "./harness.mjs";

const PROGRAM = resolve(ROOT, BUILD, "demo/chat");
const LINE = /^chat: http:\/\/localhost:(\d+)$/;
const PNG = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");

const chat = await startProgram(PROGRAM, ["0"], LINE);
const port = Number(chat.match[1]);
const descriptors = () => readdirSync(`/proc/${chat.pid}/fd`).length;
const atFirst = descriptors();
const clients = [];

// Somebody in the chat; `welcome` and `people` are what came with it.
async function enter(name, options = {}) {
  const client = io(`http://127.0.0.1:${port}`, {
    forceNew: true, reconnection: false, transports: ["websocket"], ...options, auth: { name, ...options.auth },
  });
  clients.push(client);
  client.people = collect(client, "people");
  const refused = next(client, "connect_error").then(([error]) => Promise.reject(error));
  refused.catch(() => {});
  const [own, room] = await Promise.race([next(client, "welcome"), refused]);
  await client.people.until(1);
  return Object.assign(client, { own, room });
}

function leaveAll() {
  for (const client of clients.splice(0)) client.disconnect();
}

const ask = (client, event, ...args) =>
  new Promise((done) => client.emit(event, ...args, (...answer) => done(answer)));

const run = (args, cwd = ROOT, program = PROGRAM) => spawnSync(program, args, { cwd, encoding: "utf8", timeout: 10000 });

// --------------------------------------------------------------- command line

test("chat: --help", () => {
  const { status, stdout, stderr } = run(["--help"]);
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /^usage: chat \[PORT\]\n/);
});

for (const args of [["abc"], ["-1"], ["65536"], ["80x"], [""], ["1", "2"]]) {
  test(`chat: ${JSON.stringify(args)} is no port: usage, status 2`, () => {
    const { status, stdout, stderr } = run(args);
    assert.deepEqual([status, stdout], [2, ""]);
    assert.match(stderr, /^usage: chat \[PORT\]\n/);
  });
}

test("chat: a port that is taken", () => {
  const { status, stdout, stderr } = run([String(port)]);
  assert.deepEqual([status, stdout], [1, ""]);
  assert.match(stderr, new RegExp(`^chat: cannot listen on :${port}: Address already in use\n$`));
});

test("chat: without page or client bundle it says what to do", () => {
  const folder = mkdtempSync(join(tmpdir(), "sio-chat-"));
  try {
    const copy = join(folder, "chat");
    copyFileSync(PROGRAM, copy);
    const bare = run(["0"], folder, copy);
    assert.equal(bare.status, 1);
    assert.match(bare.stderr, /demo\/chat\/public is not there/);
    mkdirSync(join(folder, "demo/chat/public"), { recursive: true });
    writeFileSync(join(folder, "demo/chat/public/index.html"), "");
    assert.match(run(["0"], folder, copy).stderr, /demo\/common\/public is not there/);
    mkdirSync(join(folder, "demo/common/public"), { recursive: true });
    writeFileSync(join(folder, "demo/common/public/base.css"), "");
    const unbundled = run(["0"], folder, copy);
    assert.equal(unbundled.status, 1);
    assert.match(unbundled.stderr, /run "make setup-demo" first/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

// ---------------------------------------------------------------------- files

for (const [path, type] of [["/", /^text\/html/], ["/index.html", /^text\/html/], ["/style.css", /^text\/css/],
  ["/chat.js", /javascript/], ["/socket.io/socket.io.esm.min.js", /javascript/], ["/socket.io/socket.io.js", /javascript/]]) {
  test(`chat: serves ${path}`, async () => {
    const { status, headers, body } = await http({ port }, { path });
    assert.equal(status, 200);
    assert.match(headers["content-type"], type);
    assert.ok(body.length > 100);
  });
}

for (const path of ["/chat.c", "/../chat.c", "/%2e%2e/chat.c", "/..%2fchat.c", "/nothing", "/socket.io/../chat.js", "//etc/passwd"]) {
  test(`chat: does not serve ${path}`, async () => {
    const { status, body } = await http({ port }, { path });
    assert.ok([400, 404].includes(status), `${status}`);
    assert.doesNotMatch(body, /include|root:/);
  });
}

// ---------------------------------------------------------------------- names

for (const [what, name] of [["no name", undefined], ["an empty name", ""], ["blanks", "   "], ["a number", 5],
  ["an object", { a: 1 }], ["a NUL", "a\0b"], ["a line break", "a\nb"], ["a C1 control character", "a\u0085b"],
  ["half a surrogate pair", "a\ud800"], ["73 bytes", "x".repeat(73)], ["a megabyte", "x".repeat(900_000)]]) {
  test(`chat: refuses ${what} for a name`, async () => {
    await assert.rejects(enter(name), /Please choose a name of 1 to 24 letters\./);
  });
}

test("chat: names are trimmed; taken ones get a number, whatever their case", async () => {
  const names = [];
  for (const name of ["  Ann ", "Ann", "ANN", "Ann 2", "José 😀"]) names.push((await enter(name)).own);
  assert.deepEqual(names, ["Ann", "Ann 2", "ANN 3", "Ann 2 2", "José 😀"]);
  leaveAll();
});

test("chat: the number fits into the longest name, between its characters", async () => {
  const name = "é".repeat(36); // 72 bytes
  assert.equal((await enter(name)).own, name);
  assert.equal((await enter(name)).own, `${"é".repeat(35)} 2`);
  leaveAll();
});

test("chat: a name is free again when its owner has left", async () => {
  const first = await enter("Ann");
  const witness = await enter("Bob");
  first.disconnect();
  await next(witness, "left");
  assert.equal((await enter("Ann")).own, "Ann");
  leaveAll();
});

// ----------------------------------------------------------- rooms and people

test("chat: one starts in the lobby, or in the room asked for", async () => {
  assert.equal((await enter("Ann")).room, "lobby");
  assert.equal((await enter("Bob", { auth: { room: "music" } })).room, "music");
  assert.equal((await enter("Cleo", { auth: { room: "books" } })).room, "books");
  for (const room of ["", "a\nb", "x".repeat(100), 7, null])
    assert.equal((await enter("Dan", { auth: { room } })).room, "lobby");
  leaveAll();
});

test("chat: joined, left, people and rooms are told", async () => {
  const ann = await enter("Ann");
  const rooms = collect(ann, "rooms");
  const joined = collect(ann, "joined");
  const left = collect(ann, "left");
  const bob = await enter("Bob");
  await joined.until(1);
  await ann.people.until(2);
  assert.deepEqual(ann.people.at(-1), ["Ann", "Bob"]);
  assert.deepEqual(await ask(bob, "enter", " Books "), [null, "Books"]);
  await left.until(1);
  await ann.people.until(3);
  assert.deepEqual(ann.people.at(-1), ["Ann"]);
  const books = () => rooms.at(-1)?.find(({ name }) => name === "Books");
  await until("the new room is listed", () => books()?.count === 1);
  assert.deepEqual(await ask(ann, "enter", "bOOKS"), [null, "Books"]);
  await until("both are in it", () => books()?.count === 2);
  bob.disconnect();
  await left.until(2);
  assert.deepEqual(await ask(ann, "enter", "lobby"), [null, "lobby"]);
  await until("it is gone again", () => !books());
  assert.deepEqual(rooms.at(-1).map(({ name }) => name), ["lobby", "music", "travel"]);
  assert.deepEqual([...joined], ["Bob"]);
  assert.deepEqual([...left], ["Bob", "Bob"]);
  leaveAll();
});

for (const room of ["", " ", "a\u0007", "x".repeat(73), 5, null, {}]) {
  test(`chat: ${JSON.stringify(room).slice(0, 20)} is no name of a room`, async () => {
    const client = await enter("Ann");
    assert.deepEqual(await ask(client, "enter", room), ["A room needs a name of 1 to 24 letters."]);
    leaveAll();
  });
}

test("chat: there are 50 rooms at most, and the last of a room closes it", async () => {
  const people = await Promise.all(Array.from({ length: 48 }, (_, i) => enter(`P${i}`)));
  for (let i = 0; i < 47; i++) assert.deepEqual(await ask(people[i], "enter", `room ${i}`), [null, `room ${i}`]);
  assert.deepEqual(await ask(people[47], "enter", "one more"), ["There are too many rooms already."]);
  assert.deepEqual(await ask(people[0], "enter", "lobby"), [null, "lobby"]);
  assert.deepEqual(await ask(people[47], "enter", "one more"), [null, "one more"]);
  leaveAll();
});

// ------------------------------------------------------------------- messages

test("chat: a message is acknowledged, passed on, and its receipts are counted", async () => {
  const [ann, bob, cleo] = [await enter("Ann"), await enter("Bob"), await enter("Cleo")];
  const seen = [];
  for (const reader of [bob, cleo])
    reader.on("message", (id, author, text, ack) => {
      seen.push([id, author, text]);
      ack();
    });
  const delivered = next(ann, "delivered");
  const [error, id] = await ask(ann, "message", "hello 😀\u2028");
  assert.equal(error, null);
  assert.deepEqual(await delivered, [id, 2]);
  assert.deepEqual(seen, [[id, "Ann", "hello 😀\u2028"], [id, "Ann", "hello 😀\u2028"]]);
  leaveAll();
});

test("chat: nobody else in the room: delivered to none, at once", async () => {
  const ann = await enter("Ann", { auth: { room: "music" } });
  const delivered = next(ann, "delivered");
  const [, id] = await ask(ann, "message", "hello?");
  assert.deepEqual(await delivered, [id, 0]);
  leaveAll();
});

test("chat: other rooms, and one named as somebody's id, hear nothing", async () => {
  const [ann, bob, eve] = [await enter("Ann"), await enter("Bob"), await enter("Eve")];
  const heard = collect(eve, "delivered");
  const messages = collect(eve, "message");
  bob.on("message", (...args) => args.at(-1)());
  assert.deepEqual(await ask(eve, "enter", ann.id), [null, ann.id]);
  const delivered = next(ann, "delivered");
  await ask(ann, "message", "for the lobby");
  await delivered;
  await ask(eve, "enter", ann.id); // what was sent before has come by now
  assert.deepEqual([heard.length, messages.length], [0, 0]);
  leaveAll();
});

for (const [what, text] of [["an empty text", ""], ["3,001 bytes", "x".repeat(3001)], ["a number", 5], ["nothing", null],
  ["an object", { toString: "x" }], ["binary", Buffer.from("x")]]) {
  test(`chat: ${what} is no message`, async () => {
    const client = await enter("Ann");
    assert.deepEqual(await ask(client, "message", text), ["A message has 1 to 1000 characters."]);
    leaveAll();
  });
}

test("chat: 3,000 bytes are a message", async () => {
  const client = await enter("Ann");
  assert.equal((await ask(client, "message", "é".repeat(1500)))[0], null);
  leaveAll();
});

test("chat: an image of a megabyte, byte for byte, over both transports", async () => {
  const ann = await enter("Ann", { transports: ["polling"] });
  const bob = await enter("Bob");
  const image = Buffer.concat([PNG, Buffer.alloc(1024 * 1024 - PNG.length, 0xa5)]);
  const came = next(bob, "image");
  assert.equal((await ask(ann, "image", image))[0], null);
  const [, author, bytes] = await came;
  assert.equal(author, "Ann");
  assert.ok(image.equals(bytes));
  assert.deepEqual(await ask(bob, "image", Buffer.concat([image, Buffer.from([1])])), ["An image may have 1 MiB at most."]);
  leaveAll();
});

for (const [what, bytes] of [["SVG", Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>")], ["empty", Buffer.alloc(0)],
  ["a cut signature", PNG.subarray(0, 7)], ["text", "\u0089PNG"], ["RIFF that is not WebP", Buffer.from("RIFF1234WAVEfmt ")]]) {
  test(`chat: ${what} is no image`, async () => {
    const client = await enter("Ann");
    assert.deepEqual(await ask(client, "image", bytes), ["That is no PNG, JPEG, GIF or WebP image."]);
    leaveAll();
  });
}

test("chat: typing is passed on, and only true and false", async () => {
  const [ann, bob] = [await enter("Ann"), await enter("Bob")];
  const typing = collect(bob, "typing");
  for (const value of ["yes", 1, null, {}, true]) ann.emit("typing", value);
  await typing.until(1);
  assert.deepEqual([...typing], [["Ann", true]]);
  leaveAll();
});

test("chat: exactly one line was printed, and it ends with status 0", async () => {
  leaveAll();
  await until("every connection is closed", () => descriptors() <= atFirst, 10000);
  await chat.stop();
  assert.equal(chat.stdout, "");
});
