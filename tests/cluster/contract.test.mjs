// contract.test.mjs -- the role contract, event by event, with the clients of
// each scene spread in turn over the nodes of a cluster: ours beside Node's,
// either first, and two of ours.
//
// SPDX-License-Identifier: MIT
import { test } from "node:test";
import { CLIENTS, Visitor } from "../suites/contract-clients.mjs";
import { SCENES } from "../suites/contract-scenes.mjs";
import { request } from "../suites/support.mjs";
import { play, until } from "./world.mjs";

// Recovery is on unless a contract says otherwise; but with the sharded adapter
// Node then adds an argument to events, "" or null, that is no offset.
const CLUSTERS = [["classic", 60000], ["sharded", 0], ["streams", 0], ["streams", 60000]];
const NODES = [["c", "node"], ["node", "c"], ["c", "c"]];
const WAYS = [["websocket"], ["polling"]];
const client = CLIENTS.at(-1);

// Events of the streams adapter, recovery being on, end with an offset.
function withoutOffsets(socket) {
  const { onevent } = socket;
  socket.onevent = (packet) => {
    if (/^\d+-\d+$/.test(packet.data.at(-1))) packet.data.pop();
    onevent.call(socket, packet);
  };
  return socket;
}

// The clients of one scene, the first at the first node.
class Crowd extends Visitor {
  constructor(world, transports) {
    super(world.peers.map(({ server }) => server), client, transports);
    this.world = world;
  }

  make(...args) {
    return withoutOffsets(super.make(...args));
  }

  async also(...args) {
    return withoutOffsets(await super.also(...args));
  }

  // What is for one room has a channel of its own with the sharded adapter.
  async heard(nsp, room, ...sockets) {
    const { length } = this.oneOfEach(sockets);
    if (room === null) await this.world.hears(nsp, length);
    else await this.world.heard(room, length);
  }

  // Until no node has any of them; their control is one session.
  async gone() {
    for (const { name, server } of this.world.peers)
      await until(async () => (await request(server.port, "/stats")).body === '{"engine":1,"sockets":0}', `all to have left ${name}`);
  }
}

const scenes = WAYS.flatMap((transports) => Object.entries(SCENES).map(([name, scene]) => [`${name}, over ${transports}`, async (world) => {
  const crowd = new Crowd(world, transports);
  try {
    await scene(crowd);
  } finally {
    crowd.close();
  }
  await crowd.gone();
}]));

// Side by side, each with a Redis and nodes of its own: most of the time is
// waiting.
test("contract", { concurrency: CLUSTERS.length }, (t) => Promise.all(CLUSTERS.map(([adapter, recovery]) => {
  const title = `contract, ${adapter}${recovery ? ", recovery on" : ""}`;
  return t.test(title, (t) => play(t, title, NODES, () => ({ adapter, recovery }), scenes, () => {}));
})));
