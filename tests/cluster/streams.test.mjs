// streams.test.mjs -- the adapter of @socket.io/redis-streams-adapter: events in a
// stream, so that a session broken off at one node goes on at another.
//
// Its emitter is not on npm: what that writes is taken from captures.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { BROADCASTS, HUGE } from "./broadcasts.mjs";
import { MESSAGES, msgpack } from "./probe.mjs";
import { REQUESTS } from "./requests.mjs";
import { all, DIRECTIONS, KINDS, play, until } from "./world.mjs";

const OFFSET = /^\d+-\d+$/;
const again = (scenes) => scenes.map(([name, ...rest]) => [name.replace(/^(R\d+ ?)+: /, ""), ...rest]);
const options = (more) => () => ({ adapter: "streams", recovery: 60000, ...more });

async function people(world) {
  world.offsets = true; // the last argument of every event; took() leaves it out
  await world.people();
}

// ----------------------------------------------------------- what is published

// The first command of this name that holds this text.
async function sends(world, command, text, act) {
  await world.settle();
  world.from.sent();
  await act();
  let found;
  await until(() => (found = world.from.sent(command).find((words) => words.some((word) => word.includes(text)))), `${command} of "${text}"`);
  return found.slice(1);
}

const entry = async (world, spec, ...args) => {
  const words = await sends(world, "XADD", `nsp`, () => world.from.call({ op: "emit", ...spec }, ...args));
  return words.map((word) => word.toString());
};

const WRITTEN = [
  ["R64: an entry's fields, their order, and how long the stream may be", async (world) => {
    const [key, ...words] = await entry(world, { rooms: ["r1"], except: ["r2"] }, "hello", "é", null);
    const uid = words[words.indexOf("uid") + 1];
    assert.match(uid, /^[0-9a-f]{16}$/);
    assert.deepEqual([key, ...words], ["socket.io", "MAXLEN", "~", "10000", "*", "uid", uid, "nsp", "/", "type", "3", "data",
      '{"packet":{"type":2,"data":["hello","é",null]},"opts":{"rooms":["r1"],"except":["r2"],"flags":{}}}']);
    world.took();
  }],
  ["R64: the flags", async (world) => {
    const words = await entry(world, { volatile: true, compress: false }, "hello");
    assert.deepEqual(JSON.parse(words.at(-1)).opts, { rooms: [], except: [], flags: { compress: false, volatile: true } });
  }],
  ["R64: joining, leaving, disconnecting", async (world) => {
    for (const [type, spec, more] of [
      ["4", { op: "join", to: ["j1", "j2"] }, { rooms: ["j1", "j2"] }],
      ["5", { op: "leave", to: ["j1", "j2"] }, { rooms: ["j1", "j2"] }],
      ["6", { op: "disconnect", close: false }, { close: false }],
    ]) {
      const words = (await sends(world, "XADD", "nobody", () => world.from.call({ ...spec, rooms: ["nobody"] }))).map((word) => word.toString());
      assert.equal(words[words.indexOf("type") + 1], type);
      const { opts, ...rest } = JSON.parse(words.at(-1));
      assert.deepEqual([opts.rooms, opts.except, rest], [["nobody"], [], more]);
      assert.deepEqual(Object.keys(JSON.parse(words.at(-1))), ["opts", ...Object.keys(more)]);
    }
  }],
  ["R65: binary: MessagePack in base64, and understood", async (world) => {
    world.took();
    const words = await entry(world, { rooms: ["r1"] }, "bin", Buffer.from([0, 1, 255]));
    const bytes = Buffer.from(words.at(-1), "base64");
    assert.equal(bytes.toString("base64"), words.at(-1));
    const expected = { packet: { type: 2, data: ["bin", new Uint8Array([0, 1, 255])] }, opts: { rooms: ["r1"], except: [], flags: {} } };
    assert.equal(bytes.toString("hex"), Buffer.from(msgpack.encode(expected)).toString("hex"));
    await world.settle();
    assert.deepEqual(world.took(), all("f1 t1", ["bin", Buffer.from([0, 1, 255])]));
  }],
  ["R66: requests and answers: MessagePack on channels", async (world) => {
    for (const [types, act] of [
      [[7, 8], () => world.from.call({ op: "fetch" })],
      [[9, 10], () => world.from.call({ op: "notify-ask" }, "note", "reply", 1)],
      [[3, 11, 12, 12], () => world.from.call({ op: "ask", timeout: 3000 }, "question")],
    ]) {
      world.from.sent();
      world.to.sent();
      await act();
      const published = () => [world.from, world.to].flatMap(({ commands }) => commands.filter(([command]) => command === "PUBLISH"));
      await until(() => published().length >= types.length, "what is published");
      const messages = published().map(([, channel, bytes]) => [channel.toString(), msgpack.decode(bytes)]);
      const { uid } = messages[0][1];
      assert.deepEqual(messages.map(([, { type }]) => type), types);
      assert.deepEqual(messages.map(([channel]) => channel), types.map((_, i) => (i ? `socket.io#/#${uid}#` : "socket.io#/#")));
      for (const [, message] of messages) assert.deepEqual(Object.keys(message).sort(), ["data", "nsp", "type", "uid"]);
    }
    world.took();
  }],
  ["R64: an event ends with its entry's id, on every node", async (world) => {
    await world.from.call({ op: "emit" }, "hello");
    await world.settle();
    const [[id]] = (await world.redis.command("XREVRANGE", "socket.io", "+", "-")).filter(([, fields]) => fields.at(-1).includes('"hello"'));
    for (const { got } of [world.f1, world.f2, world.t1, world.t2]) assert.deepEqual(got.splice(0), [["hello", id.toString()]]);
  }],
  ["R64: not one that is volatile or wants an answer", async (world) => {
    const clients = [world.f1, world.t1];
    // A client that is busy just then does not get it.
    for (let i = 0; i < 10 && clients.some(({ got }) => !got.length); i++) {
      await world.from.call({ op: "emit", volatile: true }, "hello", "v");
      await world.settle();
    }
    await world.from.call({ op: "ask", timeout: 3000 }, "question", "q");
    await world.settle();
    for (const { got } of clients) {
      const all = got.splice(0);
      assert.deepEqual(all.pop(), ["question", "q"]);
      assert.ok(all.length);
      for (const event of all) assert.deepEqual(event, ["hello", "v"]);
    }
    world.took();
  }],
];

// -------------------------------------------------------------------- recovery

// A client of one node that has seen an event; its connection breaks, and the
// node has saved its session.
async function broken(world, rooms = ["r1"]) {
  const client = await world.client("gone", world.from);
  await world.ask(client, "remember", "k", { v: [1] });
  await world.ask(client, "join", rooms);
  await world.from.call({ op: "emit", rooms: [client.id] }, "seen");
  await world.settle();
  const [, offset] = client.got.find(([event]) => event === "seen");
  const pid = client.socket._pid;
  assert.match(pid, /^[\w-]{20}$/);
  client.socket.io.engine.close();
  await until(async () => await world.redis.command("EXISTS", `sio:session:${pid}`), "the session to be saved");
  await world.leave(client);
  return { id: client.id, pid, offset };
}

// It comes to the other node; what that makes of it.
async function back(world, { pid, offset }) {
  const client = await world.client("back", world.to, "/", { auth: { pid, offset } });
  const { recovered, data } = await world.ask(client, "whoami");
  const rooms = (await world.ask(client, "rooms")).filter((room) => room !== client.id);
  return { client, recovered, data, rooms };
}

const RECOVERED = [
  ["R67: a session goes on at the other node", async (world) => {
    const was = await broken(world, ["r1", "r9"]);
    const { client, recovered, data, rooms } = await back(world, was);
    assert.deepEqual([client.id, recovered, data, rooms], [was.id, true, { k: { v: [1] } }, ["r1", "r9"]]);
    assert.equal(client.socket._pid, was.pid);
    assert.equal(await world.redis.command("EXISTS", `sio:session:${was.pid}`), 0);
    assert.deepEqual(await world.emit({ rooms: [was.id] }, "dm"), all("back", ["dm"]));
    await world.leave(client);
  }],
  ["R67: what is saved, and for how long", async (world) => {
    const { id, pid } = await broken(world);
    const session = msgpack.decode(Buffer.from((await world.redis.command("GET", `sio:session:${pid}`)).toString(), "base64"));
    assert.deepEqual(Object.keys(session), ["sid", "pid", "rooms", "data"]);
    assert.deepEqual({ ...session, rooms: session.rooms.sort() }, { sid: id, pid, rooms: [id, "r1"].sort(), data: { k: { v: [1] } } });
    const left = await world.redis.command("PTTL", `sio:session:${pid}`);
    assert.ok(left > 50000 && left <= 60000, String(left));
  }],
  ["R68: with what it has missed", async (world) => {
    const was = await broken(world);
    const emit = (spec, ...args) => world.from.call({ op: "emit", ...spec }, "news", ...args);
    await emit({}, 1);
    await emit({ rooms: ["r1"] }, 2, Buffer.from([1, 2]));
    await emit({ rooms: ["r2"] }, "not its room");
    await emit({ except: ["r1"] }, "excepted");
    await emit({ nsp: "/watch" }, "not its namespace");
    await emit({ rooms: ["r2", "r1"] }, 3);
    await emit({ rooms: [was.id] }, 4);
    await emit({ volatile: true }, 5);
    await emit({ except: [was.id] }, "excepted by id");
    await world.to.call({ op: "emit" }, "news", 6);
    await world.settle();
    world.took();
    const { client, recovered } = await back(world, was);
    assert.equal(recovered, true);
    const news = client.got.splice(0);
    assert.deepEqual(news.map((args) => args.slice(1, -1)), [[1], [2, Buffer.from([1, 2])], [3], [4], [5], [6]]);
    for (const args of news) assert.match(args.at(-1), OFFSET);
    await world.leave(client);
  }],
  ["R68: more than fits in one answer of Redis", async (world) => {
    const was = await broken(world);
    for (let i = 0; i < 300; i++) await world.from.call({ op: "emit", rooms: ["r1"] }, "news", i);
    await world.settle();
    world.took();
    const { client } = await back(world, was);
    assert.deepEqual(client.got.splice(0).map(([, i]) => i), [...Array(300).keys()]);
    await world.leave(client);
  }],
  ["R68: back and forth amid events of both nodes: each once, in order", async (world) => {
    let over = false;
    const sources = [world.from, world.to].map(async (peer, k) => {
      let i = 0;
      for (; !over; i++) await peer.call({ op: "emit", rooms: ["r1"] }, "news", k, i);
      return i;
    });
    const heard = [];
    const take = (client) => {
      for (const [event, ...args] of client.got.splice(0)) if (event === "news") heard.push(args);
    };
    let client = await world.client("restless", world.from), id = client.id;
    await world.ask(client, "join", ["r1"]);
    await until(() => client.got.some(([event]) => event === "news"), "the first event");
    for (let turn = 0; turn < 20; turn++) {
      const pid = client.socket._pid;
      client.socket.io.engine.close();
      await until(async () => await world.redis.command("EXISTS", `sio:session:${pid}`), "the session to be saved");
      await world.leave(client);
      take(client);
      const { length } = heard;
      client = await world.client("restless", turn % 2 ? world.from : world.to, "/", { auth: { pid, offset: heard.at(-1)[2] } });
      assert.equal(client.id, id);
      await until(() => client.got.some(([event]) => event === "news") && heard.length === length, "more events");
    }
    over = true;
    const counts = await Promise.all(sources);
    await world.settle();
    take(client);
    for (const k of [0, 1]) {
      const numbers = heard.filter(([from]) => from === k).map(([, i]) => i);
      assert.deepEqual(numbers, [...Array(counts[k] - numbers[0]).keys()].map((i) => i + numbers[0]));
    }
    await world.leave(client);
    world.took();
  }, ([from, to]) => (from === "node" || to === "node") && "not so with Node: see docs/CLUSTER.md"],
  ...[["none", undefined], ["no offset", "1; DROP"], ["an entry that is gone", "1-1"], ["text", "text"], ["a huge one", "9".repeat(40) + "-1"]]
    .map(([what, offset]) => [`R69: an offset that is ${what}: a new session`, async (world) => {
      const was = await broken(world);
      const { client, recovered, data, rooms } = await back(world, { ...was, offset });
      assert.notEqual(client.id, was.id);
      assert.deepEqual([recovered, data, rooms], [false, {}, []]);
      await world.leave(client);
    }]),
  ["R69: a session that nobody has saved: a new one", async (world) => {
    const { offset } = await broken(world);
    const { client, recovered } = await back(world, { pid: "x".repeat(20), offset });
    assert.equal(recovered, false);
    await world.leave(client);
  }],
  ["R69: a session that is no session: a new one", async (world) => {
    const { pid, offset } = await broken(world);
    await world.redis.command("SET", `sio:session:${pid}`, Buffer.from(msgpack.encode({ sid: 5 })).toString("base64"));
    const { client, recovered } = await back(world, { pid, offset });
    assert.equal(recovered, false);
    await world.leave(client);
  }, ([, to]) => to === "node" && "it costs Node's server its life"],
];

test("streams", (t) => play(t, "streams", DIRECTIONS, options(), [...again([...BROADCASTS, HUGE, ...REQUESTS]), ...WRITTEN, ...RECOVERED], people));

// The hashes of "/" and "/watch" are positive, 3 and 0 of 4. With a negative one Node writes to a
// stream that nobody reads.
test("streams, four", (t) => play(t, "four streams", DIRECTIONS, options({ streams: 4 }), [
  ["R71: a namespace has its stream", async (world) => {
    assert.deepEqual(await world.emit({}, "hello"), all("f1 f2 t1 t2", ["hello"]));
    assert.deepEqual(await world.emit({ nsp: "/watch" }, "hello"), all("fc tc", ["hello"]));
    const keys = (await world.redis.command("KEYS", "socket.io*")).map(String).sort();
    assert.deepEqual(keys, ["socket.io-0", "socket.io-3"]);
    assert.equal((await world.from.call({ op: "fetch" })).length, 4);
  }],
], people));

// -------------------------------------------------------------------- one node

const add = (world, fields) => world.redis.command("XADD", "socket.io", "*", ...fields);

const handmade = (prefix) => MESSAGES.filter(({ format, name }) => format === "entry" && name.startsWith(prefix));

const REPLAYED = [...handmade("streams-"), ...handmade("R64"), ...handmade("R73")].filter(({ fields, frame }) => frame && fields[3] === "/")
  .filter(({ fields }) => !/"rooms":\["[\w-]{20}"\]/.test(fields.at(-1)))
  .map((vector) => [`${vector.name.replace(/^(?!R)/, "R65: ")} is understood`, async (world) => {
    world.took();
    const id = (await add(world, vector.fields)).toString();
    const wanted = vector.frame.replace(/,"\d+-\d+"\]$|\]$/, (end) => (/"volatile":true/.test(vector.fields.at(-1)) ? end : `,"${id}"]`));
    await until(() => [world.p1, world.p2].some(({ frames }) => frames.includes(wanted)), wanted);
    await world.fence();
    world.took();
  }]);

const EMITTED = (number) => handmade("R73").find(({ name }) => name.includes(`streams-emitter-${number}`)).fields;
const rooms = async (world, client) => (await world.ask(client, "rooms")).filter((room) => room !== client.id);
const of = (type, data) => ["uid", "emitter", "nsp", "/", "type", type, "data", JSON.stringify(data)];

const EMITTER = [
  ["R73: the emitter: joining and leaving", async (world) => {
    await add(world, EMITTED("06"));
    await world.fence();
    assert.deepEqual(await rooms(world, world.p1), ["ej", "r1"]);
    await add(world, EMITTED("07"));
    await world.fence();
    assert.deepEqual(await rooms(world, world.p1), ["r1"]);
  }],
  ["R73: the emitter: an event for servers, in the stream", async (world) => {
    await add(world, of("9", { packet: ["note", "from the emitter", 1] }));
    await world.fence();
    assert.deepEqual(await world.from.call({ op: "seen" }), [["from the emitter", 1]]);
  }],
  ["R73: the emitter: disconnecting", async (world) => {
    const client = await world.client("gone", world.from);
    await add(world, of("6", { opts: { rooms: [client.id], except: [], flags: {} }, close: true }));
    await until(() => !client.socket.connected, "it to go");
    await world.leave(client);
  }],
];

const DEADLY = "Node's server reads it for ever";
const POISON = [
  ["JSON that is none", ["uid", "x", "nsp", "/", "type", "3", "data", "{zz"], true],
  ["base64 that is none", ["uid", "x", "nsp", "/", "type", "3", "data", "!!!"], true],
  ["other fields", ["foo", "bar"], true],
  ["a type that is not known", ["uid", "x", "nsp", "/", "type", "99", "data", "{}"], true],
  ["a type that is no number", ["uid", "x", "nsp", "/", "type", "three"], true],
  ["a namespace that is not here", ["uid", "x", "nsp", "/none", "type", "3", "data", "{}"], true],
  ["heartbeats", ["uid", "x", "nsp", "/", "type", "1"], true],
  ["an event without data", ["uid", "x", "nsp", "/", "type", "3"]],
  ["an event without a packet", ["uid", "x", "nsp", "/", "type", "3", "data", '{"opts":{"rooms":[],"except":[],"flags":{}}}']],
  ["an event without options", ["uid", "x", "nsp", "/", "type", "3", "data", '{"packet":{"type":2,"data":["hello"]}}']],
  ["joining without data", ["uid", "x", "nsp", "/", "type", "4"]],
].map(([what, fields, node]) => [`R70: ${what} is passed over`, async (world) => {
  world.took();
  await add(world, fields);
  world.from.sent();
  await world.fence();
  assert.deepEqual(world.took(), {});
  assert.ok(world.from.sent("XREAD").length < 10, "reads on");
}, ([kind]) => kind === "node" && !node && DEADLY]);

async function alone(world) {
  world.started = world.from.sent("XREAD", "SUBSCRIBE", "XREVRANGE");
  await world.client("p1", world.from);
  await world.client("p2", world.from);
  await world.ask(world.p1, "join", "r1");
  await world.ask(world.p2, "join", "r2");
}

test("streams, one node", (t) => play(t, "streams", KINDS, options(), [
  ["R66: what a node subscribes to", (world) => {
    const channels = world.started.filter(([command]) => command === "SUBSCRIBE").flatMap(([, ...names]) => names.map(String));
    assert.deepEqual(channels.map((name) => name.replace(/[0-9a-f]{16}/, "UID")).sort(),
      ["/", "/admin", "/watch"].flatMap((nsp) => [`socket.io#${nsp}#`, `socket.io#${nsp}#UID#`]).sort());
  }],
  ["R72: the first read names an entry", (world) => {
    const [first] = world.started.filter(([command]) => command === "XREAD");
    assert.match(first.at(-1).toString(), OFFSET);
  }, ([kind]) => kind === "node" && "Node says $, and again until something has come"],
  ...REPLAYED, ...EMITTER, ...POISON,
  ["R66: JSON on the channel is dropped", async (world) => {
    await world.redis.command("PUBLISH", "socket.io#/#", '{"uid":"x","nsp":"/","type":9,"data":{"packet":["note","json"]}}');
    await world.redis.command("PUBLISH", "socket.io#/#", Buffer.from([0xc1]));
    await world.redis.command("PUBLISH", "socket.io#/#",
      Buffer.from(msgpack.encode({ uid: "x", nsp: "/", type: 9, data: { packet: ["note", "packed"] } })));
    let seen = [];
    await until(async () => (seen = await world.from.call({ op: "seen" })).length > 0, "the next one");
    assert.deepEqual(seen, [["packed"]]);
  }],
], alone));
