// cluster.js -- the page of the cluster: which node serves whom, and what comes
// from which of them. The events are listed in node.c.
//
// SPDX-License-Identifier: MIT

import { io } from "/socket.io/socket.io.esm.min.js";
import { showTransport } from "/common/transport.js";

const LOOK_MS = 2000; // a node that is killed does not say so
const ANSWER_MS = 5000;
const LOG_LINES = 200;
const HUES = [222, 152, 32, 290, 350, 190];

const $ = (id) => document.getElementById(id);
const me = { name: sessionStorage.getItem("name"), node: sessionStorage.getItem("node") };
const nodes = new Map(); // name -> { language, here }
let people = []; // { id, name, node, transport }

const socket = io({ autoConnect: false, auth: (send) => send({ name: me.name }), reconnectionDelay: 300, reconnectionDelayMax: 2000 });
showTransport(socket);

// ------------------------------------------------------------------ balancer

// It goes by a cookie, which all windows of a browser share; the node is one
// window's. So the cookie is put right before each connection: the node that
// this window has had, or none, for the balancer to choose.
function steer() {
  document.cookie = `node=${me.node ?? ""}; path=/; SameSite=Lax${me.node ? "" : "; max-age=0"}`;
}
socket.io.on("reconnect_attempt", steer);

function connect() {
  steer();
  socket.connect();
}

function moveTo(name) {
  socket.disconnect();
  me.node = name;
  connect();
}

// ------------------------------------------------------------------- helpers

function element(tag, className, ...content) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...content);
  return node;
}

const hueOf = (name) => HUES[[...nodes.keys()].sort().indexOf(name) % HUES.length] ?? 222;

function chip(name) {
  const node = element("span", "chip", name);
  node.style.setProperty("--hue", hueOf(name));
  return node;
}

function button(text, onClick) {
  const node = element("button", "", text);
  node.type = "button";
  node.addEventListener("click", onClick);
  return node;
}

const count = (n, one, many) => `${n} ${n === 1 ? one : many}`;

// --------------------------------------------------------------------- nodes

function personRow({ id, name, transport }) {
  const own = id === socket.id;
  const row = element("button", "person", element("span", "avatar", [...name][0].toUpperCase()), element("bdi", "", name),
    element("span", "quiet", own ? `you · ${transport}` : transport));

  row.type = "button";
  row.dataset.person = name;
  row.disabled = own;
  row.title = own ? "" : `Write to ${name}`;
  row.addEventListener("click", () => {
    $("to").value = id;
    $("text").focus();
  });
  return element("li", "", row);
}

function nodeCard([name, { language, here }]) {
  const list = here ? people.filter((person) => person.node === name) : [];
  const own = here && name === me.node && socket.connected;
  const card = element("article", "node");
  const move = button(own ? "You are here" : "Move here", () => moveTo(name));
  const stop = button("Stop", () => socket.emit("stop", name));

  card.dataset.node = name;
  card.dataset.state = here ? own ? "own" : "here" : "gone";
  card.style.setProperty("--hue", hueOf(name));
  move.disabled = own || !here;
  stop.disabled = !here;
  card.append(
    element("header", "", element("h2", "", name), element("span", "language", language),
      element("span", "quiet count", here ? count(list.length, "person", "people") : "gone")),
    element("ul", "", ...list.map(personRow)),
    element("footer", "", move, stop));
  return card;
}

function recipients() {
  const option = (value, text) => new Option(text, value);
  const alive = [...nodes].filter(([, { here }]) => here).map(([name]) => name).sort();

  return [
    option("", "To everybody"),
    ...alive.map((name) => option(`node:${name}`, `To all at ${name}`)),
    ...people.filter(({ id }) => id !== socket.id).map(({ id, name, node }) => option(id, `To ${name} (${node})`)),
  ];
}

let shown = "";

// What has not changed is left alone: somebody may just be at a button.
function show() {
  const state = JSON.stringify([[...nodes], people, me, socket.connected]);
  const chosen = $("to").value;
  const here = [...nodes.values()].filter(({ here }) => here).length;

  if (state === shown) return;
  shown = state;
  $("where").textContent = `${count(people.length, "person", "people")} at ${count(here, "node", "nodes")}`;
  $("nodes").replaceChildren(...[...nodes].sort(([a], [b]) => (a < b ? -1 : 1)).map(nodeCard));
  for (const node of document.querySelectorAll(".chip")) node.style.setProperty("--hue", hueOf(node.textContent));
  $("to").replaceChildren(...recipients());
  $("to").value = chosen;
  if ($("to").selectedIndex < 0) $("to").value = "";
}

// The nodes that were asked for, and are or are not among those that answered.
function updateNodes(answers) {
  const here = new Map([[me.node, me.language], ...answers]);

  for (const [name, language] of here) {
    if (nodes.get(name)?.here === false) log(name, "is here again");
    nodes.set(name, { language, here: true });
  }
  for (const [name, node] of nodes) {
    if (!here.has(name) && node.here) log(name, "is gone");
    node.here = here.has(name);
  }
}

// One question at a time; what changes meanwhile is asked for again.
const ask = (what) => socket.timeout(ANSWER_MS).emitWithAck(what);
let asking = false;
let again = false;

async function look() {
  again = true;
  if (asking) return;
  asking = true;
  while (again && socket.connected) {
    again = false;
    const [answers, list] = await Promise.all([ask("nodes"), ask("people")]).catch(() => []);
    if (!list || !socket.connected) break;
    updateNodes(answers);
    people = list.filter(({ name }) => name).sort((a, b) => (a.name < b.name ? -1 : 1));
    show();
  }
  asking = false;
}
setInterval(look, LOOK_MS);

// ----------------------------------------------------------------------- log

// Who reads further up stays there.
function keepingEnd(change) {
  const list = $("log");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;

  change(list);
  if (atEnd) list.scrollTop = list.scrollHeight;
}
new ResizeObserver(() => ($("log").scrollTop = $("log").scrollHeight)).observe($("log"));

// One line: where it comes from, and what.
function log(node, ...content) {
  const line = element("li", "", chip(node), element("p", "", ...content));

  keepingEnd((list) => {
    list.append(line);
    if (list.children.length > LOG_LINES) list.firstChild.remove();
  });
  return line;
}

const who = (name) => element("b", "", element("bdi", "", name));
const toWhom = (room, ofOne) => room === null ? "to everybody" : room.startsWith("node:") ? `to all at ${room.slice(5)}` : ofOne;

function sayTo(room, text) {
  const name = people.find(({ id }) => id === room)?.name;
  const line = log(me.node, who("You"), ` ${toWhom(room, `to ${name ?? "somebody"}`)}: `, element("span", "said", text));
  const way = element("small", "quiet", "…");
  const start = performance.now();

  line.append(way);
  socket.timeout(ANSWER_MS).emit("say", room, text, (late, answers) => {
    const ms = performance.now() - start;
    const reached = Array.isArray(answers) ? answers.filter(Array.isArray) : [];

    keepingEnd(() => {
      if (late) way.textContent = "no answer";
      else if (typeof answers === "string") way.textContent = answers;
      else if (!reached.length) way.textContent = "nobody is there";
      else way.textContent = `${reached.length > 3 ? count(reached.length, "person", "people")
        : reached.map(([name, node]) => `${name} at ${node}`).join(", ")} · ${ms.toFixed(1)} ms there and back`;
    });
  });
}

socket.on("said", (name, node, room, text, ack) => {
  ack([me.name, me.node]);
  log(node, who(name), ` ${toWhom(room, "to you")}: `, element("span", "said", text));
});

socket.on("changed", (what, name, node) => {
  if (what !== "upgraded") log(node, who(name), ` ${what}`);
  look();
});

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text || !socket.connected) return;
  sayTo($("to").value || null, text);
  $("text").value = "";
});
$("ping").addEventListener("click", () => socket.connected && sayTo($("to").value || null, "ping"));

// ---------------------------------------------------------------- connection

socket.on("welcome", (node, language) => {
  const before = me.node;
  Object.assign(me, { node, language });
  nodes.set(node, { language, here: true });
  sessionStorage.setItem("node", node);
  sessionStorage.setItem("name", me.name);
  $("door").hidden = true;
  $("app").hidden = false;
  if (before && before !== node) log(node, "serves you now");
  show();
  look();
});

// Each connection has an engine of its own, which begins with polling.
socket.io.on("open", () => socket.io.engine.once("upgrade", () => socket.emit("upgraded")));
socket.on("disconnect", show);

function openDoor(why) {
  me.name = null;
  $("refused").textContent = why;
  $("app").hidden = true;
  $("door").hidden = false;
  $("name").focus();
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  me.name = $("name").value.trim();
  if (me.name) connect();
});

// From the server (the name: no retry), or from the network (it is tried again).
socket.on("connect_error", (error) => {
  if (!socket.active) openDoor(error.message);
  else if ($("app").hidden) $("refused").textContent = "No node answers. Trying again…";
});

if (me.name) connect();
else openDoor("");
