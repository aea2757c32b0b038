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
// What of the checklist each stands for: plain, and with a query.
const FILES = {
  "socket.io.js": "S1, S18, S190, S2, S191",
  "socket.io.js.map": "S3, S192",
  "socket.io.min.js": "S4, S193",
  "socket.io.min.js.map": "S5, S194",
  "socket.io.msgpack.min.js": "S9, S195",
  "socket.io.msgpack.min.js.map": "S10, S196",
  "socket.io.esm.min.js": "S11",
  "socket.io.esm.min.js.map": "S12",
};
const CODINGS = [
  ["gzip", "gzip", gunzipSync],
  ["deflate", "deflate", inflateSync],
  ["br", "br", brotliDecompressSync, "S7, "],
  ["gzip,br,deflate", "gzip", gunzipSync, "S6, "],
];
const server = await TestServer.start({ client: DIST });
const get = (name, headers, query = { v: 1 }) => http(server, { path: `/socket.io/${name}`, query, headers });

// What every answer with the file has; the file, as it came.
function checked(name, { status, headers, bytes }, coding) {
  assert.equal(status, 200);
  assert.equal(headers["content-encoding"], coding);
  assert.equal(headers.etag, `"${VERSION}"`);
  assert.equal(headers["x-sourcemap"], undefined);
  assert.equal(headers["content-type"], `application/${name.endsWith(".map") ? "json" : "javascript"}; charset=utf-8`);
  return bytes;
}

for (const [name, numbers] of Object.entries(FILES)) {
  const plain = readFileSync(`${DIST}/${name}`);

  test(`${numbers}: ${name}, with and without a query`, async () => {
    for (const query of [{}, { v: 1 }])
      assert.ok(checked(name, await get(name, {}, query)).equals(plain), "not the file");
  });

  for (const [accept, coding, undo, items = ""] of CODINGS) {
    test(`${items}E205 E206: ${name}, accept-encoding: ${accept}`, async () => {
      const bytes = checked(name, await get(name, { "accept-encoding": accept }), coding);
      assert.ok(undo(bytes).equals(plain), "not the file");
      if (!PEER_IS_NODE) assert.ok(bytes.length < plain.length / 2, `${bytes.length} of ${plain.length} bytes`);
    });
  }
}

test("S200: another ETag: 200, with the one of today", async () => {
  for (const tag of ['"4.0.0"', 'W/"0"', "*"])
    checked("socket.io.js", await get("socket.io.js", { "if-none-match": tag }));
});

test("S13, S14, S199, E208: 304 for the ETag, strong and weak, whatever the coding", async () => {
  for (const tag of [`"${VERSION}"`, `W/"${VERSION}"`]) {
    const { status, body } = await get("socket.io.js", { "if-none-match": tag, "accept-encoding": "br" });
    assert.deepEqual([status, body], [304, ""]);
  }
});

test("S19, E209: other files of the folder are not there", async () => {
  for (const name of ["socket.io.esm.js", "package.json", "../package.json"])
    assert.equal((await get(name, {})).status, 400);
});

test("the server ends with status 0", () => server.stop());
