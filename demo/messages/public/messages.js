// messages.js -- the page's side of the private messages; its server is
// messages.c.
//
// What survives a reload: who one is (a token), what was written (the server
// has it), whom one talks to (the address), and what could not be sent yet.
//
// SPDX-License-Identifier: MIT

import { io } from "/socket.io/socket.io.esm.min.js";
import { showTransport } from "/common/transport.js";

const TYPING_MS = 3000; // a typist is forgotten after this silence

const $ = (id) => document.getElementById(id);
const me = { id: 0, name: "", token: localStorage.getItem("token") };
const messages = new Map(); // id -> message
let people = [];
let outbox = JSON.parse(sessionStorage.getItem("outbox") ?? "[]"); // { nonce, to, text, time }

// Messages from that one on may have changed while we were away: those that
// are new, and own ones that were not read yet.
function lastKnown() {
  let last = 0;
  for (const { id } of messages.values()) last = Math.max(last, id);
  for (const { id, from, read } of messages.values()) if (from === me.id && !read) last = Math.min(last, id - 1);
  return String(last);
}

const socket = io({
  autoConnect: false,
  auth: (send) => send(me.token ? { token: me.token, last: lastKnown() } : { name: me.name }),
});
showTransport(socket);

// ------------------------------------------------------------------ helpers

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function avatar(name) {
  let hash = 7;
  for (const c of name) hash = (hash * 31 + c.codePointAt(0)) % 3600;
  const node = element("span", "avatar", [...name][0].toUpperCase());
  node.style.setProperty("--hue", Math.round(hash / 10));
  node.setAttribute("aria-hidden", "true");
  return node;
}

const clock = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const otherId = () => Number(location.hash.slice(1)) || 0;
const between = (id) => [...messages.values()].filter(({ from, to }) => from === id || to === id).sort((a, b) => a.id - b.id);

// --------------------------------------------------------------------- page

function showPeople() {
  const others = people.filter(({ id }) => id !== me.id);

  $("alone").hidden = others.length > 0;
  $("people").replaceChildren(...others.map(({ id, name, here }) => {
    const item = element("li"), link = element("a", here ? "here" : "");
    const all = between(id);
    const unread = all.filter(({ from, read }) => from === id && !read).length;

    link.href = `#${id}`;
    link.dataset.person = name;
    if (id === otherId()) link.setAttribute("aria-current", "true");
    link.append(avatar(name), element("bdi", "", name));
    if (unread) {
      const badge = element("span", "unread", unread);
      badge.setAttribute("aria-label", `${unread} unread`);
      link.append(badge);
    }
    link.append(element("span", "last", all.at(-1)?.text ?? (here ? "is here" : "is away")));
    item.append(link);
    return item;
  }));
}

function line(own, text, time, state, label) {
  const item = element("li", "message" + (own ? " own" : ""));
  const body = element("p", "", text);

  body.dir = "auto";
  item.dataset.state = state;
  item.append(body, element("small", "", label ? `${clock(time)} · ${label}` : clock(time)));
  return item;
}

function showTalk() {
  const id = otherId(), log = $("log");
  const other = people.find((person) => person.id === id);
  const lines = between(id).map(({ from, text, time, read }) =>
    from === me.id ? line(true, text, time, read ? "read" : "sent", read ? "read" : "sent") : line(false, text, time, "", ""));

  for (const { to, text, time } of outbox)
    if (to === id) lines.push(line(true, text, time, "waiting", "waiting for the connection"));
  if (!lines.length) lines.push(element("li", "empty", other ? `Nothing yet. Say hello to ${other.name}.` : "Choose somebody to write to."));
  $("app").classList.toggle("talking", id !== 0);
  $("talk").classList.toggle("nobody", !other);
  $("other").textContent = other?.name ?? "";
  showPresence();
  log.replaceChildren(...lines);
  log.scrollTop = log.scrollHeight;
}

function show() {
  tellRead();
  showPeople();
  showTalk();
}

// What is on the screen has been read; the server tells the author.
function tellRead() {
  const id = otherId();
  const unread = between(id).filter(({ from, read }) => from === id && !read);

  if (!unread.length || document.hidden || !socket.connected) return;
  for (const message of unread) message.read = true;
  socket.emit("read", id, unread.at(-1).id);
}
document.addEventListener("visibilitychange", show);
addEventListener("hashchange", () => {
  show();
  $("text").focus();
});

// -------------------------------------------------------------------- typing

let typist = { id: 0, timer: 0 };
let toldAt = 0;

function showPresence() {
  const other = people.find(({ id }) => id === otherId());
  $("presence").textContent = !other ? "" : typist.id === other.id ? "is typing…" : other.here ? "is here" : "is away";
}

function setTypist(id) {
  clearTimeout(typist.timer);
  typist = { id, timer: id && setTimeout(() => setTypist(0), TYPING_MS) };
  showPresence();
}
socket.on("typing", setTypist);

$("text").addEventListener("input", () => {
  $("text").style.height = "auto";
  $("text").style.height = `${$("text").scrollHeight + 2}px`;
  if (Date.now() - toldAt < TYPING_MS / 2 || !$("text").value) return;
  toldAt = Date.now();
  socket.volatile.emit("typing", otherId());
});

// ------------------------------------------------------------------- sending

function saveOutbox() {
  sessionStorage.setItem("outbox", JSON.stringify(outbox));
}

// Until the server has said that it has it, a message stays in the outbox, and
// goes again with the next connection: under the same name (nonce), so that it
// arrives once.
function post({ nonce, to, text }) {
  socket.timeout(10000).emit("message", to, text, nonce, (lost, error, message) => {
    if (lost) return;
    outbox = outbox.filter((each) => each.nonce !== nonce);
    saveOutbox();
    $("problem").textContent = error ?? "";
    if (message) messages.set(message.id, message);
    show();
  });
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text || !otherId()) return;
  const nonce = [...crypto.getRandomValues(new Uint8Array(12))].map((n) => n.toString(16).padStart(2, "0")).join("");
  const message = { nonce, to: otherId(), text, time: Date.now() };

  $("text").value = "";
  $("text").style.height = "auto";
  toldAt = 0;
  outbox.push(message);
  saveOutbox();
  if (socket.connected) post(message);
  show();
});

$("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
});

// ----------------------------------------------------------------- receiving

socket.on("session", (id, name, token) => {
  Object.assign(me, { id, name, token });
  localStorage.setItem("token", token);
  $("me").textContent = name;
  $("door").hidden = true;
  $("app").hidden = false;
  outbox.forEach(post);
});

// The connection broke and is there again: we have been sent what we missed.
socket.on("connect", () => {
  document.documentElement.dataset.recovered = socket.recovered;
  if (socket.recovered) outbox.forEach(post);
});

socket.on("people", (list) => {
  people = list;
  show();
});

socket.on("messages", (list) => {
  for (const message of list) messages.set(message.id, message);
  show();
});

socket.on("message", (message) => {
  messages.set(message.id, message);
  if (message.from === typist.id) setTypist(0);
  show();
});

socket.on("read", (reader, from, upto) => {
  for (const message of messages.values())
    if (message.from === from && message.to === reader && message.id <= upto) message.read = true;
  show();
});

// ---------------------------------------------------------------- connection

function openDoor(why) {
  localStorage.removeItem("token");
  me.token = null;
  messages.clear();
  people = [];
  outbox = [];
  saveOutbox();
  $("refused").textContent = why;
  $("app").hidden = true;
  $("door").hidden = false;
  $("name").focus();
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  me.name = $("name").value.trim();
  if (me.name) socket.connect();
});

$("out").addEventListener("click", () => {
  socket.disconnect();
  location.hash = "";
  openDoor("");
});

// "connect_error" comes from the server (it does not know us: no retry) or from
// the network (the client goes on trying).
socket.on("connect_error", (error) => {
  if (!socket.active) openDoor(error.message);
  else if (!me.id) $("refused").textContent = "The server does not answer. Trying again…";
});

if (me.token) socket.connect();
else openDoor("");
