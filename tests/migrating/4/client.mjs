// Bytes to the server, to the other client, and back.
import { createHash } from "node:crypto";

const print = (bytes) => createHash("sha256").update(bytes).digest("hex").slice(0, 16);
const answer = (socket, ...args) => new Promise((done) => socket.emit(...args, (...values) => done(values)));

export default async function ({ connect, heard, log }) {
  const ann = await connect("ann");
  await connect("bob");
  const bytes = Buffer.from(Array.from({ length: 300000 }, (_, i) => (i * 7919) % 251));
  log("upload", await answer(ann, "upload", "a.bin", bytes));
  await heard("bob", "uploaded", ({ name, bytes }) => [name, bytes.length, print(bytes)]);
  const [error, back] = await answer(ann, "download", "a.bin");
  log("download", [error, back.length, print(back)]);
  log("upload", await answer(ann, "upload", "empty", Buffer.alloc(0)));
  await heard("bob", "uploaded", ({ name, bytes }) => [name, bytes.length]);
  log("download", await answer(ann, "download", "b.bin"));
  log("upload", await answer(ann, "upload", "text", "no bytes"));
  log("upload", await answer(ann, "upload", "large", Buffer.alloc(1000001)));
}
