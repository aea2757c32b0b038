// node-calls.mjs -- the event `call`, on "/watch", of a node of a cluster: what a
// server can do of its own accord, done when a test asks for it.
//
//     socket.emit("call", spec, ...args, ack)   -> ack(error or null, result)
//
// spec.op says what; `nsp` (default "/"), `rooms`, `except`, `volatile`,
// `compress`, `timeout` (ms) and `local` make up the target, `from` is the id of
// a socket here whose broadcast it is, `remote` the id of a socket anywhere that
// alone is meant.
//
//     emit         args is an event and its arguments. `make`: more arguments,
//                  made here because JSON has none like them
//     ask          the same, with answers: { error, answers }; with `remote`
//                  { error, answer }
//     join, leave  spec.to: a list of rooms
//     disconnect   spec.close
//     fetch        the sockets meant: [{ id, rooms, data, handshake }], by id
//     rooms        the names of all rooms, sorted
//     servers      how many nodes there are
//     notify       args to the other servers
//     notify-ask   the same, with answers: { error, answers }
//     seen         what notify has brought here since the last time
//
// A server that is notified keeps the arguments; with an acknowledgement wanted,
// args[1] says which: "reply" gives args[2] back, "nothing" no value at all,
// "twice" args[2] and more, "never" nothing ever.
//
// SPDX-License-Identifier: MIT
const MADE = {
  date: () => new Date(1700000000123),
  "date and bytes": () => ({ at: new Date(1700000000123), bytes: Buffer.from([1, 2]) }),
  undefined: () => [undefined, { gone: undefined }],
  huge: () => [2 ** 53, -(2 ** 53), 1e15, 0.1],
  nan: () => [NaN, Infinity, -0],
};

const notified = new WeakMap(); // namespace -> what its server has been told

function listenTo(nsp) {
  if (notified.has(nsp)) return;
  notified.set(nsp, []);
  nsp.on("note", (...args) => {
    const ack = typeof args.at(-1) === "function" ? args.pop() : null;
    notified.get(nsp).push(args);
    if (args[0] === "reply") ack?.(args[1]);
    if (args[0] === "twice") ack?.(args[1], "more");
    if (args[0] === "nothing") ack?.();
  });
}

function target(nsp, { rooms = [], except = [], from, timeout, local, volatile, compress }) {
  let to = from ? nsp.sockets.get(from).broadcast : nsp;
  if (rooms.length) to = to.in(rooms);
  if (except.length) to = to.except(except);
  if (volatile) to = to.volatile;
  if (compress !== undefined) to = from ? to.compress(compress) : to.compress(compress);
  if (local) to = to.local;
  return timeout === undefined ? to : to.timeout(timeout);
}

async function remote(nsp, id) {
  const [socket] = await nsp.in(id).fetchSockets();
  if (!socket) throw new Error("no such socket");
  return socket;
}

// emitWithAck() would drop the answers that came in time.
const answersOf = (to, args) => new Promise((resolve) =>
  to.emit(...args, (error, answers) => resolve({ error: error ? error.message : null, answers })));

const OPS = {
  async emit(nsp, spec, args) {
    const to = spec.remote ? await remote(nsp, spec.remote) : target(nsp, spec);
    to.emit(...args, ...(spec.make ? [MADE[spec.make]()] : []));
  },
  async ask(nsp, spec, args) {
    if (!spec.remote) return answersOf(target(nsp, spec), args);
    const { error, answers } = await answersOf((await remote(nsp, spec.remote)).timeout(spec.timeout), args);
    return error ? { error } : { error, answer: answers };
  },
  join: async (nsp, spec) => void (spec.remote ? await remote(nsp, spec.remote) : target(nsp, spec))[
    spec.remote ? "join" : "socketsJoin"](spec.to),
  async leave(nsp, spec) {
    if (!spec.remote) return void target(nsp, spec).socketsLeave(spec.to);
    const socket = await remote(nsp, spec.remote);
    for (const room of spec.to) socket.leave(room);
  },
  disconnect: async (nsp, spec) => void (spec.remote ? await remote(nsp, spec.remote) : target(nsp, spec))[
    spec.remote ? "disconnect" : "disconnectSockets"](spec.close),
  fetch: async (nsp, spec) => (await target(nsp, spec).fetchSockets())
    .map(({ id, rooms, data, handshake }) => ({ id, rooms: [...rooms].sort(), data, handshake }))
    .sort((a, b) => (a.id < b.id ? -1 : 1)),
  rooms: async (nsp) => [...await nsp.adapter.allRooms()].sort(),
  servers: (nsp) => nsp.adapter.serverCount(),
  notify: (nsp, _, args) => void nsp.serverSideEmit(...args),
  "notify-ask": (nsp, _, args) => new Promise((resolve) =>
    nsp.serverSideEmit(...args, (error, answers) => resolve({ error: error ? error.message : null, answers }))),
  seen: (nsp) => notified.get(nsp).splice(0),
};

export function offerCalls(io, socket) {
  for (const nsp of io._nsps.values()) listenTo(nsp);
  socket.on("call", async (spec, ...args) => {
    const ack = args.pop();
    try {
      ack(null, await OPS[spec.op](io.of(spec.nsp ?? "/"), spec, args));
    } catch (error) {
      ack(error.message);
    }
  });
}
