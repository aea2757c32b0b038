import { Server } from "socket.io";

const io = new Server(3000);
const admin = io.of("/admin");

admin.use((socket, next) => {
  const { token, name } = socket.handshake.auth;

  if (token !== "secret") {
    const error = new Error("not authorized");
    error.data = { code: 401, hint: "ask for a token" };
    return next(error);
  }
  socket.data.name = name ?? "nobody";
  next();
});

admin.on("connection", (socket) => {
  socket.emit("hello", socket.data.name, socket.nsp.name);
  socket.on("kick", () => socket.disconnect());
});

io.on("connection", (socket) => {
  socket.emit("hello", "everybody", socket.nsp.name);
});
