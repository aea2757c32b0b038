// contract-clients.mjs -- the published clients of Socket.IO 1 to 4, behind one
// face: what they call things differs, what they can do hardly.
//
// SPDX-License-Identifier: MIT
import { createRequire } from "node:module";
import { within } from "./support.mjs";

const require = createRequire(import.meta.url);

// Name in node_modules, protocol of Engine.IO.
export const CLIENTS = [
  ["socket.io-client-1", 3],
  ["socket.io-client-2", 3],
  ["socket.io-client-3", 4],
  ["socket.io-client-4-0", 4],
  ["socket.io-client", 4],
].map(([name, protocol]) => {
  const { version } = require(`${name}/package.json`);
  return { version, protocol, v1: version.startsWith("1."), io: require(name) };
});

export const WAYS = [["polling"], ["websocket"], ["polling", "websocket"]];

// The next `event` as the array of its arguments.
export function next(emitter, event) {
  return within(new Promise((resolve) => emitter.once(event, (...args) => resolve(args))), `"${event}"`);
}

// Every `event`, as arrays of arguments; until(n) waits for the n-th.
export function collect(emitter, event) {
  const list = [];
  let look = () => {};
  emitter.on(event, (...args) => (list.push(args), look()));
  list.until = (n) => within(new Promise((resolve) => {
    look = () => list.length >= n && resolve(list);
    look();
  }), `${n} times "${event}"`);
  return list;
}

// The acknowledgement of an event, as the array of its values.
export function ask(socket, event, ...args) {
  return within(new Promise((resolve) => socket.emit(event, ...args, (...answer) => resolve(answer))), `the answer to "${event}"`);
}

// One client library over one way of transport, against one server, or several
// of a cluster in turn.
export class Visitor {
  #sockets = [];

  constructor(servers, client, transports) {
    this.urls = [servers].flat().map(({ port }) => `http://127.0.0.1:${port}`);
    this.turn = 0;
    this.client = client;
    this.transports = transports;
    this.v1 = client.v1;
    this.v2 = client.protocol === 3;
  }

  // A socket on a connection of its own. `auth` is, for the old ones, the query
  // of the namespace, which is the server's auth.
  make(path = "/", { auth, ...options } = {}) {
    const url = this.urls[this.turn++ % this.urls.length];
    const socket = this.client.io(url + path, {
      forceNew: true,
      reconnection: false,
      transports: this.transports,
      ...(auth ? (this.v2 ? { query: auth } : { auth }) : {}),
      ...options,
    });
    this.#sockets.push(socket);
    socket.welcome = new Promise((resolve) => socket.once("welcome", (...args) => resolve(args)));
    return socket;
  }

  // The same, connected; an upgrade that there will be is over.
  async connect(path, options) {
    const socket = this.make(path, options);
    const upgraded = this.transports.length > 1 ? next(socket.io.engine, "upgrade") : null;
    upgraded?.catch(() => {});
    await next(socket, "connect");
    await upgraded;
    return socket;
  }

  // Another namespace on a socket's connection.
  async also(socket, path) {
    const other = socket.io.socket(path);
    this.#sockets.push(other);
    await next(other, "connect");
    return other;
  }

  // One socket of each server that these are at.
  oneOfEach(sockets) {
    return [...new Map(sockets.map((socket) => [socket.io.uri, socket])).values()];
  }

  // Until the servers of these sockets are told what others send to this room,
  // or namespace: one server knows at once.
  async heard(_nsp, _room, ..._sockets) {}

  // Why a namespace was refused: its message and data, of which the old
  // protocol carries only one.
  async refusal(socket) {
    if (!this.v2) {
      const [error] = await next(socket, "connect_error");
      return { message: error.message, data: error.data };
    }
    const [error] = await next(socket, "error");
    return typeof error === "string" ? JSON.parse(error) : error;
  }

  close() {
    for (const socket of this.#sockets.splice(0)) {
      socket.disconnect();
      socket.io.engine?.close();
    }
  }
}
