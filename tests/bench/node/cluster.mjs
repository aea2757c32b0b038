// The part of sioload.c's contract that a cluster is measured with, on Node's
// socket.io and its adapters for Redis:
//
//     node cluster.mjs PORT redis=HOST:PORT adapter=classic|sharded|streams
//
// Listens on 127.0.0.1 and prints "ready PORT"; port 0 takes a free one.
//
// SPDX-License-Identifier: MIT
import { createServer } from "node:http";
import { Server } from "socket.io";
import { joinCluster } from "../../cluster/node-adapters.mjs";

const ASK_MS = 10000;
const [port, ...words] = process.argv.slice(2);
const given = Object.fromEntries(words.map((word) => word.split(/=(.*)/s, 2)));

const http = createServer();
const cluster = await joinCluster(given);
const io = new Server(http, { adapter: cluster.adapter });

io.on("connection", (socket) => {
  socket.join("everybody");
  socket.on("broadcast", (x) => io.emit("broadcast", x));
  socket.on("everybody", (x) => io.to("everybody").emit("broadcast", x));
  socket.on("ask", (x, ack) => io.timeout(ASK_MS).emit("ask", x, (error, answers) => {
    if (!error) ack(...answers); // else the generator reports it as lost
  }));
});

process.on("SIGTERM", () => process.exit(0));
await cluster.joined(io);
http.listen(Number(port), "127.0.0.1", 4096, () => console.log("ready", http.address().port));
