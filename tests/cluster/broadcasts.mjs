// broadcasts.mjs -- events from one node to the clients of all, as rows: what is
// emitted, and who gets what. Every adapter must do these alike.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { all } from "./world.mjs";

export const EVERYBODY = "f1 f2 t1 t2";

// A row: number, what, spec (or a function of the world), args, who, skip?, and
// what they get if it is not the args.
const row = (name, spec, args, who, { skip, gets = args } = {}) => [name, async (world) => {
  const got = await world.emit(typeof spec === "function" ? spec(world) : spec, ...args);
  assert.deepEqual(got, all(who, gets));
}, skip];

const KINDS = [null, true, false, 0, 127, 128, 65535, 65536, 4294967296, 9007199254740991, -1, -32, -33, -129, -32769,
  -2147483649, -9007199254740991, 0.1, -1.5, "", "é€😀\u0000\u2028\"\\", "x".repeat(70000), [], {}, [[1], { a: [null] }],
  { "": 0, __proto: 1, "2": "b", "1": "a" }];

const byNode = ([from]) => from !== "node" && "only JavaScript has such values";

export const BROADCASTS = [
  row("R04 R05 R06: everybody, once", {}, ["hello", 1, "2", { a: [null, true] }], EVERYBODY),
  row("R04 R05: an event without arguments", {}, ["hello"], EVERYBODY),
  row("R07: one room", { rooms: ["r1"] }, ["hello", "r1"], "f1 t1"),
  row("R08: two rooms, each socket once", { rooms: ["r1", "r2"] }, ["hello", "both"], EVERYBODY),
  row("R09: a room that nobody is in", { rooms: ["nobody"] }, ["hello"], ""),
  row("R10: all but a room", { except: ["r2"] }, ["hello"], "f1 t1"),
  row("R10: a room but those in another", { rooms: ["r1"], except: ["r1"] }, ["hello"], ""),
  row("R10: all but a socket of the other node", (w) => ({ except: [w.t1.id] }), ["hello"], "f1 f2 t2"),
  row("R11: all but the sender", (w) => ({ from: w.f1.id }), ["hello"], "f2 t1 t2"),
  row("R11: a room but the sender", (w) => ({ from: w.f1.id, rooms: ["r1"] }), ["hello"], "t1"),
  row("R12: volatile, to who is ready", { volatile: true }, ["hello", "v"], EVERYBODY),
  row("R13: compress", { compress: true }, ["hello", "c"], EVERYBODY),
  row("R13: no compress, volatile, a room", { compress: false, volatile: true, rooms: ["r1"] }, ["hello", "cv"], "f1 t1"),
  row("R14: a timeout, and no answer wanted", { timeout: 1000 }, ["hello", "t"], EVERYBODY),
  row("R15: local", { local: true }, ["hello", "near"], "f1 f2"),
  ["R16: a room named by a number", async (world) => {
    await world.to.call({ op: "join", rooms: [world.t1.id], local: true, to: [42] });
    await world.heard("42", 1);
    const got = await world.emit({ rooms: [42] }, "hello", 42);
    await world.to.call({ op: "leave", rooms: [world.t1.id], local: true, to: [42] });
    assert.deepEqual(got, all("t1", ["hello", 42]));
  }, ([from, to]) => from === "c" && to === "node" && "for Node's adapters 42 and \"42\" are two rooms, and a room of ours has text for a name"],
  ["R17: a room with # and beyond ASCII", async (world) => {
    const room = "salle é#1";
    await world.ask(world.t2, "join", room);
    await world.heard(room, 1);
    const got = await world.emit({ rooms: [room] }, "hello", room);
    await world.ask(world.t2, "leave", room);
    await world.heard(room, 0);
    assert.deepEqual(got, all("t2", ["hello", room]));
  }],
  row("R18: another namespace", { nsp: "/watch" }, ["hello", "watchers"], "fc tc"),
  row("R18: a room of another namespace", { nsp: "/watch", rooms: ["r1"] }, ["hello"], ""),
  row("R20: values of every kind", {}, ["kinds", ...KINDS], EVERYBODY),
  row("R20: an argument 200 levels deep", {}, ["deep", JSON.parse("[".repeat(200) + "]".repeat(200))], EVERYBODY),
  row("R21: a date", { make: "date" }, ["made"], EVERYBODY, { gets: ["made", "2023-11-14T22:13:20.123Z"], skip: byNode }),
  row("R21: a date beside binary", { make: "date and bytes" }, ["made"], EVERYBODY,
    { gets: ["made", { at: "2023-11-14T22:13:20.123Z", bytes: Buffer.from([1, 2]) }], skip: byNode }),
  row("R22: undefined", { make: "undefined" }, ["made"], EVERYBODY, { gets: ["made", [null, {}]], skip: byNode }),
  row("R23: binary, nested, in order", { rooms: ["r1"] },
    ["bin", { a: Buffer.from([1]), b: [Buffer.from([2, 255]), "s", Buffer.alloc(0)] }, Buffer.alloc(70000, 7), 3], "f1 t1"),
  row("R24: numbers at the limits of their forms", { make: "huge" }, ["made"], EVERYBODY,
    { gets: ["made", [2 ** 53, -(2 ** 53), 1e15, 0.1]], skip: byNode }),
  row("R24: what is no number in JSON", { make: "nan" }, ["made"], EVERYBODY, { gets: ["made", [null, null, 0]], skip: byNode }),
  row("R45: one socket of the other node, by its id", (w) => ({ rooms: [w.t1.id] }), ["dm", "t1"], "t1"),
  ["R05: a hundred events, in order", async (world) => {
    world.took();
    await Promise.all([...Array(100).keys()].map((i) => world.from.call({ op: "emit", rooms: [i % 2 ? "r1" : "r2"] }, "n", i)));
    await world.settle();
    const events = (odd) => [...Array(50).keys()].map((i) => ["n", 2 * i + odd]);
    assert.deepEqual(world.took(), { f1: events(1), f2: events(0), t1: events(1), t2: events(0) });
  }],
];

// Node's classic adapter publishes an integer beyond 64 bits as what is left of
// it, 0; ours does not. JSON and the others' MessagePack have it right.
export const HUGE = ["R27: 1e300", async (world) => {
  const got = await world.emit({}, "huge", 1e300);
  const lost = world.adapter === "classic" && world.from.kind === "node";
  assert.deepEqual(got, { ...all("f1 f2", ["huge", 1e300]), ...all("t1 t2", ["huge", lost ? 0 : 1e300]) });
}];
