// proxies.mjs -- nginx and haproxy as child processes of a test: configured as
// docs/PROXY.md says, but for ports and paths, on loopback, in a folder of their
// own; ended with the test file.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT, until, within } from "./harness.mjs";

export const folder = mkdtempSync(join(tmpdir(), "sio-proxy-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
chmodSync(folder, 0o755); // nginx started by root runs its workers as another user

// Why there is no such proxy to test with, or false.
export function missing(program) {
  const { error } = spawnSync(program, ["-v"], { env: PATHS });
  return error ? `${program} is not installed (tests/setup.sh)` : false;
}
const PATHS = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` };

export const STREAM_MODULE = ["/usr/lib/nginx/modules/ngx_stream_module.so", "/usr/lib64/nginx/modules/ngx_stream_module.so"]
  .find((path) => existsSync(path));

// Ports that were free a moment ago.
export async function freePorts(n) {
  const servers = await Promise.all(Array.from({ length: n }, () => new Promise((resolve, reject) => {
    const server = createServer().listen(0, "127.0.0.1", () => resolve(server));
    server.once("error", reject);
  })));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

// The block of docs/PROXY.md in that language, with replacements each of which
// must find its text.
export function documented(language, replacements) {
  const page = readFileSync(join(ROOT, "docs/PROXY.md"), "utf8");
  let text = new RegExp("^```" + language + "\n([^]*?)^```", "m").exec(page)[1];
  for (const [from, to] of replacements) {
    assert.ok(text.includes(from), `docs/PROXY.md, ${language}: no "${from}"`);
    text = text.replace(from, () => to);
  }
  return text;
}

// A certificate for 127.0.0.1; haproxy wants it and its key in one file.
export function certificate() {
  const cert = join(folder, "cert.pem");
  const key = join(folder, "key.pem");
  const both = join(folder, "both.pem");
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650",
    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key, "-out", cert], { stdio: "ignore" });
  writeFileSync(both, readFileSync(cert, "utf8") + readFileSync(key, "utf8"));
  return { cert, key, both, pem: readFileSync(cert, "utf8") };
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => socket.destroy());
    socket.once("connect", () => socket.destroy());
  });
}

// Run in the foreground until stop(); up once it accepts on `port`.
async function run(program, args, port) {
  const child = spawn(program, args, { cwd: folder, env: PATHS, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  let ended = false;
  const end = new Promise((resolve) => child.once("close", () => resolve((ended = true))));
  child.stdout.on("data", (data) => (said += data));
  child.stderr.on("data", (data) => (said += data));
  for (const handle of [child, child.stdout, child.stderr]) handle.unref();
  process.once("exit", () => child.kill("SIGKILL"));
  await until(`${program} accepts`, () => {
    assert.ok(!ended, `${program} ended: ${said}`);
    return accepts(port);
  });
  return async () => {
    child.kill("SIGTERM");
    await within(5000, `end of ${program}`, end);
  };
}

export function nginx(name, config, port) {
  const path = join(folder, `${name}.conf`);
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${folder}/${name}-${kind};`).join("\n");
  writeFileSync(path, (STREAM_MODULE && config.includes("stream {") ? `load_module ${STREAM_MODULE};\n` : "") +
    `daemon off;\nworker_processes 1;\npid ${folder}/${name}.pid;\nerror_log stderr warn;\n` +
    config.replace(/^http \{/m, `http {\naccess_log off;\n${temp}`));
  return run("nginx", ["-p", folder, "-e", "stderr", "-c", path], port);
}

export function haproxy(name, config, port) {
  const path = join(folder, `${name}.cfg`);
  writeFileSync(path, config);
  return run("haproxy", ["-db", "-f", path], port);
}
