// The contract of sioload.c on Node's socket.io:  PORT=3000 node server.js
//
// SPDX-License-Identifier: MIT
"use strict";
const http = require("http");
const { Server } = require("socket.io");

const server = http.createServer();
const io = new Server(server);

io.on("connection", (socket) => {
  socket.on("echo", (x, ack) => {
    if (typeof ack === "function") ack(x);
    else socket.emit("echo", x);
  });
  socket.on("broadcast", (x) => io.emit("broadcast", x));
});

server.listen(+process.env.PORT || 3000, "127.0.0.1", 4096, () => console.log("ready"));
