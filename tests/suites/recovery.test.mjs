// recovery.test.mjs -- connection state recovery with the published clients
// against the role contract: what a client that was cut off gets when it is back.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, test } from "node:test";
import { ask, collect, next, WAYS } from "./contract-clients.mjs";
import { conformance, within } from "./support.mjs";

const require = createRequire(import.meta.url);
const CLIENTS = ["socket.io-client", "socket.io-client-4-0"].map((name) => ({ name, ...require(name), version: require(`${name}/package.json`).version }));
const OFFSET = /^[\w-]{7}(\.[\w-]+)?$/;
const [{ io }] = CLIENTS; // only the newest knows `recovered`

// Runs `fn` with a way to connect to a server of its own, and one to cut off.
async function against(loops, fn) {
  const server = await conformance("contract", ...(loops > 1 ? [`loops=${loops}`] : []));
  const sockets = [];
  after(async () => {
    for (const socket of sockets) socket.disconnect();
    await server.stop();
  });
  await fn(async (io, transports, path = "/", options = {}) => {
    const socket = io(`http://127.0.0.1:${server.port}${path}`, { forceNew: true, transports, reconnectionDelay: 50, randomizationFactor: 0, ...options });
    sockets.push(socket);
    const upgraded = transports.length > 1 ? next(socket.io.engine, "upgrade") : null;
    await next(socket, "connect");
    await upgraded;
    return socket;
  }, (...args) => offline(server, loops, ...args));
}

const waiting = async ({ port }) => (await (await fetch(`http://127.0.0.1:${port}/counters`)).json()).waiting_sessions;

// The network is gone while `meanwhile` runs, and the server has noticed: on the
// loop of a watcher that may be before the socket's own loop is done with it.
async function offline(server, loops, socket, watcher, meanwhile) {
  const gone = collect(watcher, "gone");
  const { id } = socket;
  const before = loops > 1 && await waiting(server);
  socket.io.reconnection(false);
  const down = next(socket, "disconnect");
  socket.io.engine.close();
  await down;
  for (let n = 1; !gone.some(([who]) => who === id); n++) await gone.until(n);
  watcher.off("gone");
  if (loops > 1) await within((async () => { while (await waiting(server) === before); })(), "a session that waits");
  await meanwhile();
  socket.io.reconnection(true);
  const back = next(socket, "connect");
  socket.connect();
  await back;
}

// On several loops each connection is on the next one.
for (const loops of process.env.SIO_PEER === "node" ? [1] : [1, 4])
  await against(loops, async (connect, offline) => {
    const watcher = await connect(io, ["websocket"], "/watch");
    const other = await connect(io, ["websocket"]);

    for (const transports of WAYS) {
      const way = `${transports.join("+")}, loops: ${loops}`;

      test(`S211 S268: identity, rooms, data and what was missed (${way})`, async () => {
        const socket = await connect(io, transports);
        assert.equal(socket.recovered, false);
        const { id } = socket;
        await ask(socket, "join", ["red", "green"]);
        await ask(socket, "remember", "name", "Ada");
        const news = collect(socket, "news");
        other.emit("to", "red", "news", 1);
        await news.until(1);
        await offline(socket, watcher, async () => {
          other.emit("to", "red", "news", 2);
          other.emit("to", ["red", "green"], "news", 3, Buffer.from([1, 2, 3]));
          other.emit("to", "blue", "news", "not for it");
          other.emit("except", "green", "news", "nor this");
          other.emit("to", id, "news", { to: "it" });
          other.emit("all-volatile", "news", "volatile");
          other.emit("all", "news", 4);
          await ask(other, "ack");
        });
        assert.equal(socket.recovered, true);
        assert.equal(socket.id, id);
        await news.until(5);
        assert.deepEqual(news.map(([what]) => what), [1, 2, 3, { to: "it" }, 4]);
        assert.deepEqual(Buffer.from(news[2][1]), Buffer.from([1, 2, 3]));
        for (const args of news) assert.match(args.at(-1), OFFSET);
        assert.deepEqual(await ask(socket, "rooms"), [[id, "green", "red"].sort()]);
        const [{ data, recovered }] = await ask(socket, "whoami");
        assert.deepEqual({ data, recovered }, { data: { name: "Ada" }, recovered: true });

        // And once more, with nothing missed.
        await offline(socket, watcher, () => {});
        assert.equal(socket.recovered, true);
        await ask(socket, "ack");
        assert.equal(news.length, 5);
        socket.disconnect();
      });

      test(`S212: a middleware is not asked about one that is back (${way})`, async () => {
        const socket = await connect(io, transports);
        const welcome = collect(socket, "welcome");
        other.emit("to", socket.id, "news", 1);
        await next(socket, "news");
        socket.io.opts.query = { fail: "1" }; // it would refuse
        await offline(socket, watcher, () => {});
        assert.equal(socket.recovered, true);
        await ask(socket, "ack");
        assert.deepEqual(welcome.at(-1)[0], { id: socket.id, recovered: true });
        socket.disconnect();
      });

      test(`S248: a client that has had no event comes back as another (${way})`, async () => {
        const socket = await connect(io, transports, "/watch");
        const { id } = socket;
        const closed = next(socket, "disconnect");
        socket.io.engine.close();
        await closed;
        await next(socket, "connect");
        assert.notEqual(socket.id, id);
        assert.equal(socket.recovered, false);
        socket.disconnect();
      });

      test(`recovery: volatile events, and those that want an answer, have no offset (${way})`, async () => {
        const socket = await connect(io, transports);
        const news = collect(socket, "news");
        await within((async () => {
          while (!news.length) {
            other.emit("all-volatile", "news", 1, "x"); // dropped while no poll waits
            await ask(other, "ack");
          }
        })(), "a volatile event");
        assert.deepEqual(news[0], [1, "x"]);
        socket.once("question", (...args) => args.pop()(args.length));
        socket.emit("ask", 5000, "y");
        const [result] = await next(socket, "ask-result");
        assert.deepEqual([result.ok, result.answer], [true, 1]);
        socket.disconnect();
      });

      test(`recovery: who leaves for good is new (${way})`, async () => {
        const socket = await connect(io, transports);
        const { id } = socket;
        other.emit("to", id, "news", 1);
        await next(socket, "news");
        socket.disconnect();
        socket.connect();
        await next(socket, "connect");
        assert.notEqual(socket.id, id);
        assert.equal(socket.recovered, false);
        socket.disconnect();
      });
    }

    test(`recovery: a client of 4.0, which knows nothing of it, sees one argument more (loops: ${loops})`, async () => {
      const socket = await connect(CLIENTS[1].io, ["websocket"]);
      const news = next(socket, "news");
      other.emit("to", socket.id, "news", 1);
      const [one, offset] = await news;
      assert.equal(one, 1);
      assert.match(offset, OFFSET);
      socket.disconnect();
    });
  });

test("S215: no pid and no offset", async () => {
  const plain = await conformance("contract", "recovery=0");
  const socket = io(`http://127.0.0.1:${plain.port}`, { transports: ["websocket"], forceNew: true });
  const [welcome] = await Promise.all([next(socket, "welcome"), next(socket, "connect")]);
  assert.equal(welcome.length, 1);
  assert.equal(socket._pid, undefined);
  socket.disconnect();
  await plain.stop();
});
