// Answers in time and too late; votes of all; four ways to leave.
const until = async (ask, count) => {
  for (;;) {
    const list = await ask();
    if (list.length >= count) return list;
  }
};

export default async function ({ connect, heard, log, reason, first }) {
  const ann = await connect("ann");
  ann.once("your name?", (answer) => answer("Ann"));
  ann.emit("start");
  await heard("ann", "result");
  ann.emit("start"); // nobody answers now
  await heard("ann", "result");

  const bob = await connect("bob");
  ann.on("yes or no?", (answer) => answer("yes"));
  bob.on("yes or no?", (answer) => answer("no"));
  bob.emit("vote");
  await heard("bob", "votes");

  const asked = first(ann, "your name?");
  bob.disconnect();
  const list = () => ann.emitWithAck("log");
  await until(list, 1);
  const cleo = await connect("cleo");
  const gone = reason(cleo);
  cleo.emit("out");
  log("cleo", await gone);
  await until(list, 2);
  const dan = await connect("dan");
  dan.io.engine.close(); // without a word to Socket.IO
  await until(list, 3);
  const eve = await connect("eve");
  eve.io.engine.write("4no packet");
  log("log", await until(list, 4));
  ann.emit("start");
  await asked;
}
