// The contract of sioload.c on Node's socket.io:
//
//     node server.js PORT [pingInterval in ms]
//
// Listens on 127.0.0.1 and prints "ready PORT"; port 0 takes a free one.
//
// SPDX-License-Identifier: MIT
"use strict";
const http = require("http");
const { Server } = require("socket.io");

const [port, pingInterval] = process.argv.slice(2).map(Number);
const server = http.createServer();
const io = new Server(server, pingInterval ? { pingInterval } : {});

io.on("connection", (socket) => {
  socket.on("echo", (x, ack) => {
    if (typeof ack === "function") ack(x);
    else socket.emit("echo", x);
  });
  socket.on("broadcast", (x) => io.emit("broadcast", x));
});

server.listen(port || 0, "127.0.0.1", 4096, () =>
  console.log("ready", server.address().port)
);
