// probe.mjs -- messages by hand: what a foreign node would publish, made byte by
// byte, and what a node publishes, made comparable.
//
// SPDX-License-Identifier: MIT
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { Decoder, Encoder } from "socket.io-parser";
import { root } from "../suites/support.mjs";

const require = createRequire(import.meta.url);
export const notepack = require("notepack.io");
export const msgpack = require("@msgpack/msgpack");

const vectors = (name) => JSON.parse(readFileSync(path.join(root, "tests/vectors", name), "utf8"));
export const MESSAGES = vectors("redis.json").messages;
export const VALUES = vectors("msgpack.json");

export const bytesOf = ({ hex, text }) => (hex ? Buffer.from(hex, "hex") : Buffer.from(text));

// What a client gets when a server emits `value`: itself, after the trip through
// Socket.IO's own parser.
export function received(value) {
  const decoder = new Decoder();
  let data;
  decoder.on("decoded", (packet) => (data = packet.data[1]));
  for (const part of new Encoder().encode({ type: 2, nsp: "/", data: ["v", value] })) decoder.add(part instanceof ArrayBuffer ? Buffer.from(part) : part);
  return data;
}

// A broadcast of the classic adapter whose only argument is these bytes.
export function classicAround(argument, { uid = "probe1", rooms = [] } = {}) {
  const pack = notepack.encode;
  return Buffer.concat([Buffer.from([0x93]), pack(uid),
    Buffer.from([0x83]), pack("type"), pack(2), pack("data"), Buffer.from([0x92]), pack("v"), argument, pack("nsp"), pack("/"),
    pack({ rooms, except: [], flags: {} })]);
}

// The message in a payload, however it is written.
export function decode(payload, unpack = notepack.decode) {
  return payload[0] === 0x7b ? JSON.parse(payload.toString()) : unpack(payload);
}

// Commands with what differs from run to run written out of them: the ids of
// nodes, requests and sockets become names of the same length, so that bytes can
// be compared. names: { id: name }, what is known already.
export function normalise(commands, names = {}) {
  const known = new Map(Object.entries(names));
  const name = (id, kind) => {
    if (typeof id !== "string" || known.has(id) || id === "emitter") return;
    known.set(id, `${kind}${[...known.keys()].length}`.padEnd(id.length, "."));
  };
  const learn = (message) => {
    if (Array.isArray(message)) return name(message[0], "node");
    name(message?.uid, "node");
    name(message?.requestId ?? message?.data?.requestId, "ask");
  };
  for (const [, ...words] of commands)
    for (const word of words) {
      const text = word.toString();
      const own = /#([\w-]{6}|[0-9a-f]{16})#$/.exec(text);
      if (own && /^\S+#\/\w*#/.test(text) && text.includes("response")) name(own[1], "node");
      try {
        learn(decode(word));
      } catch {} // a channel, a number, ...
    }
  const plain = (word) => {
    let text = word.toString("latin1");
    for (const [id, label] of known) text = text.replaceAll(id, label.slice(0, id.length).padEnd(id.length, "."));
    return text;
  };
  return commands.map((words) => words.map(plain));
}
