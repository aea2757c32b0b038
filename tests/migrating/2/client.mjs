// Three in two rooms: unions, exceptions, moving all of a room.
export default async function ({ connect, heard, quiet, log }) {
  const ann = await connect("ann");
  const bob = await connect("bob");
  const cleo = await connect("cleo");
  log("enter", await ann.emitWithAck("enter", "tea"));
  log("enter", await bob.emitWithAck("enter", "tea"));
  await heard("ann", "came");
  log("enter", await bob.emitWithAck("enter", "muted"));
  log("enter", await cleo.emitWithAck("enter", "coffee"));
  cleo.emit("shout", "tea", "muted", "scones");
  await heard("ann", "shouted");
  await quiet(bob); // is in the room, but muted
  log("leave", await bob.emitWithAck("leave", "muted"));
  ann.emit("shout", "tea", "muted", "jam");
  await heard("ann", "shouted");
  await heard("bob", "shouted");
  ann.emit("gather", "tea", "table");
  await heard("ann", "gathered");
  await heard("bob", "gathered");
  await quiet(cleo);
  bob.disconnect();
  ann.emit("shout", "table", "coffee", "cake");
  await heard("ann", "shouted");
}
