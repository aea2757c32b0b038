import { Server } from "socket.io";

const io = new Server(3000);

io.on("connection", (socket) => {
  socket.emit("welcome", "ask me something");

  socket.on("sum", (a, b, answer) => {
    if (Number.isInteger(a) && Number.isInteger(b)) answer(null, a + b);
    else answer("two whole numbers, please");
  });

  socket.on("say", (text, answer) => {
    socket.broadcast.emit("said", text);
    answer("delivered");
  });
});
