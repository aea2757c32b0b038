// contract.test.mjs -- the role contract, event by event, with the clients of
// Socket.IO 1 to 4 over each transport and across an upgrade.
//
// SPDX-License-Identifier: MIT
import { test } from "node:test";
import { conformance } from "./support.mjs";
import { CLIENTS, Visitor, WAYS } from "./contract-clients.mjs";
import { SCENES } from "./contract-scenes.mjs";

// Socket.IO 1 encodes its text twice when it polls: it gets its own back, but
// can read nobody else's beyond ASCII. Node's server is no help to it either.
function cannot(client, [transport, upgrade], scene) {
  return client.v1 && transport === "polling" && !upgrade && scene === "kinds" && "that client encodes text twice";
}

async function play(t, client) {
  const server = await conformance("contract", "recovery=0");
  for (const transports of WAYS)
    for (const [name, scene] of Object.entries(SCENES))
      await t.test(`contract, ${client.version} over ${transports.join("+")}: ${name}`, { skip: cannot(client, transports, name) }, async () => {
        const visitor = new Visitor(server, client, transports);
        try {
          await scene(visitor);
        } finally {
          visitor.close();
        }
      });
  await server.stop();
}

// Side by side, each with a server of its own: most of the time is waiting.
test("contract", { concurrency: CLIENTS.length }, (t) =>
  Promise.all(CLIENTS.map((client) => t.test(client.version, (t) => play(t, client)))));
