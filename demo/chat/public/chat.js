// chat.js -- the page's side of the chat; its server is chat.c.
//
// Everything that came from somebody else goes into the page as textContent,
// never as markup.
//
// SPDX-License-Identifier: MIT

import { io } from "/socket.io/socket.io.esm.min.js";

const IMAGE_LIMIT = 1024 * 1024; // bytes, as the server's
const IMAGE_SIDE = 1600;         // pixels, of a picture that has to shrink
const TYPING_MS = 3000;          // a typist is forgotten after this silence
const LOG_LENGTH = 500;          // lines kept in the page

const $ = (id) => document.getElementById(id);
const me = { name: "", room: "" };
const socket = io({ autoConnect: false, auth: (send) => send(me) });

// ------------------------------------------------------------------ helpers

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// The same name has the same colour on every page.
function hueOf(name) {
  let hash = 7;
  for (const c of name) hash = (hash * 31 + c.codePointAt(0)) % 3600;
  return Math.round(hash / 10);
}

function avatar(name) {
  const node = element("span", "avatar", [...name][0].toUpperCase());
  node.style.setProperty("--hue", hueOf(name));
  node.setAttribute("aria-hidden", "true");
  return node;
}

function complain(text) {
  $("problem").textContent = text;
}

// ------------------------------------------------------------- conversation

let lastAuthor = null; // whom the line before this one is from
let following = true;  // is the end of the conversation in view?

$("log").addEventListener("scroll", () => {
  const log = $("log");
  following = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
});

// Lines, pictures that have loaded and a keyboard on a phone move the end away.
function follow() {
  if (following) $("log").scrollTop = $("log").scrollHeight;
}
new ResizeObserver(follow).observe($("log"));

function append(line, author) {
  const log = $("log");

  log.append(line);
  while (log.children.length > LOG_LENGTH) discard(log.firstChild);
  lastAuthor = author;
  if (author === me.name) following = true;
  follow();
}

function discard(line) {
  const image = line.querySelector("img");
  if (image) URL.revokeObjectURL(image.src);
  line.remove();
}

function notice(text) {
  append(element("li", "notice", text), null);
}

function messageLine(author, own, body) {
  const line = element("li", "message" + (own ? " own" : ""));
  const foot = element("span", "foot");
  const now = new Date();
  const time = element("time", "", now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));

  if (lastAuthor === author) line.classList.add("more");
  time.dateTime = now.toISOString();
  foot.append(time);
  line.append(avatar(author), element("bdi", "author", author), body, foot);
  append(line, author);
  return foot;
}

function textBody(text) {
  const body = element("span", "bubble", text);
  body.dir = "auto";
  return body;
}

function imageBody(bytes, author) {
  const body = element("span", "bubble picture");
  const image = element("img");

  // The server let only PNG, JPEG, GIF and WebP through; <img> tells them
  // apart itself and runs no script whatever it gets.
  image.src = URL.createObjectURL(new Blob([bytes]));
  image.alt = `Image from ${author}`;
  image.addEventListener("load", follow, { once: true });
  body.append(image);
  return body;
}

// -------------------------------------------------------------------- ticks

const underway = new Map(); // id -> tick of an own message

const FIRST = "M1.5 6.5l3 3 6.5-7";
const SECOND = "M7.5 9.5l6.5-7";

function newTick() {
  const tick = element("span", "tick");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");

  svg.setAttribute("viewBox", "0 0 15 11");
  svg.setAttribute("aria-hidden", "true");
  for (const [d, name] of [[FIRST, "first"], [SECOND, "second"]]) {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", d);
    path.setAttribute("class", name);
    svg.append(path);
  }
  tick.append(svg, element("span", "label"));
  setTick(tick, "sending", "sending…");
  return tick;
}

function setTick(tick, state, label) {
  tick.dataset.state = state;
  tick.lastChild.textContent = label;
}

// Send `value`, show it at once, and let its tick tell what became of it.
async function send(event, value, body) {
  const tick = newTick();
  messageLine(me.name, true, body).append(tick);
  try {
    const [error, id] = await new Promise((resolve, reject) =>
      socket.timeout(10000).emit(event, value, (lost, ...answer) =>
        lost ? reject(lost) : resolve(answer)));
    if (error) throw new Error(error);
    setTick(tick, "sent", "sent");
    underway.set(id, tick);
  } catch (error) {
    setTick(tick, "failed", socket.connected ? error.message : "not sent: no connection");
  }
}

socket.on("delivered", (id, readers) => {
  const tick = underway.get(id);
  underway.delete(id);
  if (!tick) return;
  if (readers === 0) setTick(tick, "sent", "sent, nobody else is here");
  else setTick(tick, "delivered", readers === 1 ? "delivered" : `delivered to ${readers}`);
});

socket.on("message", (id, author, text, received) => {
  stopTyping(author);
  messageLine(author, false, textBody(text));
  received();
});

socket.on("image", (id, author, bytes, received) => {
  messageLine(author, false, imageBody(bytes, author));
  received();
});

// ------------------------------------------------------------ rooms, people

socket.on("welcome", (name, room) => {
  me.name = name;
  $("me").textContent = name;
  $("door").hidden = true;
  $("chat").hidden = false;
  showRoom(room);
  $("text").focus();
});

socket.on("rooms", (rooms) => {
  $("rooms").replaceChildren(...rooms.map(({ name, count }) => {
    const item = element("li");
    const button = element("button");
    const people = element("span", "count", count || "");

    button.type = "button";
    button.dataset.room = name;
    if (count) people.setAttribute("aria-label", `${count} here`);
    button.append(element("bdi", "", name), people);
    button.addEventListener("click", () => enter(name));
    item.append(button);
    return item;
  }));
  markRoom();
});

socket.on("people", (names) => {
  $("head-count").textContent = names.length;
  $("people").replaceChildren(...names.map((name) => {
    const item = element("li");
    item.append(avatar(name), element("bdi", "", name));
    if (name === me.name) item.append(element("span", "self", "you"));
    return item;
  }));
});

socket.on("joined", (name) => notice(`${name} came in`));
socket.on("left", (name) => {
  stopTyping(name);
  notice(`${name} left`);
});

function showRoom(room) {
  const changed = me.room !== room || !$("log").children.length;

  me.room = room;
  $("room").textContent = room;
  document.title = `${room} – Chat`;
  markRoom();
  typists.forEach((timer, name) => stopTyping(name));
  if (!changed) return;
  [...$("log").children].forEach(discard);
  notice(`You are in ${room}`);
}

function markRoom() {
  for (const button of $("rooms").querySelectorAll("button")) {
    if (button.dataset.room === me.room) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

function enter(room) {
  openMenu(false);
  if (room === me.room) return;
  socket.timeout(10000).emit("enter", room, (lost, error, name) => {
    if (lost || error) return complain(lost ? "The server does not answer." : error);
    complain("");
    showRoom(name);
    $("text").focus();
  });
}

$("open").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("new-room").value.trim();
  if (name) enter(name);
  $("new-room").value = "";
});

function openMenu(open) {
  $("side").classList.toggle("open", open);
  $("menu").setAttribute("aria-expanded", String(open));
}
$("menu").addEventListener("click", () => openMenu(true));
$("shade").addEventListener("click", () => openMenu(false));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") openMenu(false);
});

// ------------------------------------------------------------------- typing

const typists = new Map(); // name -> timer that forgets it
let toldAt = 0;            // when the others were last told that we type

function stopTyping(name) {
  clearTimeout(typists.get(name));
  typists.delete(name);
  showTypists();
}

function showTypists() {
  const names = [...typists.keys()];
  $("typing").textContent =
    names.length === 0 ? "" :
    names.length === 1 ? `${names[0]} is typing…` :
    names.length === 2 ? `${names[0]} and ${names[1]} are typing…` :
    `${names.length} people are typing…`;
}

socket.on("typing", (name, on) => {
  stopTyping(name);
  if (!on) return;
  typists.set(name, setTimeout(() => stopTyping(name), TYPING_MS));
  showTypists();
});

function tellTyping(on) {
  if (on && Date.now() - toldAt < TYPING_MS / 2) return;
  if (!on && !toldAt) return;
  toldAt = on ? Date.now() : 0;
  if (socket.connected) socket.emit("typing", on);
}

// ----------------------------------------------------------------- composer

function fitText() {
  $("text").style.height = "auto";
  $("text").style.height = `${$("text").scrollHeight + 2}px`;
}

$("text").addEventListener("input", () => {
  fitText();
  tellTyping($("text").value !== "");
});

$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
});

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  fitText();
  complain("");
  tellTyping(false);
  send("message", text, textBody(text));
});

// A picture that is too large is drawn again, smaller, as a JPEG.
async function shrink(file) {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, IMAGE_SIDE / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");

  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.82));
}

async function sendImage(file) {
  complain("");
  try {
    const blob = file.size > IMAGE_LIMIT ? await shrink(file) : file;
    if (blob.size > IMAGE_LIMIT) throw new Error("too large");
    const bytes = await blob.arrayBuffer();
    send("image", bytes, imageBody(bytes, me.name));
  } catch {
    complain("That file cannot be sent as an image.");
  }
}

$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  if (file) sendImage(file);
  $("file").value = "";
});

$("text").addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files;
  if (!file) return;
  event.preventDefault();
  sendImage(file);
});

// --------------------------------------------------------------- connection

function showTransport(name) {
  $("transport").dataset.state = name;
}

// A new engine comes with every (re)connection, hence on "open" of the manager.
socket.io.on("open", () => {
  const { engine } = socket.io;
  showTransport(engine.transport.name);
  engine.on("upgrade", (transport) => showTransport(transport.name));
});
socket.on("disconnect", () => {
  showTransport("offline");
  underway.clear(); // their receipts went to a connection that is gone
  $("people").replaceChildren();
  $("head-count").textContent = "";
});

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  me.name = $("name").value.trim();
  if (!me.name) return;
  $("refused").textContent = "";
  socket.connect();
});

// "connect_error" comes from the server (it refused the name: no retry) or from
// the network (the client goes on trying).
socket.on("connect_error", (error) => {
  const refused = !socket.active;
  showTransport("offline");
  $("refused").textContent = refused ? error.message : "The server does not answer. Trying again…";
  if (refused) {
    $("door").hidden = false;
    $("chat").hidden = true;
    $("name").focus();
  }
});
