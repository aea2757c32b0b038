import { Server } from "socket.io";

const io = new Server(3000, { maxHttpBufferSize: 2e6 });

io.on("connection", (socket) => {
  let file = null; // one a client: the last that it has uploaded

  socket.on("upload", (name, bytes, answer) => {
    if (!Buffer.isBuffer(bytes)) return answer("no file");
    if (bytes.length > 1e6) return answer("too large");
    file = { name, bytes };
    answer(null, bytes.length);
    socket.broadcast.emit("uploaded", { name, bytes });
  });

  socket.on("download", (name, answer) => {
    if (file?.name === name) answer(null, file.bytes);
    else answer("no such file");
  });
});
