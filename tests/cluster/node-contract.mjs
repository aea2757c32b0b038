// node-contract.mjs -- the role `contract` on Node's own socket.io, alone or in
// a cluster: what libsio's nodes are measured against.
//
//     node node-contract.mjs PORT [name=value ...]
//
// The options are the conformance server's; with redis=HOST:PORT also those of
// node-adapters.mjs, and the event `call` of node-calls.mjs. survive=1: a promise
// that an adapter rejects and nobody handles is told on the error output; else it
// ends the process, as Node does.
//
// SPDX-License-Identifier: MIT
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import net from "node:net";
import { Server } from "socket.io";
import { joinCluster } from "./node-adapters.mjs";
import { offerCalls } from "./node-calls.mjs";

const [port, ...words] = process.argv.slice(2);
const given = {
  pingInterval: 2000, pingTimeout: 4000, maxPayload: 1000000, connectTimeout: 3000, recovery: 60000, eio3: 1, deflate: 0,
  ...Object.fromEntries(words.map((word) => word.split(/=(.*)/s, 2))),
};
const number = (name) => Number(given[name]);

function onRequest(request, response) {
  const { method, url } = request;
  if (method !== "GET" || url.split("?")[0] !== "/stats") return response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ engine: io.engine.clientsCount, sockets: io.of("/").sockets.size }));
}

const http = given.tlsCert
  ? createSecureServer({ cert: readFileSync(given.tlsCert), key: readFileSync(given.tlsKey) }, onRequest)
  : createServer(onRequest);
const cluster = given.redis ? await joinCluster(given) : null;
const io = new Server(http, {
  pingInterval: number("pingInterval"),
  pingTimeout: number("pingTimeout"),
  connectTimeout: number("connectTimeout"),
  maxHttpBufferSize: number("maxPayload"),
  allowEIO3: number("eio3") === 1,
  cors: { origin: true, credentials: true },
  perMessageDeflate: number("deflate") ? { threshold: 0 } : false,
  cleanupEmptyChildNamespaces: true,
  allowRequest: (request, decide) => decide(...(/[?&]deny(=|&|$)/.test(request.url) ? ["no entry", false] : [null, true])),
  ...(number("recovery") ? { connectionStateRecovery: { maxDisconnectionDuration: number("recovery") } } : {}),
  ...(cluster ? { adapter: cluster.adapter } : {}),
});

// -------------------------------------------------------------------- arguments

const MOST = 3600000;
const isText = (x) => typeof x === "string";
const isFlag = (x) => x === undefined || typeof x === "boolean";
const isCount = (max) => (x) => Number.isInteger(x) && x >= 0 && x <= max;
const isRooms = (x) => isText(x) || (Array.isArray(x) && x.every(isText));

// A handler that runs only when its first arguments are as wanted; the last one
// is the acknowledgement, or a function that does nothing.
function on(socket, event, wanted, run) {
  socket.on(event, (...args) => {
    const ack = typeof args.at(-1) === "function" ? args.pop() : () => {};
    if (wanted.every((is, i) => is(args[i]))) run(args, ack);
  });
}

// ----------------------------------------------------------------------- events

function common(socket) {
  on(socket, "echo", [], (args) => socket.emit("echo", ...args));
  on(socket, "ack", [], (args, ack) => ack(...args));
  on(socket, "bye", [isFlag], ([close]) => socket.disconnect(close));
}

function oneSocket(socket) {
  socket.on("ack-late", (ms, x, ack) => {
    if (isCount(MOST)(ms) && typeof ack === "function") setTimeout(ack, ms, x);
  });
  on(socket, "ask", [isCount(MOST)], ([ms, ...args]) =>
    socket.timeout(ms || 1).emit("question", ...args, (error, answer) =>
      socket.emit("ask-result", error ? { ok: false, error: error.message } : { ok: true, answer })));
  for (const [event, target] of [["burst", () => socket], ["volatile-burst", () => socket.volatile]])
    on(socket, event, [isCount(1e6), isCount(1 << 24)], ([n, size]) => {
      const text = "x".repeat(size);
      for (let i = 0; i < n; i++) target().emit("burst", i, text);
      socket.emit("burst-done", n);
    });
  on(socket, "binary", [isCount(1000), isCount(1 << 24)], ([n, size]) =>
    socket.emit("binary", { list: [...Array(n).keys()].map((i) => Buffer.alloc(size, i % 256)), last: n }));
  on(socket, "kinds", [], () => socket.emit("kinds", null, true, false, 0, -1.5, 9007199254740991, "",
    "é€😀\u0000\u2028\"\\", [], {}, [[1], { a: [null] }]));
  on(socket, "whoami", [], (_, ack) => ack({
    id: socket.id,
    transport: socket.conn.transport.name,
    protocol: socket.conn.protocol,
    auth: socket.handshake.auth,
    query: socket.handshake.query,
    header: socket.handshake.headers["x-test"] ?? null,
    secure: socket.handshake.secure,
    recovered: socket.recovered,
    data: socket.data,
  }));
  on(socket, "remember", [isText], ([key, value], ack) => (socket.data[key] = value, ack()));
  on(socket, "drop", [], () => socket.conn.close());
  on(socket, "namespaces", [], (_, ack) => ack([...io._nsps.keys()].sort()));
}

function manySockets(socket) {
  const rooms = () => [...socket.rooms].sort();
  on(socket, "join", [isRooms], ([list], ack) => (socket.join(list), ack(rooms())));
  on(socket, "leave", [isText], ([room], ack) => (socket.leave(room), ack(rooms())));
  on(socket, "rooms", [], (_, ack) => ack(rooms()));
  on(socket, "to", [isRooms, isText], ([list, event, ...args]) => socket.to(list).emit(event, ...args));
  on(socket, "in", [isRooms, isText], ([list, event, ...args]) => io.in(list).emit(event, ...args));
  on(socket, "except", [isRooms, isText], ([list, event, ...args]) => io.except(list).emit(event, ...args));
  on(socket, "broadcast", [isText], ([event, ...args]) => socket.broadcast.emit(event, ...args));
  on(socket, "all", [isText], ([event, ...args]) => io.emit(event, ...args));
  on(socket, "all-volatile", [isText], ([event, ...args]) => io.volatile.emit(event, ...args));
  on(socket, "ask-room", [isText, isCount(MOST), isText], ([room, ms, event, x], ack) =>
    io.to(room).timeout(ms || 1).emit(event, x, (error, answers) => ack({ late: Boolean(error), answers: answers.sort() })));
  on(socket, "members", [isText], async ([room], ack) => {
    const sockets = await io.in(room).fetchSockets().catch(() => null);
    if (sockets) ack(sockets.map(({ id }) => id).sort());
  });
  on(socket, "move", [isText, isText], ([from, to], ack) => {
    io.in(from).socketsJoin(to);
    io.in(from).socketsLeave(from);
    ack();
  });
  on(socket, "kick-room", [isText, isFlag], ([room, close]) => io.in(room).disconnectSockets(close));
}

io.use((socket, next) =>
  next("fail" in socket.handshake.query ? Object.assign(new Error("refused"), { data: { why: "query" } }) : undefined));
io.on("connection", (socket) => {
  common(socket);
  oneSocket(socket);
  manySockets(socket);
  socket.on("disconnect", (reason) => io.of("/watch").emit("gone", socket.id, reason));
  socket.emit("welcome", { id: socket.id, recovered: socket.recovered });
});
io.of("/watch").on("connection", (socket) => {
  common(socket);
  if (cluster) offerCalls(io, socket);
});
io.of("/admin").use((socket, next) =>
  next(socket.handshake.auth.token === "secret" ? undefined
    : Object.assign(new Error("not authorized"), { data: { code: "E_AUTH", retry: false } })))
  .on("connection", (socket) => {
    common(socket);
    socket.emit("hello", { id: socket.id });
  });
io.of(/^\/room-\d+$/).on("connection", (socket) => {
  common(socket);
  on(socket, "count", [], (_, ack) => ack(socket.nsp.sockets.size));
  on(socket, "say", [], (args) => socket.nsp.emit("said", socket.nsp.name, ...args));
});

// ---------------------------------------------------------------------- running

await cluster?.joined(io);
http.listen(Number(port), "127.0.0.1", () => {
  const { port: taken } = http.address();
  const ready = () => console.log(`ready ${taken}`);
  // One HTTP server has one address: what comes to the other is handed to it.
  const other = net.createServer((socket) => http.emit(given.tlsCert ? "secureConnection" : "connection", socket));
  if (given.tlsCert) return ready();
  other.once("error", ready).listen(taken, "::1", ready).unref();
});

if (number("survive"))
  process.on("unhandledRejection", (reason) => console.error(`unhandled: ${reason?.message ?? reason}`));

process.on("SIGTERM", () => {
  setTimeout(() => process.exit(0), 2000).unref(); // whatever still hangs
  io.close().then(() => process.exit(0), () => process.exit(0));
});
