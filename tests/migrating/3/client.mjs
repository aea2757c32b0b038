// With the right token, a wrong one, none; to a namespace that is not there.
export default async function ({ connect, refused, heard, log, reason }) {
  const guest = await connect("guest");
  await heard("guest", "hello");
  log("refused", await refused("/admin", { token: "guess" }));
  log("refused", await refused("/admin"));
  log("refused", await refused("/nowhere"));
  const ann = await connect("ann", "/admin", { token: "secret", name: "Ann" });
  await heard("ann", "hello");
  await connect("bob", "/admin", { token: "secret" });
  await heard("bob", "hello");
  const left = reason(ann);
  ann.emit("kick");
  log("ann left", await left);
  log("guest is there", guest.connected);
}
