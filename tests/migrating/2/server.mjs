import { Server } from "socket.io";

const io = new Server(3000);

io.on("connection", (socket) => {
  socket.on("enter", (room, answer) => {
    socket.join(room);
    socket.to(room).emit("came", room);
    answer([...socket.rooms].length);
  });

  socket.on("leave", (room, answer) => {
    socket.leave(room);
    answer(socket.rooms.has(room));
  });

  // To all in `room`, but not to those who are in `except` as well.
  socket.on("shout", (room, except, text) => {
    io.to(room).except(except).emit("shouted", text);
  });

  socket.on("gather", (from, to) => {
    io.in(from).socketsJoin(to);
    io.to(to).emit("gathered", to);
  });
});
