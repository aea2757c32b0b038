// toy.test.mjs -- a parser of the program (tests/flow/toy.c) and the same one
// given to socket.io-client: what passes with JSON passes with it.
//
// SPDX-License-Identifier: MIT

process.env.SIO_PARSER = "toy";
await import("./events.test.mjs");
await import("./rooms.test.mjs");
await import("./namespaces.test.mjs");
