// node-server.mjs -- server.c once more, on Node's own socket.io: a second
// opinion on the tests. SIO_PEER=node node --test tests/e2e
//
// SPDX-License-Identifier: MIT

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { Server } from "socket.io";

const [port, ...options] = process.argv.slice(2);
const given = Object.fromEntries(options.map((o) => o.split("=")));
const number = (name) => (given[name] === undefined ? {} : { [name]: Number(given[name]) });

const parser = given.parser === "msgpack" ? (await import("socket.io-msgpack-parser")).default
  : given.parser === "toy" ? await import("./toy-parser.mjs")
  : undefined;
const notFound = (request, response) => response.writeHead(404).end();
const certificate = () => ({ cert: readFileSync(given.tlsCert), key: readFileSync(given.tlsKey) });
const http = given.tlsCert
  ? createSecureServer({
    ...certificate(),
    ...(given.tlsCa ? { ca: readFileSync(given.tlsCa) } : {}),
    requestCert: Boolean(given.tlsClients),
    rejectUnauthorized: given.tlsClients === "require",
  }, notFound)
  : createServer(notFound);
const io = new Server(http, {
  serveClient: Boolean(given.client),
  ...number("pingInterval"),
  ...number("pingTimeout"),
  ...number("connectTimeout"),
  ...number("upgradeTimeout"),
  ...(parser && { parser }),
  allowEIO3: given.eio3 === "1",
  cleanupEmptyChildNamespaces: given.cleanup === "1",
  ...(given.maxPayload ? { maxHttpBufferSize: Number(given.maxPayload) } : {}),
  ...(given.transports && given.transports !== "both" ? { transports: [given.transports] } : {}),
});
const watch = io.of("/watch");
let waiting = [];
const count = { connections: 0, refused: 0, handshakes: 0 };

http.on("connection", (socket) => {
  count.connections++;
  socket.on("close", () => count.connections--);
});
io.engine.on("connection", (session) => {
  count.handshakes++;
  session.shown = seen(session.request.socket);
});
io.engine.on("connection_error", () => count.refused++);

// What it knows of the client's certificate, spelled as libsio spells it.
function seen(socket) {
  const shown = socket.getPeerCertificate?.(true);
  if (!shown?.raw) return {};
  return {
    verified: socket.authorized,
    subject: Object.entries(shown.subject).reverse().map(([k, v]) => `${k}=${v.replace(/,/g, "\\,")}`).join(","),
    sha256: shown.fingerprint256.replaceAll(":", "").toLowerCase(),
  };
}

function gone(socket) {
  socket.on("disconnecting", () => watch.emit("going", socket.id, socket.rooms.size));
  socket.on("disconnect", (reason) => watch.emit("gone", socket.id, reason, socket.nsp.name));
}

let filtered = [];
io.of("/filter").on("connection", (socket) => {
  socket.onAny((name) => filtered.push(`any ${name}`));
  socket.onAnyOutgoing((name) => filtered.push(`out ${name}`));
  socket.use((args, next) => {
    if (args[0] === "later") return setImmediate(next);
    if (args[0] === "old") args[0] = "echo";
    next(args[0] === "no" ? new Error("no") : undefined);
  });
  socket.on("error", (error) => filtered.push(`error ${error.message}`));
  socket.on("echo", (...args) => socket.emit("echo", ...args));
  socket.on("later", (...args) => args.pop()(...args));
  socket.on("seen", (ack) => {
    ack(filtered.join(","));
    filtered = [];
  });
});

io.on("connection", (socket) => {
  gone(socket);
  // Handlers below may count on an acknowledgement being asked for.
  socket.use((args, next) => {
    if (typeof args.at(-1) !== "function" && !["echo", "burst", "bye"].includes(args[0])) args.push(() => {});
    next();
  });
  socket.on("echo", (...args) => socket.emit("echo", ...args));
  socket.on("ack", (...args) => args.pop()(...args));
  socket.on("ack-thread", (value, ack) => setImmediate(ack, value));
  socket.on("burst", (n) => {
    for (let i = 0; i < n; i++) socket.emit("burst", i);
  });
  socket.on("ask", (ms, event, ...args) => {
    const ack = args.pop();
    if (ms > 0)
      socket.timeout(ms).emit(event, ...args, (error, ...answers) =>
        error ? ack(error.message) : ack(null, ...answers));
    else socket.emit(event, ...args, (...answers) => ack(null, ...answers));
  });
  socket.on("ask-room", (room, ms, ack) =>
    io.to(room).timeout(ms).emit("question", (error, answers) =>
      ack(error ? error.message : null, ...answers)));
  socket.on("join", (room, ack) => (socket.join(room), ack([...socket.rooms])));
  socket.on("leave", (room, ack) => (socket.leave(room), ack([...socket.rooms])));
  socket.on("send", (how, event, ...args) => {
    const ack = args.pop();
    let target = how.from === "io" ? io : socket.broadcast;
    for (const room of how.to ?? []) target = target.to(room);
    for (const room of how.except ?? []) target = target.except(room);
    if (how.volatile) target = target.volatile;
    target.emit(event, ...args);
    ack();
  });
  socket.on("whoami", (ack) => ack({
    id: socket.id,
    transport: socket.conn.transport.name,
    address: socket.handshake.address,
    auth: socket.handshake.auth,
    query: socket.handshake.query.who ?? "",
    header: socket.handshake.headers["x-test"] ?? "",
    secure: socket.handshake.secure,
    ...socket.conn.shown,
  }));
  socket.on("reload", (ack) => (http.setSecureContext(certificate()), ack("")));
  socket.on("bye", (close) => socket.disconnect(close));
  socket.on("admit", (...args) => {
    const ack = args.pop(), n = waiting.length;
    if (n < (args[0] ?? 0)) return ack(0);
    for (const next of waiting) next();
    waiting = [];
    ack(n);
  });
  const roomOrAll = (room) => (room ? io.to(room) : io);
  socket.on("all", (...args) => {
    if (typeof args.at(-1) === "function") args.pop();
    for (const parent of [dynamic, asked]) parent.emit("all", ...args);
  });
  socket.on("namespaces", (ack) => ack([...io._nsps.keys()].filter((name) => /^.(dynamic|ask)-/.test(name)).length));
  socket.on("handshake", (ack) => ack(socket.handshake));
  socket.on("set-data", (data, ack) => (socket.data = data, ack()));
  socket.on("fetch", async (room, ack) => ack((await roomOrAll(room).fetchSockets())
    .map(({ id, rooms, data }) => ({ id, rooms: [...rooms], data }))));
  socket.on("move", (room, to, ack) => (roomOrAll(room).socketsJoin(to), ack()));
  socket.on("clear", (room, from, ack) => (roomOrAll(room).socketsLeave(from), ack()));
  socket.on("kick", (room) => roomOrAll(room).disconnectSockets(true));
  socket.on("restart", () => {
    const { port } = http.address();
    io.close(() => http.listen(port, "127.0.0.1"));
  });
  socket.on("count", (ack) => ack(io.of("/").sockets.size));
  socket.on("stats", (ack) => ack({
    ...count,
    sessions: io.engine.clientsCount,
    sockets: [...io._nsps.values()].reduce((sum, nsp) => sum + nsp.sockets.size, 0),
  }));
});

io.of("/admin").use((socket, next) => {
  if (socket.handshake.auth.token === "secret") return next();
  next(Object.assign(new Error("not authorized"), { data: { code: "E_AUTH", retry: false } }));
}).on("connection", (socket) => {
  gone(socket);
  socket.emit("hello", socket.id);
  socket.on("echo", (...args) => socket.emit("echo", ...args));
});

io.of("/slow").use((socket, next) => {
  socket.join("held");
  waiting.push(next);
});

const dynamic = io.of(/^\/dynamic-\d+$/).use((socket, next) =>
  next(socket.handshake.auth.refuse ? new Error("refused") : undefined));
const asked = io.of((name, auth, next) => (name.startsWith("/ask-") ? waiting.push(() => next(null, true)) : next(null, false)));
for (const parent of [dynamic, asked])
  parent.on("connection", (socket) => {
    socket.emit("hello", socket.id);
    socket.on("echo", (...args) => socket.emit("echo", ...args));
  });

http.listen(Number(port), "127.0.0.1", () => console.log(`ready ${http.address().port}`));
process.on("SIGTERM", () => {
  setTimeout(() => process.exit(0), 2000).unref();
  io.close(() => process.exit(0));
});
