// Sums, good and bad ones; what one says the other hears.
export default async function ({ connect, heard, log }) {
  const ann = await connect("ann");
  const bob = await connect("bob");
  await heard("ann", "welcome");
  await heard("bob", "welcome");
  log("sum", await new Promise((done) => ann.emit("sum", 2, 40, (...answer) => done(answer))));
  log("sum", await new Promise((done) => ann.emit("sum", 2.5, 40, (...answer) => done(answer))));
  log("sum", await new Promise((done) => ann.emit("sum", -7, 7, (...answer) => done(answer))));
  log("say", await ann.emitWithAck("say", { text: "hello ☕", list: [1, null, "x"] }));
  await heard("bob", "said");
  log("say", await bob.emitWithAck("say", Buffer.from([1, 2, 3])));
  await heard("ann", "said");
}
