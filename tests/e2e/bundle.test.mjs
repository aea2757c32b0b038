// bundle.test.mjs -- the published client bundle as browsers fetch it: every
// file in every coding, its ETag, and what is not of it.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import { http, PEER_IS_NODE, TestServer } from "./harness.mjs";

const DIST = "node_modules/socket.io/client-dist";
const VERSION = JSON.parse(readFileSync("node_modules/socket.io/package.json")).version;
const SCRIPTS = ["socket.io.js", "socket.io.min.js", "socket.io.msgpack.min.js", "socket.io.esm.min.js"];
const CODINGS = [
  ["identity", undefined, (bytes) => bytes],
  ["gzip", "gzip", gunzipSync],
  ["deflate", "deflate", inflateSync],
  ["br", "br", brotliDecompressSync],
  ["gzip,br,deflate", "gzip", gunzipSync],
];
const server = await TestServer.start({ client: DIST });
const get = (name, headers) => http(server, { path: `/socket.io/${name}`, query: { v: 1 }, headers });

for (const name of SCRIPTS.flatMap((script) => [script, `${script}.map`])) {
  for (const [accept, coding, undo] of CODINGS) {
    test(`E205 E206: ${name}, accept-encoding: ${accept}`, async () => {
      const { status, headers, bytes } = await get(name, { "accept-encoding": accept });
      assert.equal(status, 200);
      assert.equal(headers["content-encoding"], coding);
      assert.equal(headers.etag, `"${VERSION}"`);
      assert.equal(headers["x-sourcemap"], undefined);
      assert.match(headers["content-type"], name.endsWith(".map") ? /^application\/json/ : /^application\/javascript/);
      const plain = readFileSync(`${DIST}/${name}`);
      assert.ok(undo(bytes).equals(plain), "not the file");
      if (coding && !PEER_IS_NODE) assert.ok(bytes.length < plain.length / 2, `${bytes.length} of ${plain.length} bytes`);
    });
  }
}

test("E208: 304 for the ETag, strong and weak, whatever the coding", async () => {
  for (const tag of [`"${VERSION}"`, `W/"${VERSION}"`]) {
    const { status, body } = await get("socket.io.js", { "if-none-match": tag, "accept-encoding": "br" });
    assert.deepEqual([status, body], [304, ""]);
  }
});

test("E209: other files of the folder are not there", async () => {
  for (const name of ["socket.io.esm.js", "package.json", "../package.json"])
    assert.equal((await get(name, {})).status, 400);
});

test("the server ends with status 0", () => server.stop());
