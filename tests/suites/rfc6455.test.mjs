// rfc6455.test.mjs -- RFC 6455 and RFC 7692 case by case against the role
// ws-echo, by a client of its own: sockets, frames and masks by hand, zlib for
// the compressed ones. The numbers are those by which suites of WebSocket cases
// are commonly ordered: 1 framing, 2 pings and pongs, 3 reserved bits, 4 reserved
// opcodes, 5 fragments, 6 UTF-8, 7 closing, 9 sizes, 10 the rest, 12 and 13
// permessage-deflate.
//
// A case says what is written and every frame that must come back, up to the
// end of the stream. A case that fails nothing ends with a close frame of ours,
// which is echoed.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import crypto from "node:crypto";
import net from "node:net";
import test from "node:test";
import zlib from "node:zlib";
import { conformance, within } from "./support.mjs";

const server = await conformance("ws-echo");
test.after(() => server.stop());

// ---------------------------------------------------------------- the client

const CONT = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;
const FIN = 0x80, RSV1 = 0x40;
const NAMES = { [TEXT]: "text", [BINARY]: "binary", [CLOSE]: "close", [PING]: "ping", [PONG]: "pong" };
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const bytes = (data) => (Buffer.isBuffer(data) ? data : Buffer.from(data ?? ""));
const hex = (text) => Buffer.from(text.replaceAll(" ", ""), "hex");

let masks = 0x9e3779b9;

// In place, eight bytes at a time.
function mask(data, key) {
  const word = key.readUInt32LE(0);
  const wide = BigInt(word) | (BigInt(word) << 32n);
  const n = data.length & ~7;
  const words = new BigUint64Array(data.buffer, data.byteOffset, n / 8);
  for (let i = 0; i < words.length; i++) words[i] ^= wide;
  for (let i = n; i < data.length; i++) data[i] ^= key[i & 3];
}

// One masked frame; `first` is its first byte but for the opcode.
function frame(op, data, first = FIN) {
  const payload = bytes(data);
  const n = payload.length;
  const size = n < 126 ? 2 : n < 65536 ? 4 : 10;
  // the payload lies at a multiple of eight, for mask()
  const all = Buffer.from(new ArrayBuffer(16 + n), 16 - size - 4);
  all[0] = first | op;
  all[1] = 0x80 | (n < 126 ? n : n < 65536 ? 126 : 127);
  if (size === 4) all.writeUInt16BE(n, 2);
  if (size === 10) all.writeBigUInt64BE(BigInt(n), 2);
  masks = (Math.imul(masks, 1664525) + 1013904223) >>> 0;
  all.writeUInt32LE(masks, size);
  payload.copy(all, size + 4);
  mask(all.subarray(size + 4), all.subarray(size, size + 4));
  return all;
}

function closing(code, reason = "") {
  const body = Buffer.alloc(2);
  body.writeUInt16BE(code);
  return frame(CLOSE, Buffer.concat([body, bytes(reason)]));
}

// A message in fragments of `size` bytes.
function fragments(op, data, size, first = 0) {
  const all = bytes(data);
  const frames = [];
  for (let at = 0; at === 0 || at < all.length; at += size) {
    const last = at + size >= all.length;
    frames.push(frame(at ? CONT : op, all.subarray(at, at + size), (last ? FIN : 0) | (at ? 0 : first)));
  }
  return frames;
}

function* chop(data, size) {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

class Peer {
  static async open(offer) {
    const peer = new Peer();
    const key = crypto.randomBytes(16).toString("base64");
    peer.input = [];
    peer.have = 0;
    peer.socket = net.connect(server.port, "127.0.0.1");
    peer.socket.setNoDelay(true);
    peer.wake = () => {};
    peer.socket.on("data", (data) => {
      peer.input.push(data);
      peer.have += data.length;
      peer.wake();
    });
    const over = (how) => () => {
      peer.over ??= how;
      peer.wake();
    };
    peer.socket.on("end", over("end"));
    peer.socket.on("error", over("error"));
    peer.socket.on("close", over("close"));
    peer.socket.write(
      `GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n` +
        `${offer ? `Sec-WebSocket-Extensions: ${offer}\r\n` : ""}\r\n`,
    );
    const head = (await peer.head()).split("\r\n");
    assert.equal(head[0], "HTTP/1.1 101 Switching Protocols");
    const fields = new Map(head.slice(1, -2).map((line) => {
      const colon = line.indexOf(": ");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)];
    }));
    const accept = crypto.createHash("sha1").update(key + GUID).digest("base64");
    assert.equal(fields.get("sec-websocket-accept"), accept);
    assert.equal(fields.get("upgrade"), "websocket");
    peer.extension = fields.get("sec-websocket-extensions");
    return peer;
  }

  async more() {
    if (this.over) return false;
    await within(new Promise((resolve) => (this.wake = resolve)), "the server");
    return true;
  }

  // Up to n bytes more, taken from the front; null when the stream ends before.
  async take(n) {
    while (this.have < n) if (!(await this.more()) && this.have < n) return null;
    const first = this.input[0];
    if (n && first.length > n) {
      this.have -= n;
      this.input[0] = first.subarray(n);
      return first.subarray(0, n);
    }
    const all = this.input.length === 1 ? first : Buffer.concat(this.input);
    this.input = all && all.length > n ? [all.subarray(n)] : [];
    this.have -= n;
    return all ? all.subarray(0, n) : Buffer.alloc(0);
  }

  async head() {
    let text = "";
    while (!text.endsWith("\r\n\r\n")) {
      const byte = await this.take(1);
      assert.ok(byte, `the stream ends behind ${text}`);
      text += byte.toString("latin1");
    }
    return text;
  }

  // The next frame, or null at the end of the stream. What a server must never
  // send is refused here: masks, fragments, lengths that are not the shortest.
  async frame() {
    const start = await this.take(2);
    if (!start) {
      assert.equal(this.have, 0, "half a frame at the end of the stream");
      return null;
    }
    const op = start[0] & 15;
    let n = start[1] & 127;
    assert.ok(start[0] & FIN, "a fragment");
    assert.equal(start[1] & 128, 0, "a mask");
    assert.ok(op in NAMES, `opcode ${op}`);
    if (n === 126) {
      n = (await this.take(2)).readUInt16BE();
      assert.ok(n > 125, "length not in its shortest form");
    } else if (n === 127) {
      n = Number((await this.take(8)).readBigUInt64BE());
      assert.ok(n > 65535, "length not in its shortest form");
    }
    return { op, compressed: (start[0] & RSV1) !== 0, rsv: start[0] & 0x70, data: await this.take(n) };
  }

  write(...pieces) {
    for (const piece of pieces.flat()) if (!this.over) this.socket.write(piece);
  }

  // Each in a segment of its own, as far as the kernel lets us.
  async pieces(pieces) {
    for (const piece of pieces) {
      if (this.over) return;
      await new Promise((resolve) => this.socket.write(piece, resolve));
    }
  }

  // All that comes until the end of the stream, which has to come in order.
  async rest() {
    const got = [];
    for (let f; (f = await this.frame()); ) {
      assert.equal(f.rsv, 0, "a reserved bit");
      got.push(f);
    }
    assert.equal(this.over, "end");
    this.socket.end();
    return got;
  }

  drop() {
    this.socket.destroy();
  }
}

// What a frame says, short enough to be read in a failure.
function spell({ op, data }) {
  if (op === CLOSE) {
    return data.length < 2 ? "close" : `close ${data.readUInt16BE()} ${data.subarray(2)}`.trim();
  }
  if (data.length <= 80) return `${NAMES[op]} ${op === TEXT ? data : data.toString("hex")}`.trim();
  return `${NAMES[op]} ${data.length} ${crypto.createHash("sha1").update(data).digest("hex")}`;
}

const says = (op, data) => spell({ op, data: bytes(data) });
const BYE = closing(1000);
const DONE = "close 1000";
const FAILED = "close 1002";
const BAD_TEXT = "close 1007";

// One case: what is written, in pieces of `size` bytes if that is given, and
// what comes back, in order.
function run(name, write, want, size) {
  test(name, async () => {
    const peer = await Peer.open();
    try {
      const all = [write].flat(3);
      if (size) await peer.pieces(chop(Buffer.concat(all), size));
      else peer.write(all);
      assert.deepEqual((await peer.rest()).map(spell), want);
    } finally {
      peer.drop();
    }
  });
}

// The same written at once, frame by frame, and byte by byte; named by three
// numbers that follow each other.
function three(numbers, what, write, want) {
  const all = [write].flat(3);
  run(`rfc6455 ${numbers[0]} ${what}`, all, want);
  test(`rfc6455 ${numbers[1]} ${what}, frame by frame`, async () => {
    const peer = await Peer.open();
    try {
      await peer.pieces(all);
      assert.deepEqual((await peer.rest()).map(spell), want);
    } finally {
      peer.drop();
    }
  });
  run(`rfc6455 ${numbers[2]} ${what}, byte by byte`, all, want, 1);
}

// ----------------------------------------------------------------- 1 framing

for (const [group, op] of [[1, TEXT], [2, BINARY]]) {
  [0, 125, 126, 127, 128, 65535, 65536, 65536].forEach((n, i) => {
    const data = Buffer.alloc(n, op === TEXT ? "*" : 0xfe);
    const cut = i === 7 ? 997 : 0;
    run(
      `rfc6455 1.${group}.${i + 1} ${NAMES[op]} of ${n} bytes${cut ? " in pieces of 997" : ""}`,
      [frame(op, data), BYE],
      [says(op, data), DONE],
      cut,
    );
  });
}

// ------------------------------------------------------------ 2 ping and pong

const odd = hex("00 ff fe fd fc fb 00 ff");
const longest = Buffer.alloc(125, 0xfe);
const ten = Array.from({ length: 10 }, (_, i) => `payload ${i}`);

run("rfc6455 2.1 a ping with nothing in it", [frame(PING), BYE], ["pong", DONE]);
run("rfc6455 2.2 a ping with text", [frame(PING, "Hello"), BYE], [says(PONG, "Hello"), DONE]);
run("rfc6455 2.3 a ping with bytes that are no text", [frame(PING, odd), BYE], [says(PONG, odd), DONE]);
run("rfc6455 2.4 a ping of 125 bytes", [frame(PING, longest), BYE], [says(PONG, longest), DONE]);
run("rfc6455 2.5 a ping of 126 bytes", [frame(PING, Buffer.alloc(126, 0xfe)), BYE], [FAILED]);
run("rfc6455 2.6 a ping of 125 bytes, byte by byte", [frame(PING, longest), BYE], [says(PONG, longest), DONE], 1);
run("rfc6455 2.7 a pong that nobody asked for", [frame(PONG), BYE], [DONE]);
run("rfc6455 2.8 a pong that nobody asked for, with text", [frame(PONG, "unsolicited"), BYE], [DONE]);
run(
  "rfc6455 2.9 a pong that nobody asked for, then a ping",
  [frame(PONG, "unsolicited"), frame(PING, "ping"), BYE],
  [says(PONG, "ping"), DONE],
);
run(
  "rfc6455 2.10 ten pings",
  [ten.map((text) => frame(PING, text)), BYE],
  [...ten.map((text) => says(PONG, text)), DONE],
);
run(
  "rfc6455 2.11 ten pings, byte by byte",
  [ten.map((text) => frame(PING, text)), BYE],
  [...ten.map((text) => says(PONG, text)), DONE],
  1,
);
run(
  "rfc6455 2.12 a ping behind a large message is answered, too",
  [frame(BINARY, Buffer.alloc(4 << 20)), frame(PING, "late"), BYE],
  [says(BINARY, Buffer.alloc(4 << 20)), says(PONG, "late"), DONE],
);

// ------------------------------------------------------------ 3 reserved bits

const hello = frame(TEXT, "Hello");
const ping = frame(PING);

run("rfc6455 3.1 RSV 1", [frame(TEXT, "x", FIN | 0x10), BYE], [FAILED]);
run("rfc6455 3.2 RSV 2 between a text and a ping", [hello, frame(TEXT, "Hello", FIN | 0x20), ping], [
  "text Hello",
  FAILED,
]);
run("rfc6455 3.3 RSV 3", [hello, frame(TEXT, "Hello", FIN | 0x30), ping], ["text Hello", FAILED]);
run("rfc6455 3.4 RSV 4, byte by byte", [hello, frame(TEXT, "Hello", FIN | 0x40), ping], ["text Hello", FAILED], 1);
run("rfc6455 3.5 RSV 5 on binary", [frame(BINARY, odd, FIN | 0x50), BYE], [FAILED]);
run("rfc6455 3.6 RSV 6 on a ping", [frame(PING, "x", FIN | 0x60), BYE], [FAILED]);
run("rfc6455 3.7 RSV 7 on a close", [frame(CLOSE, hex("03e8"), FIN | 0x70)], [FAILED]);

// --------------------------------------------------------- 4 reserved opcodes

[[3, 4, 5, 6, 7], [11, 12, 13, 14, 15]].forEach((ops, group) => {
  ops.forEach((op, i) => {
    const bad = frame(op, i % 2 || i === 4 ? "reserved opcode payload" : "");
    const number = `4.${group + 1}.${i + 1}`;
    if (i < 2) run(`rfc6455 ${number} opcode ${op}`, [bad, BYE], [FAILED]);
    else {
      run(
        `rfc6455 ${number} opcode ${op} between a text and a ping`,
        [hello, bad, ping],
        ["text Hello", FAILED],
        i === 4 ? 1 : 0,
      );
    }
  });
});

// ---------------------------------------------------------------- 5 fragments

const part = (op, text, last) => frame(op, text, last ? FIN : 0);

run("rfc6455 5.1 a ping in two fragments", [part(PING, "frag"), part(CONT, "ment", true), BYE], [FAILED]);
run("rfc6455 5.2 a pong in two fragments", [part(PONG, "frag"), part(CONT, "ment", true), BYE], [FAILED]);
three(
  ["5.3", "5.4", "5.5"],
  "a text in two fragments",
  [part(TEXT, "fragment1"), part(CONT, "fragment2", true), BYE],
  ["text fragment1fragment2", DONE],
);
three(
  ["5.6", "5.7", "5.8"],
  "a ping between two fragments",
  [part(TEXT, "fragment1"), frame(PING, "ping"), part(CONT, "fragment2", true), BYE],
  [says(PONG, "ping"), "text fragment1fragment2", DONE],
);
three(["5.9", "5.10", "5.11"], "a last fragment of nothing, then a text", [part(CONT, "x", true), hello], [FAILED]);
three(["5.12", "5.13", "5.14"], "a fragment of nothing, then a text", [part(CONT, "x"), hello], [FAILED]);
run(
  "rfc6455 5.15 a fragment of nothing behind a whole message",
  [part(TEXT, "fragment1"), part(CONT, "fragment2", true), part(CONT, "fragment3"), hello],
  ["text fragment1fragment2", FAILED],
);
for (const [number, last] of [["5.16", false], ["5.17", true]]) {
  run(
    `rfc6455 ${number} twice: a ${last ? "last " : ""}fragment of nothing, a text in two`,
    Array.from({ length: 2 }, () => [part(CONT, "1", last), part(TEXT, "2"), part(CONT, "3", true)]),
    [FAILED],
  );
}
run("rfc6455 5.18 both fragments say text", [part(TEXT, "1"), part(TEXT, "2", true)], [FAILED]);
{
  const five = [1, 2, 3, 4, 5].map((i) => part(i > 1 ? CONT : TEXT, `fragment${i}`, i === 5));
  const pings = [1, 2].map((i) => frame(PING, `ping${i}`));
  const all = [five[0], five[1], pings[0], five[2], five[3], pings[1], five[4], BYE];
  const want = [
    says(PONG, "ping1"),
    says(PONG, "ping2"),
    says(TEXT, "fragment1fragment2fragment3fragment4fragment5"),
    DONE,
  ];
  run("rfc6455 5.20 five fragments with two pings between, at once", all, want);
  test("rfc6455 5.19 five fragments with two pings between, each pong awaited", async () => {
    const peer = await Peer.open();
    try {
      peer.write(all.slice(0, 3));
      assert.equal(spell(await peer.frame()), want[0]);
      peer.write(all.slice(3, 6));
      assert.equal(spell(await peer.frame()), want[1]);
      peer.write(all.slice(6));
      assert.deepEqual((await peer.rest()).map(spell), want.slice(2));
    } finally {
      peer.drop();
    }
  });
}

// -------------------------------------------------------------------- 6 UTF-8

const KOSME = hex("ce ba e1 bd b9 cf 83 ce bc ce b5");
const LONG = bytes("Hello-µ@ßöäüàá-UTF-8!!");

run("rfc6455 6.1.1 an empty text", [frame(TEXT), BYE], ["text", DONE]);
run("rfc6455 6.1.2 three empty fragments", [part(TEXT), part(CONT), part(CONT, "", true), BYE], ["text", DONE]);
run(
  "rfc6455 6.1.3 three fragments, the second not empty",
  [part(TEXT), part(CONT, "middle"), part(CONT, "", true), BYE],
  ["text middle", DONE],
);
run("rfc6455 6.2.1 a valid text", [frame(TEXT, LONG), BYE], [says(TEXT, LONG), DONE]);
run(
  "rfc6455 6.2.2 a valid text cut between characters",
  [part(TEXT, LONG.subarray(0, 12)), part(CONT, LONG.subarray(12), true), BYE],
  [says(TEXT, LONG), DONE],
);
run("rfc6455 6.2.3 a valid text in fragments of a byte", [fragments(TEXT, LONG, 1), BYE], [says(TEXT, LONG), DONE]);
run("rfc6455 6.2.4 κόσμε in fragments of a byte", [fragments(TEXT, KOSME, 1), BYE], [says(TEXT, KOSME), DONE]);

const broken = Buffer.concat([KOSME, hex("ed a0 80"), bytes("edited")]);
run("rfc6455 6.3.1 an invalid text", [frame(TEXT, broken), BYE], [BAD_TEXT]);
run("rfc6455 6.3.2 an invalid text in fragments of a byte", [fragments(TEXT, broken, 1), BYE], [BAD_TEXT]);

// The rest of the message is never written: the server must not wait for it.
function early(name, pieces) {
  test(name, async () => {
    const peer = await Peer.open();
    try {
      await peer.pieces(pieces);
      assert.deepEqual((await peer.rest()).map(spell), [BAD_TEXT]);
    } finally {
      peer.drop();
    }
  });
}
{
  const bad = hex("f4 90 80 80");
  const whole = frame(TEXT, Buffer.concat([KOSME, bad, bytes("edited")]));
  early("rfc6455 6.4.1 failed by the fragment that is invalid", [part(TEXT, KOSME), part(CONT, bad)]);
  early("rfc6455 6.4.2 failed by the byte that is invalid, a fragment of its own", [
    part(TEXT, Buffer.concat([KOSME, bad.subarray(0, 1)])),
    part(CONT, bad.subarray(1, 2)),
  ]);
  early("rfc6455 6.4.3 failed within a frame", [...chop(whole.subarray(0, 6 + KOSME.length + 4), 6 + KOSME.length)]);
  early("rfc6455 6.4.4 failed within a frame by the byte that is invalid", [
    whole.subarray(0, 6 + KOSME.length + 1),
    whole.subarray(6 + KOSME.length + 1, 6 + KOSME.length + 2),
  ]);
}

function text(number, data, valid) {
  const what = data.length > 24 ? `${data.length} bytes` : data.toString("hex");
  run(
    `rfc6455 ${number} ${valid ? "valid" : "invalid"}: ${what}`,
    [frame(TEXT, data), BYE],
    valid ? [says(TEXT, data), DONE] : [BAD_TEXT],
  );
}

const point = (...codes) => bytes(String.fromCodePoint(...codes));
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const spaced = (from, to) => Buffer.from(range(from, to).flatMap((byte) => [byte, 0x20]));

["hello$world", "hello¢world", "hello€world", "hello\u{24b62}world"].forEach((s, i) => text(`6.5.${i + 1}`, bytes(s), true));
text("6.5.5", KOSME, true);
range(1, 11).forEach((n) => text(`6.6.${n}`, KOSME.subarray(0, n), [2, 5, 7, 9, 11].includes(n)));

// [group, valid, sequences]
const SEQUENCES = [
  ["6.7", true, "00; c2 80; e0 a0 80; f0 90 80 80"],
  ["6.8", false, "f8 88 80 80 80; fc 84 80 80 80 80"],
  ["6.9", true, "7f; df bf; ef bf bf; f4 8f bf bf"],
  ["6.10", false, "f7 bf bf bf; fb bf bf bf bf; fd bf bf bf bf bf"],
  ["6.12", false, "80; bf; 80bf; 80bf80; 80bf80bf; 80bf80bf80; 80bf80bf80bf"],
  [
    "6.14",
    false,
    "c0; e0 80; f0 80 80; f8 80 80 80; fc 80 80 80 80; df; ef bf; f7 bf bf; fb bf bf bf; fd bf bf bf bf",
  ],
  ["6.16", false, "fe; ff; fe fe ff ff"],
  ["6.17", false, "c0 af; e0 80 af; f0 80 80 af; f8 80 80 80 af; fc 80 80 80 80 af"],
  ["6.18", false, "c1 bf; e0 9f bf; f0 8f bf bf; f8 87 bf bf bf; fc 83 bf bf bf bf"],
  ["6.19", false, "c0 80; e0 80 80; f0 80 80 80; f8 80 80 80 80; fc 80 80 80 80 80"],
  ["6.20", false, "ed a0 80; ed ad bf; ed ae 80; ed af bf; ed b0 80; ed be 80; ed bf bf"],
  [
    "6.21",
    false,
    "ed a0 80 ed b0 80; ed a0 80 ed bf bf; ed ad bf ed b0 80; ed ad bf ed bf bf; " +
      "ed ae 80 ed b0 80; ed ae 80 ed bf bf; ed af bf ed b0 80; ed af bf ed bf bf",
  ],
];
for (const [group, valid, list] of SEQUENCES) {
  list.split(";").forEach((s, i) => text(`${group}.${i + 1}`, hex(s), valid));
}
["ed 9f bf", "ee 80 80", "ef bf bd", "f4 8f bf bf", "f4 90 80 80"].forEach((s, i) => text(`6.11.${i + 1}`, hex(s), i < 4));
text("6.12.8", Buffer.from(range(0x80, 0xbe)), false);
[[0xc0, 0xdf], [0xe0, 0xef], [0xf0, 0xf7], [0xf8, 0xfb], [0xfc, 0xfd]].forEach(([from, to], i) =>
  text(`6.13.${i + 1}`, spaced(from, to), false),
);
text("6.15.1", hex(SEQUENCES.find(([group]) => group === "6.14")[2].replaceAll(";", "")), false);
range(0, 16).forEach((plane) => {
  text(`6.22.${2 * plane + 1}`, point(plane * 0x10000 + 0xfffe), true);
  text(`6.22.${2 * plane + 2}`, point(plane * 0x10000 + 0xffff), true);
});
range(0xfff9, 0xffff).forEach((code, i) => text(`6.23.${i + 1}`, point(code), true));

// ------------------------------------------------------------------ 7 closing

run("rfc6455 7.1.1 a message, then a close", [hello, BYE], ["text Hello", DONE]);
run("rfc6455 7.1.2 a close, and another", [BYE, BYE], [DONE]);
run("rfc6455 7.1.3 a ping behind the close", [BYE, ping], [DONE]);
run("rfc6455 7.1.4 a message behind the close", [BYE, hello], [DONE]);
run("rfc6455 7.1.5 a close between two fragments", [part(TEXT, "1"), BYE, part(CONT, "2", true)], [DONE]);
{
  const large = Buffer.alloc(256 << 10, "BAsd7&jh23");
  run("rfc6455 7.1.6 256 KiB, a close, a ping", [frame(TEXT, large), BYE, ping], [says(TEXT, large), DONE]);
}
run("rfc6455 7.3.1 a close with nothing in it", [frame(CLOSE)], ["close"]);
run("rfc6455 7.3.2 a close of one byte", [frame(CLOSE, "a")], [FAILED]);
run("rfc6455 7.3.3 a close with a code", [BYE], [DONE]);
run("rfc6455 7.3.4 a close with code and reason", [closing(1000, "Hello World!")], ["close 1000 Hello World!"]);
run("rfc6455 7.3.5 a close of 125 bytes", [closing(1000, "*".repeat(123))], [
  says(CLOSE, Buffer.concat([hex("03e8"), Buffer.alloc(123, "*")])),
]);
run("rfc6455 7.3.6 a close of 126 bytes", [closing(1000, "*".repeat(124))], [FAILED]);
run("rfc6455 7.5.1 a reason that is no text", [closing(1000, broken)], [BAD_TEXT]);
[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999, 1012, 1013, 1014].forEach((code, i) =>
  run(`rfc6455 7.7.${i + 1} code ${code} is echoed`, [closing(code)], [`close ${code}`]),
);
[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999].forEach((code, i) =>
  run(`rfc6455 7.9.${i + 1} code ${code} must not be sent`, [closing(code)], [FAILED]),
);
[5000, 65535].forEach((code, i) =>
  run(`rfc6455 7.13.${i + 1} code ${code} is nobody's`, [closing(code)], [FAILED]),
);

// -------------------------------------------------------------------- 9 sizes

const KIB = 1024, MIB = 1024 * 1024;
const kinds = [[TEXT, Buffer.alloc(16 * MIB, "*")], [BINARY, Buffer.alloc(16 * MIB, 0xfe)]];

kinds.forEach(([op, data], kind) => {
  const name = NAMES[op];
  [64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB].forEach((n, i) => {
    const message = data.subarray(0, n);
    run(`rfc6455 9.${1 + kind}.${i + 1} ${name} of ${n / KIB} KiB`, [frame(op, message), BYE], [says(op, message), DONE]);
  });
  [64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB].forEach((size, i) => {
    test(`rfc6455 9.${3 + kind}.${i + 1} ${name} of 4 MiB in fragments of ${size}`, async () => {
      const message = data.subarray(0, 4 * MIB);
      const peer = await Peer.open();
      try {
        peer.write(Buffer.concat(fragments(op, message, size)), BYE);
        assert.deepEqual((await peer.rest()).map(spell), [says(op, message), DONE]);
      } finally {
        peer.drop();
      }
    });
  });
  [64, 128, 256, 512, KIB, 2 * KIB].forEach((size, i) => {
    const message = data.subarray(0, MIB);
    run(
      `rfc6455 9.${5 + kind}.${i + 1} ${name} of 1 MiB in pieces of ${size}`,
      [frame(op, message), BYE],
      [says(op, message), DONE],
      size,
    );
  });
  [0, 16, 64, 256, KIB, 4 * KIB].forEach((size, i) => {
    test(`rfc6455 9.${7 + kind}.${i + 1} ${name} of ${size} bytes, 1000 there and back`, async () => {
      const message = data.subarray(0, size);
      const peer = await Peer.open();
      try {
        for (let n = 0; n < 1000; n++) {
          peer.write(frame(op, message));
          const got = await peer.frame();
          assert.ok(got.op === op && got.data.equals(message), `message ${n}: ${spell(got)}`);
        }
        peer.write(BYE);
        assert.deepEqual((await peer.rest()).map(spell), [DONE]);
      } finally {
        peer.drop();
      }
    });
  });
});

{
  const message = Buffer.alloc(65536, "*");
  run(
    "rfc6455 10.1.1 64 KiB in fragments of 1300",
    [fragments(TEXT, message, 1300), BYE],
    [says(TEXT, message), DONE],
  );
}

// ------------------------------------------- 12, 13, 7692: permessage-deflate

// What was offered and what was answered, as a map of parameters.
function parameters(value) {
  const [name, ...list] = value.split(";").map((s) => s.trim());
  assert.equal(name, "permessage-deflate");
  const pairs = list.map((s) => s.split("="));
  assert.equal(new Set(pairs.map(([key]) => key)).size, pairs.length, `repeated: ${value}`);
  return new Map(pairs.map(([key, bits]) => [key, bits === undefined ? true : Number(bits)]));
}

const WINDOW = 32768;
const TAIL = hex("00 00 ff ff");

// One side's compression, by its own words: a message may look back into `past`
// where context is taken over, and no further than the window.
class Context {
  constructor(agreed, side) {
    this.takeover = !agreed.has(`${side}_no_context_takeover`);
    this.bits = agreed.get(`${side}_max_window_bits`) ?? 15;
    this.past = Buffer.alloc(0);
  }

  options() {
    const size = 1 << this.bits;
    const dictionary = this.past.subarray(Math.max(0, this.past.length - size));
    return {
      windowBits: this.bits,
      finishFlush: zlib.constants.Z_SYNC_FLUSH,
      ...(dictionary.length ? { dictionary } : {}),
    };
  }

  remember(message) {
    if (!this.takeover) return;
    this.past = Buffer.concat([this.past, message]);
    if (this.past.length > WINDOW) this.past = this.past.subarray(this.past.length - WINDOW);
  }

  deflate(message) {
    // zlib deflates for no window of 8 bits: bytes that are only stored need none
    const options = this.bits === 8 ? { ...this.options(), windowBits: 9, level: 0 } : this.options();
    const out = zlib.deflateRawSync(message, options);
    this.remember(message);
    return message.length ? out.subarray(0, -TAIL.length) : Buffer.from([0]);
  }

  inflate(data) {
    const message = zlib.inflateRawSync(Buffer.concat([data, TAIL]), this.options());
    this.remember(message);
    return message;
  }
}

async function deflating(offer) {
  const peer = await Peer.open(offer);
  assert.ok(peer.extension, "no extension was agreed on");
  peer.agreed = parameters(peer.extension);
  peer.out = new Context(peer.agreed, "client");
  peer.in = new Context(peer.agreed, "server");
  return peer;
}

// Sends it compressed, in fragments of `size` bytes where that is given.
function send(peer, op, message, size) {
  const data = peer.out.deflate(message);
  peer.write(size ? fragments(op, data, size, RSV1) : frame(op, data, FIN | RSV1));
}

async function echoed(peer, op, message) {
  const got = await peer.frame();
  assert.ok(got, "the stream ended");
  assert.equal(got.op, op, spell(got));
  assert.equal(got.rsv, RSV1, "not compressed");
  assert.ok(peer.in.inflate(got.data).equals(message), "another message");
}

async function bye(peer) {
  peer.write(BYE);
  assert.deepEqual((await peer.rest()).map(spell), [DONE]);
}

// Text and bytes that compress as such things do, never twice the same.
let seed = 1;
const random = (n) => ((seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 8) % n;
const WORDS = "lorem ipsum dolor sit amet consetetur sadipscing elitr sed diam nonumy — größer".split(" ");
const SOURCES = {
  json: () => JSON.stringify({ id: random(1e6), name: WORDS[random(WORDS.length)], values: [random(99), random(9)] }),
  bytes: () => crypto.createHash("sha256").update(String(random(1e9))).digest(),
  words: () => `${WORDS[random(WORDS.length)]} `,
  sentences: () => `The ${WORDS[random(WORDS.length)]} said ${WORDS[random(WORDS.length)]} ${random(100)} times.\n`,
  markup: () => `<li class="item">${random(1000)} €</li>`,
};

// n bytes of a source; a text is not cut within a character.
function sample(source, n) {
  const parts = [];
  for (let have = 0; have < n; have += parts.at(-1).length) parts.push(bytes(SOURCES[source]()));
  const all = Buffer.concat(parts).subarray(0, n);
  return source === "bytes" ? all : bytes(all.toString("utf8").replaceAll("\ufffd", ""));
}

// [bytes of a message, bytes of a fragment]
const SIZES = [
  ...[16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072].map((n) => [n, 0]),
  ...[8192, 16384, 32768, 65536, 131072].map((n) => [n, 256]),
  [131072, 1024],
  [131072, 4096],
  [131072, 32768],
];

function exchange(name, offer, source, [n, size]) {
  test(`rfc7692 ${name} ${source}, ${n} bytes${size ? ` in fragments of ${size}` : ""}`, async () => {
    const op = source === "bytes" ? BINARY : TEXT;
    const peer = await deflating(offer);
    try {
      for (let i = 0; i < (n > 10000 ? 3 : 20); i++) {
        const message = sample(source, n);
        send(peer, op, message, size);
        await echoed(peer, op, message);
      }
      await bye(peer);
    } finally {
      peer.drop();
    }
  });
}

Object.keys(SOURCES).forEach((source, group) =>
  SIZES.forEach((size, i) => exchange(`12.${group + 1}.${i + 1}`, "permessage-deflate", source, size)),
);

const SNCT = "server_no_context_takeover";
const OFFERS = [
  "permessage-deflate",
  `permessage-deflate; ${SNCT}`,
  "permessage-deflate; server_max_window_bits=9",
  "permessage-deflate; server_max_window_bits=15",
  `permessage-deflate; ${SNCT}; server_max_window_bits=9`,
  `permessage-deflate; ${SNCT}; server_max_window_bits=15`,
  `permessage-deflate; ${SNCT}; server_max_window_bits=9, permessage-deflate; ${SNCT}, permessage-deflate`,
];
OFFERS.forEach((offer, group) =>
  SIZES.forEach((size, i) => exchange(`13.${group + 1}.${i + 1}`, offer, "json", size)),
);

// Every offer that RFC 7692 7.1 knows.
const flags = (name) => ["", `; ${name}`];
const windows = (name) => range(8, 15).map((bits) => `; ${name}=${bits}`);
for (const server of flags(SNCT)) {
  for (const client of flags("client_no_context_takeover")) {
    for (const ours of ["", ...windows("server_max_window_bits")]) {
      for (const theirs of ["", "; client_max_window_bits", ...windows("client_max_window_bits")]) {
        const offer = `permessage-deflate${server}${client}${ours}${theirs}`;
        test(`rfc7692 7.1 offered: ${offer}`, async () => {
          const offered = parameters(offer);
          const peer = await deflating(offer);
          try {
            const { agreed } = peer;
            // 7.1.1.1, 7.1.1.2: whatever a client asks of the server is done
            assert.equal(agreed.has(SNCT), offered.has(SNCT));
            assert.equal(agreed.has("client_no_context_takeover"), offered.has("client_no_context_takeover"));
            assert.equal(agreed.get("server_max_window_bits"), offered.get("server_max_window_bits"));
            // 7.1.2.2: only a client that names it understands it, and none may be given more
            const most = offered.get("client_max_window_bits");
            const given = agreed.get("client_max_window_bits");
            assert.ok(given === undefined || (most === true && given <= 15) || given <= most, `${given}`);
            const message = sample("json", 3000);
            for (let i = 0; i < 3; i++) {
              send(peer, TEXT, message);
              await echoed(peer, TEXT, message);
            }
            await bye(peer);
          } finally {
            peer.drop();
          }
        });
      }
    }
  }
}

// Compressed by hand: what the codec of this file would never write.
function compressed(name, write, want) {
  test(`rfc7692 ${name}`, async () => {
    const peer = await deflating("permessage-deflate; server_no_context_takeover");
    try {
      peer.write(write);
      const got = [];
      for (let f; (f = await peer.frame()); ) {
        got.push(spell(f.rsv === RSV1 ? { op: f.op, data: peer.in.inflate(f.data) } : f));
      }
      assert.deepEqual(got, want);
      assert.equal(peer.over, "end");
    } finally {
      peer.drop();
    }
  });
}

const HELLO = hex("f2 48 cd c9 c9 07 00");
const packed = (data, first = FIN | RSV1, op = TEXT) => frame(op, data, first);

compressed("7.2.3.1 one compressed block", [packed(HELLO), BYE], ["text Hello", DONE]);
compressed(
  "7.2.3.1 one compressed block in two fragments, a ping between",
  [packed(HELLO.subarray(0, 3), RSV1), frame(PING, "p"), packed(HELLO.subarray(3), FIN, CONT), BYE],
  [says(PONG, "p"), "text Hello", DONE],
);
compressed("7.2.3.2 the window is shared", [packed(HELLO), packed(hex("f2 00 11 00 00")), BYE], [
  "text Hello",
  "text Hello",
  DONE,
]);
compressed("7.2.3.3 a block without compression", [packed(hex("00 05 00 fa ff 48 65 6c 6c 6f 00")), BYE], [
  "text Hello",
  DONE,
]);
compressed("7.2.3.4 a block with BFINAL set", [packed(hex("f3 48 cd c9 c9 07 00 00")), BYE], ["text Hello", DONE]);
compressed("7.2.3.5 two blocks in one message", [packed(hex("f2 48 05 00 00 00 ff ff ca c9 c9 07 00")), BYE], [
  "text Hello",
  DONE,
]);
compressed("7.2.3.6 an empty message", [packed(hex("00")), BYE], ["text", DONE]);
compressed("6 a message that is not compressed", [frame(TEXT, "Hello"), BYE], ["text Hello", DONE]);
compressed("6.1 RSV1 on a continuation", [packed(HELLO.subarray(0, 3), RSV1), packed(HELLO.subarray(3), FIN | RSV1, CONT)], [
  FAILED,
]);
compressed("6.1 RSV1 on a ping", [frame(PING, "p", FIN | RSV1)], [FAILED]);
compressed("6.1 RSV1 on a close", [frame(CLOSE, hex("03e8"), FIN | RSV1)], [FAILED]);
compressed("6 RSV2 is still reserved", [frame(TEXT, "p", FIN | 0x20)], [FAILED]);
compressed("7.2.2 bytes that are no deflate data", [packed(hex("ff ff ff"))], [BAD_TEXT]);
compressed("7.2.2 a stream cut off", [packed(HELLO.subarray(0, 3))], [BAD_TEXT]);
compressed("8.1 a compressed text that is no UTF-8", [packed(zlib.deflateRawSync(broken))], [BAD_TEXT]);
compressed(
  "8.1 a compressed text that is no UTF-8, failed by the fragment that is invalid",
  [packed(zlib.deflateRawSync(broken, { finishFlush: zlib.constants.Z_SYNC_FLUSH }), RSV1)],
  [BAD_TEXT],
);
test("rfc7692 8 a message over its limit only when inflated: 1009", async () => {
  const peer = await deflating("permessage-deflate");
  try {
    const bomb = zlib.deflateRawSync(Buffer.alloc(129 << 20), { level: 9 });
    assert.ok(bomb.length < 1 << 20);
    peer.write(packed(bomb, FIN | RSV1, BINARY));
    assert.deepEqual((await peer.rest()).map(spell), ["close 1009"]);
  } finally {
    peer.drop();
  }
});
