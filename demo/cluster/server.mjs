// server.mjs -- the node of cluster.c and node.c in JavaScript: the same page,
// the same events, on socket.io and @socket.io/redis-adapter. The events are
// listed in node.c.
//
//     node server.mjs [--name NAME] [--redis URL] ADDRESS
//
// SPDX-License-Identifier: MIT

import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const ANSWER_MS = 3000; // how long those who are told something may take
const QUESTION_MS = 2000; // how long the other nodes may take

const { values: { name, redis, help }, positionals: [address] } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: "string", default: "js1" },
    redis: { type: "string", default: "redis://127.0.0.1" },
    help: { type: "boolean" },
  },
});
if (!address) {
  console.log("usage: node server.mjs [--name NAME] [--redis URL] ADDRESS");
  process.exit(help ? 0 : 2);
}

const isLine = (text, limit) =>
  typeof text === "string" && text !== "" && Buffer.byteLength(text) <= limit && !/[\x00-\x1f]/.test(text);

// --------------------------------------------------------------------- Redis

async function connect() {
  const client = createClient(redis.startsWith("unix:") ? { socket: { path: redis.slice(5) } } : { url: redis });
  client.on("error", (error) => console.error(`redis: ${error.message}`)); // it connects again by itself
  return client.connect();
}

// ----------------------------------------------------------------------- page

const TYPES = { html: "text/html", css: "text/css", js: "text/javascript" };

// /common/FILE and /FILE; socket.io itself serves the client bundle.
function serveFile({ method, url }, response) {
  const [, common, file] = /^\/(common\/)?([\w-]+\.(?:html|css|js))$/.exec(url === "/" ? "/index.html" : url) ?? [];
  const refuse = () => response.writeHead(404).end();
  if (method !== "GET" || !file) return refuse();
  createReadStream(new URL(`${common ? "../common/" : ""}public/${file}`, import.meta.url))
    .once("error", refuse)
    .once("open", function () {
      response.writeHead(200, { "Content-Type": `${TYPES[file.split(".").at(-1)]}; charset=utf-8`, "Cache-Control": "no-cache" });
      this.pipe(response);
    });
}

// --------------------------------------------------------------------- events

const http = createServer(serveFile);
const io = new Server(http, {
  adapter: createAdapter(await connect(), await connect(), { requestsTimeout: QUESTION_MS }),
  maxHttpBufferSize: 16 * 1024,
});

function publish(socket) {
  Object.assign(socket.data, { id: socket.id, node: name, transport: socket.conn.transport.name });
}

function tell(socket, what) {
  io.emit("changed", what, socket.data.name, name);
}

io.use((socket, next) => {
  socket.data.name = socket.handshake.auth.name;
  next(isLine(socket.data.name, 72) ? undefined : new Error("Please choose a name of 1 to 24 letters."));
});

// A handler that is called only when there is an acknowledgement to give.
const ask = (handler) => (...args) => typeof args.at(-1) === "function" && handler(...args);

io.on("connection", (socket) => {
  publish(socket);
  socket.join(`node:${name}`);
  socket.emit("welcome", name, "Node.js");
  tell(socket, "came");
  socket.on("upgraded", () => {
    publish(socket);
    tell(socket, "upgraded");
  });
  socket.on("disconnect", () => tell(socket, "left"));

  socket.on("people", ask(async (ack) => {
    const sockets = await io.fetchSockets().catch(() => io.local.fetchSockets());
    ack(sockets.map(({ data }) => data));
  }));
  socket.on("nodes", ask((ack) => {
    io.serverSideEmit("describe", (_late, answers) => ack(answers));
  }));
  socket.on("say", ask((room, text, ack) => {
    if (room !== null && typeof room !== "string") return;
    if (!isLine(text, 600)) return ack("A line has 1 to 200 characters.");
    const target = room === null ? socket.broadcast : socket.to(room);
    target.timeout(ANSWER_MS).emit("said", socket.data.name, name, room, text, (_late, answers) => ack(answers));
  }));
  socket.on("stop", (which) => {
    io.serverSideEmit("stop", which);
    stopIfMeant(which);
  });
});

io.on("describe", (ack) => ack([name, "Node.js"]));
io.on("stop", stopIfMeant);

// --------------------------------------------------------- beginning, ending

function stopIfMeant(which) {
  if (which === name) stop();
}

function stop() {
  setTimeout(() => process.exit(0), 2000).unref(); // whatever still hangs
  io.close().finally(() => process.exit(0));
}
process.on("SIGTERM", stop);
process.on("SIGINT", stop);

const where = address.startsWith("unix:")
  ? { path: address.slice(5) }
  : { host: address.replace(/:\d+$/, "").replace(/[[\]]/g, ""), port: Number(address.split(":").at(-1)) };
http.once("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
http.listen(where, () => console.log(`${name}: ${address}`));
