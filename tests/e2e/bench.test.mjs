// bench.test.mjs -- `sio bench` against the server that tests/bench measures,
// against Node's, against one that lies and one that goes away.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server } from "socket.io";
import msgpack from "socket.io-msgpack-parser";
import { BUILD, CERTS, LOOPS, ROOT, startProgram, within } from "./harness.mjs";

// What the tool says, and the status it ends with.
async function bench(args, { ms = 20000, started = () => {} } = {}) {
  const child = spawn(`${BUILD}/sio`, ["bench", ...args], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (data) => (said.stdout += data));
  child.stderr.on("data", (data) => (said.stderr += data));
  started(child, said);
  try {
    [said.status] = await within(ms, () => `end of sio bench ${args.join(" ")}: ${said.stderr}`, once(child, "close"));
  } finally {
    child.kill("SIGKILL");
  }
  assert.doesNotMatch(said.stderr, /Sanitizer|runtime error|Assertion/);
  return said;
}

const SHORT = ["-q", "-d", "500ms", "-w", "100ms", "-c", "20"];

// Its report; it went well unless that is not expected.
async function report(args, { status = 0, ...options } = {}) {
  const said = await bench(["--json", "-", ...args], options);
  assert.equal(said.status, status, said.stderr + said.stdout);
  const json = JSON.parse(said.stdout);
  assert.equal(json.ok, status === 0);
  return json;
}

// Node's server in this process, with handlers of its own.
async function serve(handle, { options = {}, http = createServer() } = {}) {
  const io = new Server(http, options);
  handle(io);
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const url = `http://127.0.0.1:${http.address().port}`;
  return { io, http, url, close: () => new Promise((resolve) => io.close(resolve)) };
}

const echo = (io) => io.on("connection", (socket) => {
  socket.on("echo", (x, ack) => (typeof ack === "function" ? ack(x) : socket.emit("echo", x)));
  socket.on("broadcast", (x) => io.emit("broadcast", x));
});

let ours, node;
before(async () => {
  ours = await startProgram(`${BUILD}/servers/bench`, ["0", `loops=${LOOPS}`], /^ready (\d+)$/);
  ours.url = `http://127.0.0.1:${ours.match[1]}`;
  node = await serve(echo);
});
after(async () => {
  await node.close();
  await ours.stop();
});
const servers = { ours: () => ours.url, Node: () => node.url };

// ------------------------------------------------------------------ scenarios

for (const [name, url] of Object.entries(servers)) {
  for (const scenario of ["echo", "ack", "binary", "polling"]) {
    test(`sio bench ${scenario}, server: ${name}`, async () => {
      const r = await report([scenario, url(), ...SHORT]);
      assert.equal(r.opened, 20);
      assert.equal(r.sent, r.received);
      assert.ok(r.received > 20 && r.answers > 0 && r.answers <= r.received);
      assert.ok(r.measured_s > 0.49 && r.measured_s < 5, `${r.measured_s} s`); // to the last answer
      assert.equal(r.latency_ns.count, r.answers);
      const { min, p50, p99, max } = r.latency_ns;
      assert.ok(0 < min && min <= p50 && p50 <= p99 && p99 <= max);
      assert.ok(r.timeline.length >= 3);
    });
  }

  test(`sio bench broadcast, server: ${name}`, async () => {
    const r = await report(["broadcast", url(), "-q", "-n", "50", "-c", "20", "-f", "4"]);
    assert.equal(r.sent, 50);
    assert.equal(r.received, 50 * 20);
  });

  test(`sio bench idle, server: ${name}`, async () => {
    const r = await report(["idle", url(), ...SHORT]);
    assert.equal(r.opened, 20);
    assert.equal(r.connecting_ns.count, 20);
    assert.equal(r.latency_ns, null);
    assert.equal(r.timeline.at(-1).connected, 20);
  });

  for (const scenario of ["churn", "upgrade"]) {
    test(`sio bench ${scenario}, server: ${name}`, async () => {
      const r = await report([scenario, url(), "-q", "-n", "60", "-c", "20"]);
      assert.equal(r.opened, 60);
      assert.equal(r.answers, 60);
    });
  }

  test(`sio bench storm, server: ${name}`, async () => {
    const r = await report(["storm", url(), "-q", "-c", "50", "--rounds", "2", "--pause", "100ms"]);
    assert.equal(r.opened, 150);
    assert.equal(r.received, 100);
    assert.equal(r.rounds_s.length, 2);
    assert.ok(r.rounds_s.every((s) => s > 0 && s < 5));
  });

  for (const transport of ["polling", "upgrade"]) {
    test(`sio bench ack --transport ${transport}, server: ${name}`, async () => {
      const r = await report(["ack", url(), "--transport", transport, "-q", "-n", "500", "-c", "10", "-f", "5"]);
      assert.equal(r.received, 500);
    });
  }

  test(`sio bench binary, large, by polling and on two threads, server: ${name}`, async () => {
    const r = await report(["binary", url(), "--transport", "polling", "-q", "-n", "40", "-c", "4", "-s", "200k", "-t", "2"]);
    assert.equal(r.received, 40);
    assert.ok(r.bytes_in > 40 * 200 * 1024);
  });

  test(`sio bench --rate keeps its schedule, server: ${name}`, async () => {
    const r = await report(["echo", url(), "-q", "-r", "1000", "-d", "1s", "-w", "200ms", "-c", "10", "-t", "2"]);
    assert.equal(r.sent, 1200);
    assert.equal(r.answers, 1000);
    assert.equal(r.late_ns.count, 1000);
  });
}

test("sio bench takes less than the server's maxPayload at a time", async () => {
  const server = await serve(echo, { options: { maxHttpBufferSize: 1000 } });
  try {
    const r = await report(["echo", server.url, "--transport", "polling", "-q", "-n", "2000", "-c", "1", "-f", "100", "-s", "100"]);
    assert.equal(r.received, 2000);
  } finally {
    await server.close();
  }
});

// ----------------------------------------------------------- how it is spoken

test("sio bench --parser msgpack", async () => {
  const server = await serve(echo, { options: { parser: msgpack } });
  try {
    for (const scenario of ["echo", "ack", "binary", "broadcast"])
      assert.ok((await report([scenario, server.url, "--parser", "msgpack", "-q", "-n", "30", "-c", "3"])).received >= 30);
  } finally {
    await server.close();
  }
});

test("sio bench: namespace, auth, headers, query, path, events of one's own", async () => {
  const seen = [];
  const server = await serve((io) => io.of("/chat").on("connection", (socket) => {
    const { auth, headers, query, url } = socket.handshake;
    seen.push([auth, headers["x-one"], headers["x-two"], query.token, url.split("?")[0]]);
    socket.on("say", (x) => socket.emit("said", { got: x }));
  }), { options: { path: "/io" } });
  try {
    const r = await report(["echo", `${server.url}/chat?token=7`, "--path", "/io/", "--auth", '{"user":"a"}', "-H", "X-One: 1",
      "--header=X-Two: 2", "-e", "say", "--reply", "said", "--data", '{"text":"hello"}', "-q", "-n", "20", "-c", "2"]);
    assert.equal(r.received, 20);
    assert.deepEqual(seen, Array(2).fill([{ user: "a" }, "1", "2", "7", "/io/"]));
  } finally {
    await server.close();
  }
});

test("sio bench broadcast --to-others", async () => {
  const server = await serve((io) => io.on("connection", (socket) => socket.on("say", (x) => socket.broadcast.emit("say", x))));
  try {
    const r = await report(["broadcast", server.url, "-e", "say", "--to-others", "-q", "-n", "20", "-c", "5"]);
    assert.equal(r.received, 20 * 4);
  } finally {
    await server.close();
  }
});

test("sio bench over TLS: whom to trust", async () => {
  const http = createSecureServer({ cert: readFileSync(CERTS + "server.pem"), key: readFileSync(CERTS + "server.key") });
  const server = await serve(echo, { http });
  const url = server.url.replace("http:", "https:");
  const args = [url, "-q", "-n", "20", "-c", "2"];
  try {
    for (const transport of ["websocket", "polling", "upgrade"])
      assert.equal((await report([...args, "--transport", transport, "--ca", CERTS + "root.pem"])).received, 20);
    assert.equal((await report([...args, "--insecure"])).received, 20);
    const said = await bench(args);
    assert.equal(said.status, 1);
    assert.match(said.stderr, /no connection could be opened: TLS: /);
  } finally {
    await server.close();
  }
});

test("sio bench over a unix socket", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sio-bench-"));
  const io = new Server();
  const http = createServer();
  io.attach(http);
  echo(io);
  http.listen(join(folder, "socket"));
  await once(http, "listening");
  try {
    assert.equal((await report([`unix:${folder}/socket`, "-q", "-n", "20", "-c", "2"])).received, 20);
  } finally {
    await new Promise((resolve) => io.close(resolve));
    rmSync(folder, { recursive: true });
  }
});

// -------------------------------------------------------------- servers that lie

const wrong = (x) => (x.at(-1) === "x" ? x.slice(0, -1) + "y" : x.slice(0, -1) + "x");
const lies = {
  "another content": [/is not what was sent/, (socket, x) => socket.emit("echo", wrong(x))],
  "less": [/is not what was sent/, (socket, x) => socket.emit("echo", x.slice(0, -1))],
  "the same twice": [/twice/, (socket, x) => socket.emit("echo", x) && socket.emit("echo", x)],
  "another's": [/another event's/, (socket, x, io) => io.emit("echo", x)],
  "no text": [/is not what was sent/, (socket) => socket.emit("echo", 7)],
};
for (const [what, [why, answer]] of Object.entries(lies)) {
  test(`sio bench finds out: ${what}`, async () => {
    const server = await serve((io) => io.on("connection", (socket) => socket.on("echo", (x) => answer(socket, x, io))));
    try {
      const r = await report(["echo", server.url, "-q", "-d", "300ms", "-w", "0", "-c", "3", "--timeout", "500ms"], { status: 1 });
      assert.ok(r.wrong > 0);
      assert.match(r.first_wrong, why);
    } finally {
      await server.close();
    }
  });
}

test("sio bench finds out: an acknowledgement with another's content", async () => {
  let last;
  const server = await serve((io) => io.on("connection", (socket) => socket.on("echo", (x, ack) => {
    ack(last ?? x);
    last = x;
  })));
  try {
    const r = await report(["ack", server.url, "-q", "-n", "20", "-c", "2", "--timeout", "500ms"], { status: 1 });
    assert.match(r.first_wrong, /another event's/);
    const any = await report(["ack", server.url, "-q", "-n", "20", "-c", "2", "--no-check"]);
    assert.equal(any.received, 20);
  } finally {
    await server.close();
  }
});

test("sio bench finds out: a broadcast that not everybody gets", async () => {
  let n = 0;
  const server = await serve((io) => io.on("connection", (socket) => socket.on("broadcast",
    (x) => (++n === 5 ? io.except(socket.id).emit("broadcast", x) : io.emit("broadcast", x)))));
  try {
    const r = await report(["broadcast", server.url, "-q", "-n", "20", "-c", "4", "-f", "2", "--timeout", "500ms"], { status: 1 });
    assert.match(r.first_wrong, /a broadcast is missing/);
  } finally {
    await server.close();
  }
});

test("sio bench finds out: an answer that does not come", async () => {
  let n = 0;
  const server = await serve((io) => io.on("connection", (socket) => socket.on("echo", (x) => ++n === 30 || socket.emit("echo", x))));
  try {
    const r = await report(["echo", server.url, "-q", "-d", "300ms", "-w", "0", "-c", "2", "--timeout", "500ms"], { status: 1 });
    assert.deepEqual(r.errors, [{ count: 1, why: "no answer in time" }]);
  } finally {
    await server.close();
  }
});

// A server that stands still for a while: with a schedule it shows in all
// events that were due meanwhile, not only in those that were under way.
test("sio bench --rate does not spare a server that stands still", async () => {
  let stood = false;
  const server = await serve((io) => io.on("connection", (socket) => socket.on("echo", (x) => {
    if (!stood) for (const end = Date.now() + 400; Date.now() < end;);
    stood = true;
    socket.emit("echo", x);
  })));
  try {
    const r = await report(["echo", server.url, "-q", "-r", "500", "-d", "1s", "-w", "0", "-c", "4"]);
    assert.equal(r.answers, 500);
    // About 200 of the 500 were due while it stood; half of them waited 200 ms.
    assert.ok(r.latency_ns.p75 > 50e6, `p75 ${r.latency_ns.p75}`);
    assert.ok(r.latency_ns.max > 350e6, `max ${r.latency_ns.max}`);
  } finally {
    await server.close();
  }
});

// ------------------------------------------------------- servers that go or are not

test("sio bench: nobody listens", async () => {
  const tcp = createTcpServer().listen(0, "127.0.0.1");
  await once(tcp, "listening");
  const { port } = tcp.address();
  tcp.close();
  await once(tcp, "close");
  const said = await bench([`http://127.0.0.1:${port}`]);
  assert.equal(said.status, 1);
  assert.match(said.stderr, /127\.0\.0\.1:\d+: Connection refused\n$/);
  const r = await report([`http://127.0.0.1:${port}`], { status: 1 });
  assert.match(r.failure, /Connection refused/);
});

test("sio bench: not a Socket.IO server", async () => {
  const http = createServer((request, response) => response.writeHead(404).end("nothing here")).listen(0, "127.0.0.1");
  await once(http, "listening");
  const url = `http://127.0.0.1:${http.address().port}`;
  const tcp = createTcpServer((socket) => socket.on("error", () => {}).end("220 hello\r\n")).listen(0, "127.0.0.1");
  await once(tcp, "listening");
  try {
    for (const [transport, why] of [["websocket", /status 404 nothing here/], ["polling", /GET answered with status 404 nothing here/]]) {
      const r = await report([url, "-q", "-c", "5", "--transport", transport], { status: 1 });
      assert.equal(r.failed, 5);
      assert.match(r.failure, why);
    }
    const r = await report([`127.0.0.1:${tcp.address().port}`, "-q", "-c", "5"], { status: 1 });
    assert.match(r.failure, /does not speak HTTP/);
  } finally {
    http.closeAllConnections();
    http.close();
    tcp.close();
  }
});

test("sio bench: a server that says nothing", async () => {
  const open = new Set();
  const tcp = createTcpServer((socket) => open.add(socket.on("error", () => {}))).listen(0, "127.0.0.1");
  await once(tcp, "listening");
  try {
    const r = await report([`127.0.0.1:${tcp.address().port}`, "-q", "-c", "3", "--timeout", "300ms"], { status: 1 });
    assert.match(r.failure, /no session within 300 ms/);
  } finally {
    for (const socket of open) socket.destroy();
    tcp.close();
  }
});

test("sio bench: an event that nobody answers", async () => {
  const said = await bench([node.url, "-q", "-e", "nothing", "--timeout", "300ms", "-d", "5s", "-c", "3"]);
  assert.equal(said.status, 1);
  assert.match(said.stderr, /no answer to event 'nothing' within 0\.3 s/);
});

test("sio bench: an event that is answered by another one", async () => {
  const server = await serve((io) => io.on("connection", (socket) => socket.on("echo", (x) => socket.emit("answer", x))));
  try {
    const said = await bench([server.url, "-q", "--timeout", "300ms", "-d", "200ms", "-w", "0", "-c", "3"]);
    assert.equal(said.status, 1);
    assert.match(said.stderr, /no answer to event 'echo' within 0\.3 s.*sent "answer"/);
    assert.equal((await report([server.url, "-q", "-n", "9", "-c", "3", "--reply", "answer"])).received, 9);
  } finally {
    await server.close();
  }
});

test("sio bench: a namespace that does not exist, and one that refuses", async () => {
  const server = await serve((io) => io.use((socket, next) => next(new Error("not you"))));
  try {
    for (const [nsp, why] of [["/nowhere", /Invalid namespace/], ["/", /not you/]]) {
      const r = await report([server.url, "-q", "-c", "2", "--namespace", nsp], { status: 1 });
      assert.match(r.failure, why);
    }
  } finally {
    await server.close();
  }
});

for (const transport of ["websocket", "polling"]) {
  test(`sio bench: a server that dies midway, ${transport}`, async () => {
    let n = 0;
    const server = await serve((io) => io.on("connection", (socket) => socket.on("echo", (x) => {
      if (++n === 200) server.http.closeAllConnections(), server.io.close();
      else socket.emit("echo", x);
    })));
    const r = await report(["echo", server.url, "-q", "-d", "60s", "-w", "0", "-c", "5", "--transport", transport], { status: 1 });
    assert.equal(r.lost, 5);
    assert.ok(r.errors.length > 0);
    assert.ok(r.answers > 0 && r.answers < 200);
  });
}

test("sio bench: SIGINT has the report so far", async () => {
  const json = join(tmpdir(), `sio-bench-${process.pid}.json`);
  const said = await bench(["echo", node.url, "-d", "60s", "-w", "0", "-c", "5", "--json", json], {
    started: (child, told) => child.stderr.on("data", () => told.stderr.includes("p50") && child.kill("SIGINT")),
  });
  assert.equal(said.status, 130);
  assert.match(said.stdout, /latency +p50 .*\n/);
  assert.match(said.stdout, /\ninterrupted\n$/);
  const r = JSON.parse(readFileSync(json));
  rmSync(json);
  assert.equal(r.interrupted, true);
  assert.ok(r.measured_s > 0.5 && r.measured_s < 10, `${r.measured_s} s`);
});

// -------------------------------------------------------------------- reports

test("sio bench: progress, text and a page with plots", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sio-bench-"));
  try {
    const said = await bench(["echo", ours.url, "-d", "1s", "-w", "500ms", "-c", "10", "--html", `${folder}/r.html`,
      "--json", `${folder}/r.json`, "--pid", String(ours.pid)]);
    assert.equal(said.status, 0, said.stderr);
    assert.match(said.stderr, /^ +1\.\d s +measuring +10 connected +[\d,]+\/s/m);
    assert.match(said.stdout, /^echo over WebSocket, .*: 10 connections, 1 in flight, 32 bytes\n/);
    assert.match(said.stdout, /server +CPU \d+\.\d\d s, \d+\.\d\d µs per event; memory \d+\.\d MB/);
    assert.match(said.stdout, /\nall went well\n$/);
    const html = readFileSync(`${folder}/r.html`, "utf8");
    assert.equal(html.match(/<svg /g).length, 4);
    assert.doesNotMatch(html, /nan|inf\b|<script|https?:\/\/(?!127)/);
    assert.ok(JSON.parse(readFileSync(`${folder}/r.json`)).server_cpu_us_per_event > 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("sio: help, version, and what is wrong with a command line", async () => {
  const run = async (...args) => {
    const child = spawn(`${BUILD}/sio`, args, { cwd: ROOT });
    let stdout = "", stderr = "";
    child.stdout.on("data", (data) => (stdout += data));
    child.stderr.on("data", (data) => (stderr += data));
    const [status] = await once(child, "close");
    return { status, stdout, stderr };
  };
  assert.match((await run("--help")).stdout, /sio bench/);
  assert.match((await run("--version")).stdout, /^sio \d+\.\d+\.\d+\n$/);
  const help = (await run("bench", "--help")).stdout;
  const page = readFileSync(ROOT + "docs/SIO.md", "utf8");
  const names = [...help.matchAll(/^ .{4} --([\w-]+)/gm)].map(([, name]) => name);
  assert.ok(names.length > 25);
  for (const name of names) if (name !== "help") assert.match(page, new RegExp(`\`--${name}[ \`]`));
  for (const args of [[], ["nothing"], ["bench"], ["bench", "h", "--nothing"], ["bench", "ftp://h"]]) {
    const { status, stdout, stderr } = await run(...args);
    assert.equal(status, 2, args.join(" "));
    assert.equal(stdout, "");
    assert.match(stderr, /^(sio|usage)/);
  }
});
