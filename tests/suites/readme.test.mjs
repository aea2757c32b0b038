// readme.test.mjs -- the server in README.md does what README.md says: its text
// is taken from there, compiled as any user would, and official clients talk to
// it. Only the port is another one.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { io } from "socket.io-client";
import { build, root, Server, within } from "./support.mjs";

let folder, server, port;

function programOfReadme() {
  const text = fs.readFileSync(path.join(root, "README.md"), "utf8");
  const blocks = [...text.matchAll(/^```c\n(.*?)^```$/gms)].map((match) => match[1]);
  const programs = blocks.filter((block) => block.includes("int main("));
  assert.equal(programs.length, 1, "README.md has one program");
  return programs[0];
}

// Of every address: programs listen on all of them.
async function freePort() {
  const listener = net.createServer().listen(0);
  await once(listener, "listening");
  const { port } = listener.address();
  listener.close();
  await once(listener, "close");
  return port;
}

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "sio-readme-"));
  port = await freePort();
  const source = programOfReadme().replace(":3000", `:${port}`);
  assert.ok(source.includes(`:${port}"`));
  fs.writeFileSync(path.join(folder, "server.c"), source);
  // The compiler and its flags as this build was made, so that it also links
  // with an instrumented library.
  const compile = fs.readFileSync(path.join(build, "flags"), "utf8").trim();
  const output = path.join(folder, "server");
  execFileSync(
    "sh",
    ["-c", `${compile} -o "$1" "$2" "$3" -Wl,-rpath,"$4"`, "sh", output,
      `${output}.c`, path.join(build, "libsio.so"), build],
    { cwd: root, stdio: "inherit" },
  );
  server = await Server.start(output, [], { cwd: folder, silent: true });
});

after(async () => {
  await server?.stop();
  fs.rmSync(folder, { recursive: true });
});

// Listeners first: what the server emits on connection must not be missed.
async function client(transports) {
  const socket = io(`http://127.0.0.1:${port}`, {
    transports, forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 50,
  });
  const welcome = once(socket, "welcome");
  await within(once(socket, "connect"), "connect");
  const [id, answer] = await within(welcome, "welcome");
  assert.equal(id, socket.id);
  assert.equal(answer, 42);
  return socket;
}

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  test(`README: the server talks to socket.io-client (${transports})`, async () => {
    const alice = await client(transports);
    const bob = await client(transports);
    const heard = once(bob, "chat message");
    alice.on("chat message", () => assert.fail("the sender heard itself"));

    const reply = await within(alice.emitWithAck("chat message", "hello"), "the ack");
    assert.equal(reply, "delivered");
    assert.deepEqual(await within(heard, "the message"), ["hello"]);
    alice.disconnect();
    bob.disconnect();
  });
}
