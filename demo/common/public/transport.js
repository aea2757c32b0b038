// transport.js -- the badge that tells how the page is connected: polling, a
// blink later websocket, or not at all.
//
// SPDX-License-Identifier: MIT

export function showTransport(socket) {
  const show = (state) => (document.getElementById("transport").dataset.state = state);

  // A new engine comes with every (re)connection, hence on "open" of the manager.
  socket.io.on("open", () => {
    const { engine } = socket.io;
    show(engine.transport.name);
    engine.on("upgrade", (transport) => show(transport.name));
  });
  socket.io.on("close", () => show("offline"));
  socket.io.on("error", () => show("offline"));
}
