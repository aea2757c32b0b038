// traffic.mjs -- numbered events from a client of each of two nodes to all
// clients, at a steady pace, and what has become of each: what faults are
// measured with.
//
// Two ways there are, each from one client to the other: "away", from f1 to t1,
// and "back". Each client hears its own events, too, without Redis.
//
// SPDX-License-Identifier: MIT
import { until } from "./world.mjs";

export const PATIENCE_MS = 60_000; // a machine may be slow, and pauses between tries grow
const EVERY_MS = 10;
const PROOF = 10; // events in a row, without one lost: it is well again

// What one client has heard of another, or of itself.
class Way {
  constructor(sent) {
    this.sent = sent; // when, by number
    this.heard = new Map(); // number -> when
    this.twice = 0;
    this.disorder = 0;
    this.last = -1;
  }

  take(i) {
    if (this.heard.has(i)) return void this.twice++;
    if (i < this.last) this.disorder++;
    this.last = i;
    this.heard.set(i, performance.now());
  }

  get lost() {
    return this.sent.length - this.heard.size;
  }

  // The longest time that an event took.
  get delay() {
    return Math.round(Math.max(0, ...[...this.heard].map(([i, time]) => time - this.sent[i])));
  }

  // The first of those sent since `begin` behind which none is lost; of these,
  // there have to be PROOF. -1: not yet. `upTo`: how many count.
  #well(begin, upTo) {
    let i = upTo;
    while (i > 0 && this.heard.has(i - 1) && this.sent[i - 1] >= begin) i--;
    return upTo - i >= PROOF ? i : -1;
  }

  isWell(begin) {
    return this.#well(begin, this.last + 1) >= 0;
  }

  // So long after `begin` everything arrived.
  healed(begin) {
    const i = this.#well(begin, this.sent.length);
    return i < 0 ? null : Math.max(0, Math.round(this.heard.get(i) - begin));
  }
}

export class Traffic {
  #timers = {};

  // size: bytes more in each event.
  constructor(world, { size = 0 } = {}) {
    const clients = { f1: world.f1, t1: world.t1 };
    this.sent = { f1: [], t1: [] };
    const way = (from) => new Way(this.sent[from]);
    this.away = way("f1");
    this.back = way("t1");
    this.own = { f1: way("f1"), t1: way("t1") };
    this.ways = [this.away, this.back]; // that are in use
    const pad = "x".repeat(size);
    const heard = { f1: { f1: this.own.f1, t1: this.back }, t1: { f1: this.away, t1: this.own.t1 } };
    for (const [name, { socket }] of Object.entries(clients))
      socket.on("n", (from, i) => heard[name][from].take(i));
    for (const name of Object.keys(clients))
      this.#timers[name] = setInterval(() => this.#send(clients[name].socket, name, pad), EVERY_MS);
  }

  // To everybody and to a room, in turn: they take different channels.
  #send(socket, name, pad) {
    const i = this.sent[name].push(performance.now()) - 1;
    if (i % 2) socket.emit("in", "everybody", "n", name, i, pad);
    else socket.emit("all", "n", name, i, pad);
  }

  // Until all ways have been well since `begin`.
  well(begin, what) {
    return until(() => this.ways.every((way) => way.isWell(begin)), `events to arrive ${what}`, PATIENCE_MS);
  }

  // These clients send no more.
  end(names = Object.keys(this.#timers)) {
    for (const name of names) clearInterval(this.#timers[name]);
    this.ways = this.ways.filter((way) => !names.includes(way === this.away ? "f1" : "t1"));
  }

  // Ends it all, and waits until the last events have arrived. false: they have not.
  stop() {
    const last = [...this.ways, ...this.ways.map((way) => this.own[way === this.away ? "f1" : "t1"])];
    this.end();
    return until(() => last.every((way) => way.last === way.sent.length - 1), "the last events", PATIENCE_MS / 4).then(() => true, () => false);
  }
}
