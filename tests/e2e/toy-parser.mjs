// toy-parser.mjs -- the other end of tests/flow/toy.c, whose header has the
// format: a parser for socket.io-client that the server's program brings, too.
//
// SPDX-License-Identifier: MIT

import { EventEmitter } from "node:events";

const US = "\x1f";
const NO_EVENT = "";

export const protocol = 5;
export const PacketType = { CONNECT: 0, DISCONNECT: 1, EVENT: 2, ACK: 3, CONNECT_ERROR: 4 };

const isBytes = (v) => v instanceof Uint8Array || v instanceof ArrayBuffer;

export class Encoder {
  encode(packet) {
    const attachments = [];
    const attach = (bytes) => attachments.push(bytes) - 1;
    // JSON.stringify would call toJSON of a Buffer first: look before it.
    const replaced = (v) =>
      isBytes(v) ? { _placeholder: true, num: attach(v) }
      : Array.isArray(v) ? v.map(replaced)
      : v && typeof v === "object" ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, replaced(x)]))
      : v;
    const written = (v) =>
      v === null || v === undefined ? "n"
      : typeof v === "boolean" ? (v ? "t" : "f")
      : Number.isSafeInteger(v) ? `i${v}`
      : typeof v === "number" ? `d${v}`
      : typeof v === "string" ? `s${v}`
      : isBytes(v) ? `b${attach(v)}`
      : `j${JSON.stringify(replaced(v))}`;
    const event = packet.type === PacketType.EVENT;
    const payload = packet.data === undefined ? [] : Array.isArray(packet.data) ? packet.data : [packet.data];
    const values = (event ? payload.slice(1) : payload).map(written);
    return [[
      `${packet.type}${packet.nsp}`, packet.id ?? "", event ? payload[0] : NO_EVENT, ...values, `#${attachments.length}`,
    ].join(US), ...attachments];
  }
}

export class Decoder extends EventEmitter {
  #text;
  #attachments = [];

  add(message) {
    if (typeof message !== "string") this.#attachments.push(message);
    else this.#text = message;
    const fields = this.#text.split(US);
    if (Number(fields.pop().slice(1)) === this.#attachments.length) this.#finish(fields);
  }

  #finish([head, id, event, ...values]) {
    const attachments = this.#attachments;
    const read = {
      n: () => null,
      t: () => true,
      f: () => false,
      i: Number,
      d: Number,
      s: (text) => text,
      b: (text) => attachments[Number(text)],
      j: (text) => JSON.parse(text, (_, v) => (v?._placeholder === true ? attachments[v.num] : v)),
    };
    const args = values.map((field) => read[field[0]](field.slice(1)));
    const type = Number(head[0]);
    this.#attachments = [];
    this.emit("decoded", {
      type,
      nsp: head.slice(1),
      ...(id !== "" && { id: Number(id) }),
      ...(type === PacketType.EVENT ? { data: [event, ...args] }
        : type === PacketType.ACK ? { data: args }
        : args.length && { data: args[0] }),
    });
  }

  destroy() {
    this.#attachments = [];
  }
}
