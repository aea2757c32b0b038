// contract-python.test.mjs -- the role contract with python3-socketio, the other
// client that Debian has; skipped where it is missing. See contract.py.
//
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import path from "node:path";
import { test } from "node:test";
import { conformance, root } from "./support.mjs";

// Debian's packages are seen by Debian's Python only.
const python = ["/usr/bin/python3", "python3"].find((program) =>
  spawnSync(program, ["-c", "import socketio, aiohttp, requests, websocket"]).status === 0);

function play(port, way) {
  return new Promise((resolve) => {
    execFile(python, [path.join(root, "tests/suites/contract.py"), String(port), way], { timeout: 120_000 },
      (error, stdout, stderr) => resolve({ error, stdout, stderr }));
  });
}

for (const way of ["polling", "websocket", "upgrade", "threads"])
  test(`contract, Python: ${way}`, { skip: !python && "python3-socketio is not installed" }, async (t) => {
    const server = await conformance("contract", "recovery=0");
    const { error, stdout, stderr } = await play(server.port, way);
    const results = [...stdout.matchAll(/^(not )?ok - (.*)$/gm)];
    for (const [, failed, scene] of results)
      await t.test(`contract, Python over ${way}: ${scene}`, () => assert.ok(!failed, stdout));
    assert.ok(results.length > 0 && !error, `${error} ${stdout} ${stderr}`);
    await server.stop();
  });
