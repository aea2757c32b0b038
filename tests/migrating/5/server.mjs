import { Server } from "socket.io";

const io = new Server(3000);
const log = []; // who left, and why

io.on("connection", (socket) => {
  socket.on("start", async () => {
    try {
      const name = await socket.timeout(200).emitWithAck("your name?");
      socket.emit("result", `hello ${name}`);
    } catch {
      socket.emit("result", "no answer in time");
    }
  });

  socket.on("vote", () => {
    io.timeout(1000).emit("yes or no?", (error, answers) => {
      socket.emit("votes", error !== null, answers.filter((vote) => vote === "yes").length, answers.length);
    });
  });

  socket.on("out", () => socket.disconnect(true));
  socket.on("log", (answer) => answer(log));
  socket.on("disconnect", (reason) => log.push(reason));
});
