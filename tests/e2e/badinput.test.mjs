// badinput.test.mjs -- what no client should send: answered as Node answers
// it, while a well-behaved client goes on undisturbed.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { WebSocket } from "ws";
import { collect, http, next, Polling, raw, RS, statsBy, TestServer, until } from "./harness.mjs";

const server = await TestServer.start();
const bystander = await server.connect("/", { transports: ["websocket"] });
const bystanderId = bystander.id;
const gone = collect(await server.watch(), "gone");

// Every test ends with it: the server still serves, and the same client.
async function bystanderGoesOn() {
  bystander.emit("echo", "undisturbed");
  assert.deepEqual(await next(bystander, "echo"), ["undisturbed"]);
  assert.equal(bystander.id, bystanderId);
}

function check(name, body) {
  test(name, async () => {
    await body();
    await bystanderGoesOn();
  });
}

const refusal = (code) => JSON.stringify({
  code,
  message: ["Transport unknown", "Session ID unknown", "Bad handshake method", "Bad request",
    "Forbidden", "Unsupported protocol version"][code],
});

// -------------------------------------------------- HTTP requests (1.4 codes)

const HTTP_ROWS = [
  // name, error code, query, method
  ["E1: unknown transport", 0, { EIO: 4, transport: "tobi" }],
  ["E2: transport=constructor", 0, { EIO: 4, transport: "constructor" }],
  ["E10: transport=__proto__", 0, { EIO: 4, transport: "__proto__" }],
  ["E163: no query at all", 0, {}],
  ["E191: no transport", 0, { EIO: 4 }],
  ["transport=webtransport over HTTP", 0, { EIO: 4, transport: "webtransport" }],
  ["transport=Polling", 0, { EIO: 4, transport: "Polling" }],
  ["E3: unknown sid", 1, { EIO: 4, transport: "polling", sid: "test" }],
  ["CVE-2026-102600: sid=__proto__", 1, { EIO: 4, transport: "polling", sid: "__proto__" }],
  ["sid of 2000 characters", 1, { EIO: 4, transport: "polling", sid: "x".repeat(2000) }],
  ["sid with NUL and non-ASCII", 1, { EIO: 4, transport: "polling", sid: "\0é\u2028" }],
  ["E192: POST without sid", 2, { EIO: 4, transport: "polling" }, "POST"],
  ["E192: PUT without sid", 2, { EIO: 4, transport: "polling" }, "PUT"],
  ["DELETE without sid", 2, { EIO: 4, transport: "polling" }, "DELETE"],
  ["E44: OPTIONS without sid and without CORS", 2, { EIO: 4, transport: "polling" }, "OPTIONS"],
  ["E41: WebSocket without an upgrade", 3, { EIO: 4, transport: "websocket" }],
  ["E45: EIO=3", 5, { EIO: 3, transport: "polling" }],
  ["E191: no EIO", 5, { transport: "polling" }],
  ["EIO=04", 5, { EIO: "04", transport: "polling" }],
  ["EIO=5", 5, { EIO: 5, transport: "polling" }],
];

for (const [name, code, query, method = "GET"] of HTTP_ROWS) {
  check(`${name}: 400, code ${code}`, async () => {
    const answer = await http(server, { query, method });
    assert.equal(answer.status, 400);
    assert.match(answer.headers["content-type"], /^application\/json/);
    assert.equal(answer.body, refusal(code));
    assert.equal(answer.headers["access-control-allow-origin"], undefined); // CVE-2020-28481
  });
}

check("HEAD without sid: 400 without a body", async () => {
  const answer = await http(server, { method: "HEAD", query: { EIO: 4, transport: "polling" } });
  assert.deepEqual([answer.status, answer.body], [400, ""]);
});

check("E36, E37, E38: transport of a session that is another's: code 3, the session lives", async () => {
  const session = await Polling.open(server);
  const answer = await http(server, { query: { ...session.query, transport: "websocket" } });
  assert.deepEqual([answer.status, answer.body], [400, refusal(3)]);
  await session.post('42["echo",1]');
  assert.equal((await session.poll()).body, '42["echo",1]');
  await session.post("1");
});

for (const method of ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]) {
  check(`${method} with a valid sid: 500 without a body, the session lives`, async () => {
    const session = await Polling.open(server);
    const answer = await http(server, { method, query: session.query });
    assert.deepEqual([answer.status, answer.body], [500, ""]);
    await session.post('42["echo",1]');
    assert.equal((await session.poll()).body, '42["echo",1]');
    await session.post("1");
  });
}

check("S20, S198: another path: 404", async () => {
  assert.equal((await http(server, { path: "/elsewhere" })).status, 404);
  assert.equal((await http(server, { path: "/socket.iox/", query: { EIO: 4, transport: "polling" } })).status, 404);
});

// --------------------------------------------------- broken HTTP (4.10, llhttp)

const POST = (length) => `POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n${length}\r\n`;
const BROKEN = {
  "no HTTP at all": "hello\r\n\r\n",
  "HTTP/1.1 without Host": "GET /socket.io/ HTTP/1.1\r\n\r\n",
  "CVE-2021-22959: a space before the colon": "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
  "CVE-2022-32213: Transfer-Encoding that is not chunked": `${POST("Transfer-Encoding: chunkedx\r\n")}`,
  "CVE-2022-35256: both Content-Length and Transfer-Encoding": `${POST("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")}1\r\na\r\n0\r\n\r\n`,
  "two different Content-Lengths": `${POST("Content-Length: 1\r\nContent-Length: 2\r\n")}ab`,
  "negative Content-Length": `${POST("Content-Length: -1\r\n")}`,
  "Content-Length beyond 64 bits": `${POST("Content-Length: 99999999999999999999\r\n")}`,
  "CVE-2023-30589: an empty header name": "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
  "a control character in Origin (E43)": "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nOrigin: a\x01b\r\n\r\n",
  "bad chunk size": `${POST("Transfer-Encoding: chunked\r\n")}zz\r\n`,
};

for (const [name, text] of Object.entries(BROKEN)) {
  check(`${name}: 400, connection closed`, async () => {
    assert.match(await raw(server, Buffer.from(text, "latin1")), /^HTTP\/1\.1 400 /);
  });
}

check("CVE-2024-37890: 2,000 headers: refused, connection closed", async () => {
  const headers = Array.from({ length: 2000 }, (_, i) => `X-${i}: 1234567890\r\n`).join("");
  assert.match(await raw(server, `GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n${headers}\r\n`), /^HTTP\/1\.1 4(00|31) /);
});

check("a header that does not end: refused, connection closed", async () => {
  assert.match(await raw(server, `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(100000)}`), /^HTTP\/1\.1 4(00|31) /);
});

// ------------------------------------------------------ upgrade requests (1.5)

const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const VERSION = "Sec-WebSocket-Version: 13\r\n";

function upgrade(query, { headers = KEY + VERSION, method = "GET", token = "websocket" } = {}) {
  return `${method} /socket.io/?${query} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${token}\r\n${headers}\r\n`;
}

const OPENING = "EIO=4&transport=websocket";
const UPGRADES = [
  ["E11, CVE-2023-31125: transport=__proto__", upgrade("EIO=4&transport=__proto__"), "Transport unknown"],
  ["E62: no query", upgrade(""), "Transport unknown"],
  ["unknown sid", upgrade(`${OPENING}&sid=nobody`), "Session ID unknown"],
  ["EIO=3", upgrade("EIO=3&transport=websocket"), "Unsupported protocol version"],
  ["POST", upgrade(OPENING, { method: "POST" }), "Bad handshake method"],
  ["h2c", upgrade(OPENING, { token: "h2c" }), "Invalid Upgrade header"],
  ["no key", upgrade(OPENING, { headers: VERSION }), "Missing or invalid Sec-WebSocket-Key header"],
  ["a short key", upgrade(OPENING, { headers: `Sec-WebSocket-Key: dGhl\r\n${VERSION}` }), "Missing or invalid Sec-WebSocket-Key header"],
  ["version 12", upgrade(OPENING, { headers: `${KEY}Sec-WebSocket-Version: 12\r\n` }), "Missing or invalid Sec-WebSocket-Version header"],
];

for (const [name, text, message] of UPGRADES) {
  check(`upgrade refused, ${name}: 400 "${message}", closed`, async () => {
    const answer = await raw(server, text);
    assert.match(answer, /HTTP\/1\.1 400 Bad Request\r\n/);
    assert.match(answer, /\r\nConnection: close\r\n/i);
    assert.ok(answer.endsWith(`\r\n\r\n${message}`), answer);
  });
}

check("upgrade with transport=polling opens no session", async () => {
  const before = (await statsBy(bystander)).sessions;
  assert.match(await raw(server, upgrade("EIO=4&transport=polling"), { done: (text) => text.endsWith("\x88\x00") }),
    /^HTTP\/1\.1 (101 [^]*\x88\x00|400 [^]*)$/);
  assert.equal((await statsBy(bystander)).sessions, before);
});

check("CVE-2026-102599: EIO=3 and no EIO on an upgrade of an EIO 4 session: 400", async () => {
  const session = await Polling.open(server);
  for (const eio of ["EIO=3&", ""])
    assert.match(await raw(server, upgrade(`${eio}transport=websocket&sid=${session.handshake.sid}`)),
      /^HTTP\/1\.1 400 [^]*Bad request$/);
  await session.post('42["echo",1]');
  assert.equal((await session.poll()).body, '42["echo",1]');
  await session.post("1");
});

check("CVE-2022-41940: a refused upgrade whose client resets the connection", async () => {
  for (const query of ["EIO=4&transport=nope", `${OPENING}&sid=nobody`]) {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    await next(socket, "connect");
    socket.write(upgrade(query));
    socket.resetAndDestroy();
  }
});

// --------------------------------------------------------- polling bodies (4.4)

const CLOSING_BODIES = {
  "E196: abc": "abc",
  "E76: invalid": "invalid",
  "empty": "",
  "unknown type 7": "7x",
  "a blank first": " 4a",
  "leading separator": `${RS}42["echo",1]`,
  "a ping in the wrong direction": "2",
  "a probe on an open transport": "2probe",
  "binary that nobody announced": "bAQID",
};

for (const [name, body] of Object.entries(CLOSING_BODIES)) {
  check(`POST of ${name}: the session ends, a waiting poll gets a close packet`, async () => {
    const session = await Polling.open(server);
    const poll = session.poll();
    await new Promise((resolve) => setTimeout(resolve, 20)); // let it arrive first
    const answer = await session.post(body);
    assert.ok([200, 400].includes(answer.status), String(answer.status));
    assert.deepEqual([(await poll).status, (await poll).body], [200, "1"]);
    assert.deepEqual([(await session.poll()).status, (await session.poll()).body], [400, refusal(1)]);
  });
}

for (const [name, bad] of [["Engine.IO", "x"], ["Socket.IO", "4abc"]]) {
  check(`what follows a bad ${name} packet in the same body is not handled`, async () => {
    const heard = collect(bystander, "news");
    const session = await Polling.open(server);
    // Node may break the connection off instead of answering.
    await session.post(`42["send",{"from":"io"},"news","before"]${RS}${bad}${RS}42["send",{"from":"io"},"news","after"]`)
      .catch((error) => assert.equal(error.code, "ECONNRESET"));
    await session.poll();
    await bystander.emitWithAck("ack");
    bystander.off("news");
    assert.ok(!heard.includes("after"), heard.join(" "));
  });
}

check("E201: a close packet ends the session, a waiting poll gets a noop", async () => {
  const session = await Polling.open(server);
  const poll = session.poll();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal((await session.post("1")).body, "ok");
  assert.equal((await poll).body, "6");
  assert.equal((await session.poll()).body, refusal(1));
});

for (const [name, body] of Object.entries({ "a pong nobody waits for": "3", "a pong with data": "3x", "open": "0{}", "upgrade": "5", "noop": "6" })) {
  check(`POST of ${name} is ignored`, async () => {
    const session = await Polling.open(server);
    assert.equal((await session.post(body)).body, "ok");
    await session.post('42["echo",1]');
    assert.equal((await session.poll()).body, '42["echo",1]');
    await session.post("1");
  });
}

check("POST of invalid UTF-8: replaced by U+FFFD, the session lives", async () => {
  const session = await Polling.open(server);
  await session.post(Buffer.from('42["echo","a\xffb\xc3"]', "latin1"));
  assert.deepEqual((await session.poll()).bytes, Buffer.from('42["echo","a\ufffdb\ufffd"]'));
  await session.post("1");
});

check("E71, CVE-2026-59725: application/octet-stream: 400 and the session ends", async () => {
  const session = await Polling.open(server);
  const answer = await session.post("4x", { "content-type": "application/octet-stream" });
  assert.deepEqual([answer.status, answer.body], [400, ""]);
  assert.equal((await session.poll()).body, refusal(1));
});

check("E197: a second poll while one waits ends the session", async () => {
  const session = await Polling.open(server);
  const first = session.poll();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const second = await session.poll();
  assert.deepEqual([(await first).status, (await first).body], [200, "1"]);
  assert.deepEqual([second.status, second.body], [400, ""]);
  assert.equal((await session.poll()).body, refusal(1));
});

check("a second POST while the first is incomplete ends the session", async () => {
  const session = await Polling.open(server);
  const target = `/socket.io/?${new URLSearchParams(session.query)}`;
  const first = raw(server, `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n4h`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const second = await session.post('42["echo",1]');
  assert.deepEqual([second.status, second.body], [400, ""]);
  assert.equal(await first, "");
  assert.equal((await session.poll()).body, refusal(1));
});

check("E63: a poll whose connection breaks ends the session", async () => {
  const session = await Polling.open(server);
  const socket = connect(server.port, "127.0.0.1");
  await next(socket, "connect");
  const n = gone.length;
  socket.write(`GET /socket.io/?${new URLSearchParams(session.query)} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  await gone.until(n + 1);
  assert.equal(gone[n][1], "transport error");
  assert.equal((await session.poll()).body, refusal(1));
});

check("a POST that breaks off ends the session", async () => {
  const session = await Polling.open(server);
  const socket = connect(server.port, "127.0.0.1");
  await next(socket, "connect");
  const n = gone.length;
  socket.write(`POST /socket.io/?${new URLSearchParams(session.query)} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n4h`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  await gone.until(n + 1);
  assert.equal(gone[n][1], "transport error");
  assert.equal((await session.poll()).body, refusal(1));
});

check("E102: a chunked POST, cut inside a UTF-8 sequence", async () => {
  const session = await Polling.open(server);
  const body = Buffer.from('42["echo","é😀"]');
  const socket = connect(server.port, "127.0.0.1");
  await next(socket, "connect");
  socket.write(`POST /socket.io/?${new URLSearchParams(session.query)} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`);
  for (const byte of body) {
    socket.write(Buffer.concat([Buffer.from("1\r\n"), Buffer.from([byte]), Buffer.from("\r\n")]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.write("0\r\n\r\n");
  assert.equal((await session.poll()).body, '42["echo","é😀"]');
  socket.destroy();
  await session.post("1");
});

// ----------------------------------------------------------- WebSocket (5.3)

const MASK = [1, 2, 3, 4];

function frame(first, payload, { masked = true, length } = {}) {
  const data = Buffer.from(payload, "latin1");
  const size = length ?? data.length;
  const head = size < 126 ? [size] : size < 65536 ? [126, size >> 8, size & 255]
    : [127, ...Buffer.from(BigInt(size).toString(16).padStart(16, "0"), "hex")];
  if (masked) head[0] |= 0x80;
  return Buffer.concat([Buffer.from([first, ...head]), masked ? Buffer.from(MASK) : Buffer.alloc(0),
    masked ? data.map((byte, i) => byte ^ MASK[i & 3]) : data]);
}

// Frames sent behind a completed handshake; resolves with what the server sent
// after its OPEN packet, until it closed.
async function afterOpen(bytes) {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {});
  let got = Buffer.alloc(0);
  socket.on("data", (data) => (got = Buffer.concat([got, data])));
  socket.write(upgrade(OPENING));
  await until("the OPEN packet", () => got.includes('"maxPayload"'));
  const start = got.indexOf("}", got.indexOf('"maxPayload"')) + 1;
  socket.write(bytes);
  // A peer that has got a close frame answers it, and the server hangs up.
  await until("a close frame", () => got.length >= start + 2 && got.includes(0x88, start));
  socket.write(frame(0x88, ""));
  if (!socket.closed) await next(socket, "close");
  return got.subarray(start);
}

const closes = (code) => `8802${code.toString(16).padStart(4, "0")}`;
const LENGTH64 = (hex) => Buffer.from(`82ff${hex}01020304`, "hex");
const FRAMES = [
  ["an unmasked frame", frame(0x81, "42", { masked: false }), 1002],
  ["RSV1 without deflate", frame(0xc1, "42"), 1002],
  ["RSV2", frame(0xa1, "42"), 1002],
  ["RSV3", frame(0x91, "42"), 1002],
  ["opcode 3", frame(0x83, "42"), 1002],
  ["opcode 0xb", frame(0x8b, "42"), 1002],
  ["a continuation of nothing", frame(0x80, "42"), 1002],
  ["a new message inside a fragmented one", Buffer.concat([frame(0x01, "4"), frame(0x81, "42")]), 1002],
  ["a fragmented ping", frame(0x09, ""), 1002],
  ["a ping of 126 bytes", frame(0x89, "x".repeat(126)), 1002],
  ["a close frame of one byte", frame(0x88, "\x03"), 1002],
  ["close code 999", frame(0x88, "\x03\xe7"), 1002],
  ["close code 1004", frame(0x88, "\x03\xec"), 1002],
  ["close code 1005", frame(0x88, "\x03\xed"), 1002],
  ["close code 1006", frame(0x88, "\x03\xee"), 1002],
  ["close code 1015", frame(0x88, "\x03\xf7"), 1002],
  ["close code 5000", frame(0x88, "\x13\x88"), 1002],
  ["invalid UTF-8", frame(0x81, "4\xff"), 1007],
  ["invalid UTF-8 in a close reason", frame(0x88, "\x03\xe8\xff"), 1007],
  ["a surrogate in UTF-8", frame(0x81, "4\xed\xa0\x80"), 1007],
  ["one byte over maxPayload, from its header alone", frame(0x82, "", { length: 1000001 }), 1009],
  ["CVE-2016-10542: 2^53 bytes announced", LENGTH64("0020000000000000"), 1009],
  ["CVE-2026-48779: 16,385 fragments", Buffer.concat([frame(0x01, "4"), Buffer.alloc(16400 * 6, frame(0x00, ""))]), 1008],
];

for (const [name, bytes, code] of FRAMES) {
  check(`WebSocket, ${name}: close ${code}`, async () => {
    const answer = (await afterOpen(bytes)).toString("hex");
    assert.ok(answer.startsWith(closes(code)), answer);
  });
}

for (const hex of ["7fffffffffffffff", "8000000000000000", "ffffffffffffffff"]) {
  check(`CVE-2016-10542: a frame of 0x${hex} bytes: closed with 1009 or 1002`, async () => {
    const answer = (await afterOpen(LENGTH64(hex))).toString("hex");
    assert.ok([closes(1009), closes(1002)].some((close) => answer.startsWith(close)), answer);
  });
}

for (const [name, bytes] of [["E75: an undecodable packet", frame(0x81, "invalid")], ["an empty packet", frame(0x81, "")],
  ["a ping in the wrong direction", frame(0x81, "2")]]) {
  check(`WebSocket, ${name}: a close frame without code`, async () => {
    const answer = (await afterOpen(bytes)).toString("hex");
    assert.ok(answer.startsWith("8800"), answer);
  });
}

check("CVE-2016-10518: the pong has exactly the bytes of the ping", async () => {
  const ws = new WebSocket(`${server.url}/socket.io/?${OPENING}`);
  await next(ws, "open");
  for (const size of [0, 1, 125]) {
    const data = Buffer.alloc(size, 0x5a);
    ws.ping(data);
    assert.deepEqual((await next(ws, "pong"))[0], data);
  }
  ws.close();
});

check("E7, CVE-2022-21676: garbage right behind an upgrade request", async () => {
  await raw(server, upgrade(OPENING) + "test".repeat(10));
});

check("E8, CVE-2022-21676: garbage behind the upgrade request of a session, which goes on", async () => {
  const session = await Polling.open(server);
  await raw(server, upgrade(`${OPENING}&sid=${session.handshake.sid}`) + "test".repeat(10));
  await session.post('42["echo",1]');
  assert.equal((await session.poll()).body, '42["echo",1]');
  await session.post("1");
});

for (const value of ["constructor", ";;;=", "permessage-deflate;".repeat(400), " ".repeat(10000)]) {
  check(`WebSocket extensions ${JSON.stringify(value.slice(0, 24))}, ${value.length} bytes: answered`, async () => {
    const answer = await raw(server, upgrade(OPENING, { headers: `${KEY}${VERSION}Sec-WebSocket-Extensions: ${value}\r\n` }),
      { done: (text) => text.includes('"maxPayload"') });
    assert.match(answer, /^HTTP\/1\.1 (101|400|431) /);
  });
}

// ---------------------------------------------------- Socket.IO packets (1.4)

const placeholder = (num) => `451-["x",{"_placeholder":true,"num":${num}}]`;
const one = Buffer.from([1]);

const PACKETS = [
  // name, messages sent behind a successful CONNECT
  ["empty message", "4"],
  ["unknown type 7", "47"],
  ["S34: type a", "4a"],
  ["CVE-2023-32695: event without a name", "42[]"],
  ["event that is an object", "42{}"],
  ["event that is a string", '42"a"'],
  ["event that is null", "42null"],
  ["event named null", "42[null]"],
  ["event named true", "42[true]"],
  ["CVE-2023-32695: event named by an object", '42[{"toString":"foo"}]'],
  ...["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
    .map((name) => [`CVE-2023-32695: reserved event name ${name}`, `42["${name}"]`]),
  ["JSON that does not end", '42["a"'],
  ["something behind the JSON", '42["a"]x'],
  ["letters for an ack id", '42abc["cb"]'],
  ["negative ack id", '42-1["cb"]'],
  ["fractional ack id", '421.5["cb"]'],
  ["invalid escape in JSON", '42["\\x"]'],
  ["acknowledgement that is an object", "431{}"],
  ["acknowledgement that is a string", '43"x"'],
  ["S122: CONNECT_ERROR from a client", '44["handle me please"]'],
  ["CONNECT_ERROR without payload", "44"],
  ["CONNECT_ERROR with an object", '44{"message":"x"}'],
  ["disconnect with a payload", "41[]"],
  ["CONNECT to a namespace with an array", "40/admin,[]"],
  ["CONNECT to a namespace with a string", '40/admin,"a"'],
  ["S124, CVE-2026-33151: binary event without a count", "45"],
  ["S123: binary event with letters for a count", "45woooot"],
  ["binary count without a dash", "451"],
  ["binary without a count", '45-["x"]'],
  ["binary count a", '45a-["x"]'],
  ["fractional binary count", '451.23-["x"]'],
  ["CVE-2026-69185: binary event with no attachment", '450-["x"]'],
  ["CVE-2026-69185: binary acknowledgement with no attachment", "460-1[]"],
  ["CVE-2026-33151: eleven attachments", '4511-["x"]'],
  ["CVE-2020-36049: a long count", `45${"9".repeat(5000)}-["x"]`],
  ["binary event without a name", '451-[{"_placeholder":true,"num":0}]', one],
  ["binary event that is an object", "451-{}", one],
  ["CVE-2022-2421: placeholder num 'splice'", placeholder('"splice"'), one],
  ["CVE-2022-2421: placeholder num '0'", placeholder('"0"'), one],
  ["CVE-2022-2421: placeholder num -1", placeholder(-1), one],
  ["CVE-2022-2421: placeholder num 1 of 1", placeholder(1), one],
  ["CVE-2022-2421: placeholder num 1e9", placeholder("1e9"), one],
  ["CVE-2022-2421: placeholder without num", '451-["x",{"_placeholder":true}]', one],
  ["binary that nobody announced", one],
  ["text while an attachment is awaited", placeholder(0), '42["x"]'],
  ["S32: a second CONNECT", "40"],
  ["event for a namespace not joined", '42/admin,["x"]'],
  ["acknowledgement for a namespace not joined", "43/admin,1[]"],
  ["disconnect of a namespace not joined", "41/admin,"],
  ["nesting of 20,000 arrays", `42["x",${"[".repeat(20000)}${"]".repeat(20000)}]`],
];

async function openWebSocket({ connectFirst = true } = {}) {
  const ws = new WebSocket(`${server.url}/socket.io/?${OPENING}`);
  const frames = collect(ws, "message");
  await next(ws, "open");
  if (connectFirst) {
    ws.send("40");
    await frames.until(2);
    ws.sid = JSON.parse(frames[1][0].toString().slice(2)).sid;
  }
  return ws;
}

for (const [name, ...messages] of PACKETS) {
  if (name.startsWith("nesting") && process.env.SIO_PEER === "node") continue; // Node has no such limit
  check(`Socket.IO, ${name}: the connection is closed`, async () => {
    const ws = await openWebSocket();
    for (const message of messages) ws.send(message);
    const [code] = await next(ws, "close");
    assert.equal(code, 1005);
    await until("the server says why", () => gone.some(([id]) => id === ws.sid));
    assert.match(gone.find(([id]) => id === ws.sid)[1], /^forced (server )?close$/);
  });
}

check("S33: an event before any CONNECT: the connection is closed", async () => {
  const ws = await openWebSocket({ connectFirst: false });
  ws.send('42["echo",1]');
  assert.equal((await next(ws, "close"))[0], 1005);
});

check("S34: over polling the reply comes first, then exactly a noop and a close", async () => {
  const session = await Polling.open(server, { connect: false });
  await session.post("40");
  assert.match((await session.poll()).body, /^40\{/);
  await session.post("4abc");
  assert.equal((await session.poll()).body, `6${RS}1`);
  assert.equal((await session.poll()).body, refusal(1));
});

check("S32, S33: the same for a second CONNECT and for an event without CONNECT", async () => {
  const twice = await Polling.open(server);
  await twice.post("40");
  assert.equal((await twice.poll()).body, `6${RS}1`);
  const early = await Polling.open(server, { connect: false });
  await early.post('42["echo",1]');
  assert.equal((await early.poll()).body, `6${RS}1`);
});

const HARMLESS = {
  "CVE-2024-38355: an event named error": '42["error"]',
  "an event nobody listens to": '42["nobody",{"a":[1]}]',
  "a number for an event name": '42[5,"x"]',
  "an acknowledgement nobody waits for": "43999[1]",
  "an acknowledgement without id": "43[1]",
  "a refused namespace": "40/nope,",
  "a placeholder in a plain event": '42["x",{"_placeholder":true,"num":7}]',
};

for (const [name, message] of Object.entries(HARMLESS)) {
  check(`Socket.IO, ${name}: nothing happens`, async () => {
    const ws = await openWebSocket();
    ws.send(message);
    const echoed = new Promise((resolve) => ws.on("message", (data) => data.toString() === '42["echo",1]' && resolve()));
    ws.send('42["echo",1]');
    await echoed;
    ws.terminate();
  });
}

check("S121: raw bytes 5woooot after an upgrade do not matter", async () => {
  const client = await server.connect();
  if (client.io.engine.transport.name !== "websocket") await next(client.io.engine, "upgrade");
  client.io.engine.write("5woooot");
  await next(client, "disconnect");
});

test("the server process ends with status 0 and nothing on stderr", () => server.stop());
