// conformance.test.mjs -- the conformance server as a program: its command line,
// its two addresses, its end.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import path from "node:path";
import { test } from "node:test";
import { build, conformance, within } from "./support.mjs";

const program = path.join(build, "servers/conformance");

for (const [name, ...args] of [
  ["no arguments"],
  ["a role without a port", "protocol-sio"],
  ["an unknown role", "no-such-role", "0"],
  ["a port that is no number", "protocol-sio", "http"],
  ["a port beyond 65535", "protocol-sio", "65536"],
  ["an unknown option", "protocol-sio", "0", "colour=red"],
  ["an option without a value", "protocol-sio", "0", "pingInterval"],
  ["an option with a bad value", "protocol-sio", "0", "pingInterval=soon"],
]) {
  test(`conformance: ${name} is explained and ends with 2`, () => {
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
    assert.equal(status, 2);
    assert.equal(stdout, "");
    assert.match(stderr, /^conformance: .+\nusage: /);
  });
}

const handshake = (host, port) =>
  within(
    new Promise((resolve, reject) => {
      http
        .get({ host, port, path: "/socket.io/?EIO=4&transport=polling", agent: false }, (res) => {
          res.resume();
          resolve(res.statusCode);
        })
        .on("error", reject);
    }),
    `a handshake with ${host}`,
  );

test("S21 S22 conformance: serves 127.0.0.1, localhost and ::1, and ends on SIGTERM", async () => {
  const server = await conformance("protocol-sio");
  for (const host of ["127.0.0.1", "localhost", "::1"])
    assert.equal(await handshake(host, server.port), 200, host);
  await server.stop();
});

test("conformance: a port that is taken is an error", async () => {
  const server = await conformance("protocol-sio");
  const { status, stderr } = spawnSync(program, ["protocol-sio", String(server.port)], {
    encoding: "utf8",
  });
  assert.equal(status, 1);
  assert.match(stderr, /conformance: /);
  await server.stop();
});

test("conformance: options reach the handshake", async () => {
  const server = await conformance("protocol-sio", "pingInterval=1234", "maxPayload=4321");
  const answer = await fetch(
    `http://127.0.0.1:${server.port}/socket.io/?EIO=4&transport=polling`,
  );
  const open = JSON.parse((await answer.text()).slice(1));
  assert.equal(open.pingInterval, 1234);
  assert.equal(open.maxPayload, 4321);
  await server.stop();
});

test("conformance: speaks TLS with tlsCert and tlsKey", async () => {
  const certs = new URL("../../build/certs/", import.meta.url).pathname;
  const server = await conformance("eio-echo", `tlsCert=${certs}server.pem`, `tlsKey=${certs}server.key`);
  const status = await within(
    new Promise((resolve, reject) => {
      const options = { host: "localhost", port: server.port, path: "/engine.io/?EIO=4&transport=polling", agent: false };
      https
        .get({ ...options, ca: readFileSync(certs + "root.pem") }, (res) => resolve(res.resume().statusCode))
        .on("error", reject);
    }),
    "a handshake over TLS",
  );
  assert.equal(status, 200);
  await server.stop();
});

test("conformance: a certificate that cannot be used is explained", () => {
  const { status, stderr } = spawnSync(program, ["ws-echo", "0", "tlsCert=nowhere.pem"], { encoding: "utf8" });
  assert.equal(status, 1);
  assert.match(stderr, /^conformance: certificate nowhere.pem: No such file/);
});
