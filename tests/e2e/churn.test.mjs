// churn.test.mjs -- clients by the thousand that come and go in every way,
// most of them badly: afterwards memory, descriptors and counters are what they
// were. SIO_CHURN=n says how many; `make churn` takes 100,000.
//
// Spoken by hand on bare TCP, so that each can be abandoned at any point.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import { BUILD, LOOPS, PEER_IS_NODE, RS, TestServer, untilNothingIsLeft, within } from "./harness.mjs";

const SLOW = /asan|tsan|coverage|debug/.test(BUILD);
const WANTED = Number(process.env.SIO_CHURN ?? (SLOW ? 1500 : 6000));
const ROUNDS = SLOW ? 2 : 5;
const AT_ONCE = SLOW ? 10 : 40;

// Without its caches per thread malloc knows to the byte what is in use.
process.env.GLIBC_TUNABLES = "glibc.malloc.tcache_count=0";

const KEY = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const ECHO = '42["echo",7]';
const ECHOED = '42["echo",7,"'; // with recovery there is the offset behind it

let server;
let count = 0;

// A masked frame; the mask of zeros leaves the text as it is.
function frame(text, { opcode = 1, announce = text.length } = {}) {
  const head = announce < 126 ? [0x80 | opcode, 0x80 | announce] : [0x80 | opcode, 0xfe, announce >> 8, announce & 255];
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), Buffer.from(text)]);
}

// One TCP connection: write, wait for a text to come, leave.
class Line {
  static async open() {
    const line = new Line();
    line.got = "";
    line.room = `room ${count}`;
    // Many addresses have many ports: those just used need some rest.
    line.socket = connect({ port: server.port, host: "127.0.0.1", localAddress: `127.0.0.${2 + (count++ % 250)}` });
    line.socket.setEncoding("latin1");
    line.socket.on("data", (text) => ((line.got += text), line.look?.()));
    line.socket.on("error", () => {});
    line.socket.on("close", () => ((line.closed = true), line.look?.()));
    await new Promise((resolve) => line.socket.once("connect", resolve).once("close", resolve));
    return line;
  }

  write(data) {
    this.socket.write(data);
    return this;
  }

  // What came up to the end of `text`, which is taken.
  until(text) {
    return within(20_000, () => `${JSON.stringify(text)} in ${JSON.stringify(this.got.slice(0, 300))}`, new Promise((resolve, reject) => {
      this.look = () => {
        const at = this.got.indexOf(text);
        if (at >= 0) {
          const taken = this.got.slice(0, at + text.length);
          this.got = this.got.slice(at + text.length);
          this.look = null;
          resolve(taken);
        } else if (this.closed) {
          reject(new Error(`closed before ${JSON.stringify(text)}, after ${JSON.stringify(this.got)}`));
        }
      };
      this.look();
    }));
  }

  leave() {
    this.socket.destroy();
  }

  async handshake() {
    this.write("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
    await this.until('0{"sid":"');
    this.sid = (await this.until('"')).slice(0, -1);
    await this.until("}");
    return this;
  }

  get() {
    return this.write(`GET /socket.io/?EIO=4&transport=polling&sid=${this.sid} HTTP/1.1\r\nHost: a\r\n\r\n`);
  }

  async post(body) {
    this.write(`POST /socket.io/?EIO=4&transport=polling&sid=${this.sid} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await this.until("\r\n\r\nok");
  }

  // A polling session that has joined "/".
  async joined() {
    await this.handshake();
    await this.post("40");
    await this.get().until('40{"sid"');
    await this.until("}");
    return this;
  }

  async websocket(sid = "") {
    this.write(`GET /socket.io/?EIO=4&transport=websocket${sid && `&sid=${sid}`} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${KEY}\r\n`);
    await this.until("\r\n\r\n");
    return this;
  }

  async joinedWebsocket() {
    await this.websocket();
    this.write(frame("40"));
    await this.until('40{"sid"');
    return this;
  }
}

const line = () => Line.open();

const KINDS = {
  "a connection that says nothing": async () => (await line()).leave(),
  "half a request": async () => (await line()).write("GET /socket.io/?EIO=4&tr").leave(),
  "half a body": async () => {
    const a = await (await line()).handshake();
    a.write(`POST /socket.io/?EIO=4&transport=polling&sid=${a.sid} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n40`).leave();
  },
  "a handshake whose answer nobody waits for": async () =>
    (await line()).write("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n").leave(),
  "a handshake that nothing follows": async () => (await (await line()).handshake()).leave(),
  "a refused handshake": async () => {
    const a = (await line()).write("GET /socket.io/?EIO=7&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
    await a.until('"code":5');
    a.leave();
  },
  "a polling client, in good order": async () => {
    const a = await (await line()).joined();
    await a.post(`420["join","${a.room}"]${RS}${ECHO}`);
    await a.get().until(ECHOED);
    await a.post("41");
    await a.post("1");
    a.leave();
  },
  "a polling client gone amid a poll": async () => {
    const a = await (await line()).joined();
    await a.post(`420["join","${a.room}"]`);
    await a.get().until("430[");
    a.get().leave();
  },
  "an upgrade without a probe": async () => {
    const a = await (await line()).joined();
    const b = await (await line()).websocket(a.sid);
    a.leave();
    b.leave();
  },
  "an upgrade given up after the probe": async () => {
    const a = await (await line()).joined();
    const b = await (await line()).websocket(a.sid);
    await b.write(frame("2probe")).until("3probe");
    b.leave();
    a.leave();
  },
  "an upgrade, then gone": async () => {
    const a = await (await line()).joined();
    const b = await (await line()).websocket(a.sid);
    await b.write(frame("2probe")).until("3probe");
    await b.write(Buffer.concat([frame("5"), frame(ECHO)])).until(ECHOED);
    a.leave();
    b.leave();
  },
  "a WebSocket client, in good order": async () => {
    const a = await (await line()).joinedWebsocket();
    await a.write(Buffer.concat([frame(`420["join","${a.room}"]`), frame(ECHO)])).until(ECHOED);
    a.write(Buffer.concat([frame("41"), frame("\x03\xe8", { opcode: 8 })])).leave();
  },
  "acknowledgements that never come": async () => {
    const a = await (await line()).joinedWebsocket();
    a.write(frame(`420["join","${a.room}"]`));
    await a.until("430[");
    a.write(Buffer.concat([frame('421["ask",0,"question"]'), frame('422["ask",60000,"question"]'), frame(`423["ask-room","${a.room}",500]`)]));
    for (let i = 0; i < 3; i++) await a.until('["question"]');
    a.leave();
  },
  "several namespaces, then gone": async () => {
    const a = await (await line()).joinedWebsocket();
    await a.write(Buffer.concat([frame('40/admin,{"token":"secret"}'), frame("40/nowhere,")])).until("Invalid namespace");
    a.leave();
  },
  "a namespace of its own, then gone": async () => {
    const a = await (await line()).joinedWebsocket();
    await a.write(frame(`40/dynamic-${count},`)).until('["hello"');
    a.leave();
  },
  "a client that is cut off and comes back": async () => {
    const a = await (await line()).joinedWebsocket();
    await a.until('"pid":"');
    const pid = (await a.until('"')).slice(0, -1);
    await a.write(frame(`420["join","${a.room}"]`)).until("430[");
    await a.write(frame(ECHO)).until(ECHOED);
    const offset = (await a.until('"')).slice(0, -1);
    a.leave();
    const b = await (await line()).websocket();
    await b.write(frame(`40{"pid":"${pid}","offset":"${offset}"}`)).until('40{"sid"');
    b.leave();
  },
  "binary that is never complete": async () => {
    const a = await (await line()).joinedWebsocket();
    a.write(Buffer.concat([frame(`453-["echo",${'{"_placeholder":true,"num":0},'.repeat(2)}1]`, {}), frame("abc", { opcode: 2 })])).leave();
  },
  "half a frame": async () => (await (await line()).joinedWebsocket()).write(frame("4", { announce: 1000 })).leave(),
  "a packet that is none": async () => {
    const a = await (await line()).joinedWebsocket();
    await a.write(frame("4x")).until("\x88");
    a.leave();
  },
};

// n clients, of all kinds in turn; the bytes of the heap that are then in use.
async function churn(n) {
  const kinds = Object.entries(KINDS);
  let next = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < n) {
      const [name, kind] = kinds[next++ % kinds.length];
      await kind().catch((error) => assert.fail(`${name}: ${error.message}`));
    }
  }));
  return untilNothingIsLeft(server);
}

const descriptors = () => readdirSync(`/proc/${server.pid}/fd`).length;

// What depends on how many clients there are at a time (tables) grows in some
// rounds; what leaks grows in each, by at least 16 bytes for one kind of them.
test(`churn: ${WANTED} clients that come and go leave no memory, descriptor or counter behind`, { skip: PEER_IS_NODE }, async (t) => {
  server = await TestServer.start({ pingInterval: 600, pingTimeout: 600, connectTimeout: 1200, upgradeTimeout: 600, cleanup: 1, recovery: 500 });
  const began = Date.now();
  const [rss, idle] = [server.rssKiB(), await untilNothingIsLeft(server)];
  const round = Math.ceil(WANTED / ROUNDS);
  const heap = [await churn(round)];
  const before = descriptors();
  while (heap.length < ROUNDS) heap.push(await churn(round));
  const grown = heap.slice(1).map((bytes, i) => bytes - heap[i]);
  t.diagnostic(`${count} connections in ${Date.now() - began} ms; heap ${idle} bytes, then ${heap[0]}, grown by ${grown.join(", ")}; resident set ${rss}, then ${server.rssKiB()} KiB`);
  assert.equal(descriptors(), before);
  // Each loop has spare buffers and tables of its own: a few clients do not fill
  // those of several.
  const slack = LOOPS === 1 || WANTED >= 60_000 ? round / 4 : Infinity;
  assert.ok(Math.min(...grown) < slack, `grows in every round: ${grown.join(", ")} bytes`);
  await server.stop();
});
