// whiteboard.js -- the page's side of the whiteboard; its server is
// whiteboard.c, and what a piece of a line looks like is in board.h.
//
// The page keeps all pieces, so that it can draw them anew in another size, at
// another zoom, in the colours of the night.
//
// SPDX-License-Identifier: MIT

import { io } from "/socket.io/socket.io.esm.min.js";
import { showTransport } from "/common/transport.js";

const BOARD = { width: 1600, height: 1200 }; // units of the board's own
const COLOURS = ["Eraser", "Ink", "Red", "Orange", "Green", "Blue", "Purple", "Grey"];
const WIDTHS = { Fine: 4, Medium: 10, Bold: 24 };
const ERASER = 48;       // units its width is
const POINT_LIMIT = 500; // points of a piece; the server takes 512
const CURSOR_MS = 40;    // between two reports of where the hand is
const ZOOM = { least: 0.1, most: 6 };

const $ = (id) => document.getElementById(id);
const paper = $("paper");
const context = paper.getContext("2d");
const socket = io();
showTransport(socket);

let pieces = [];  // all that is on the board, in the order it came
let waiting = []; // drawn while there was no connection
let entered = false;

// ------------------------------------------------------------------- pieces

function makePiece(colour, width, points) {
  const view = new DataView(new ArrayBuffer(4 + 4 * points.length));
  view.setUint8(0, colour);
  view.setUint8(1, width);
  view.setUint16(2, points.length, true);
  points.forEach(({ x, y }, i) => {
    view.setUint16(4 + 4 * i, x, true);
    view.setUint16(6 + 4 * i, y, true);
  });
  return view;
}

function splitPicture(buffer) {
  const list = [];
  for (let at = 0; at < buffer.byteLength;) {
    const size = 4 + 4 * new DataView(buffer, at).getUint16(2, true);
    list.push(new DataView(buffer, at, size));
    at += size;
  }
  return list;
}

let inks = []; // CSS colours by number; 0 is the paper's
function readInks() {
  const style = getComputedStyle(document.documentElement);
  inks = COLOURS.map((_, i) => style.getPropertyValue(i ? `--c${i}` : "--paper").trim());
}

function drawPiece(piece) {
  const count = piece.getUint16(2, true);
  const x = (i) => piece.getUint16(4 + 4 * i, true);
  const y = (i) => piece.getUint16(6 + 4 * i, true);

  context.strokeStyle = inks[piece.getUint8(0)];
  context.lineWidth = piece.getUint8(1);
  context.beginPath();
  context.moveTo(x(0), y(0));
  if (count === 1) context.lineTo(x(0), y(0) + 0.01); // a dot
  for (let i = 1; i < count; i++) context.lineTo(x(i), y(i));
  context.stroke();
}

// --------------------------------------------------------------------- view

const view = { scale: 1, x: 0, y: 0 }; // board to CSS pixels of the canvas

const toBoard = (event) => ({
  x: Math.round(Math.min(BOARD.width, Math.max(0, (event.offsetX - view.x) / view.scale))),
  y: Math.round(Math.min(BOARD.height, Math.max(0, (event.offsetY - view.y) / view.scale))),
});

// On a wide window the whole board; on a phone as much of it as fills the
// screen, two fingers move it.
function fit(whole) {
  const tools = $("tools").offsetHeight + 24;
  const [w, h] = [paper.clientWidth, paper.clientHeight - (whole ? tools : 0)];
  const [sx, sy] = [w / BOARD.width, h / BOARD.height];
  view.scale = whole ? Math.min(sx, sy) * 0.97 : Math.max(sx, sy);
  view.x = (w - BOARD.width * view.scale) / 2;
  view.y = (h - BOARD.height * view.scale) / 2;
  redraw();
}

// Part of the board stays in view, wherever it is pushed.
function move(dx, dy) {
  const keep = (at, size, room) => Math.min(room * 0.7, Math.max(room * 0.3 - size, at));
  view.x = keep(view.x + dx, BOARD.width * view.scale, paper.clientWidth);
  view.y = keep(view.y + dy, BOARD.height * view.scale, paper.clientHeight);
  redraw();
}

function zoom(factor, x, y) {
  const scale = Math.min(ZOOM.most, Math.max(ZOOM.least, view.scale * factor));
  view.x = x - (x - view.x) * (scale / view.scale);
  view.y = y - (y - view.y) * (scale / view.scale);
  view.scale = scale;
  move(0, 0);
}

let due = 0;
function redraw() {
  due ||= requestAnimationFrame(() => {
    due = 0;
    const ratio = devicePixelRatio * view.scale;
    context.restore(); // the clip and the transform of the last time
    context.save();
    context.clearRect(0, 0, paper.width, paper.height);
    context.setTransform(ratio, 0, 0, ratio, devicePixelRatio * view.x, devicePixelRatio * view.y);
    context.fillStyle = inks[0];
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.rect(0, 0, BOARD.width, BOARD.height);
    context.fill();
    context.clip(); // a wide line does not leave the paper
    pieces.forEach(drawPiece);
    cursors.forEach(place);
    paper.dataset.view = JSON.stringify({ scale: view.scale, left: view.x, top: view.y });
  });
}

new ResizeObserver(() => {
  paper.width = Math.round(paper.clientWidth * devicePixelRatio);
  paper.height = Math.round(paper.clientHeight * devicePixelRatio);
  fit(paper.clientWidth > 700);
}).observe(paper);

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readInks();
  redraw();
});

// ------------------------------------------------------------------ drawing

const pen = { colour: 1, width: WIDTHS.Fine };
const fingers = new Map(); // pointer id -> where it is, in CSS pixels
let line = null;           // points of the line under way that are not sent

function flush() {
  if (!line || !line.fresh) return;
  const piece = makePiece(pen.colour, pen.colour ? pen.width : ERASER, line.points);

  pieces.push(piece);
  drawPiece(piece);
  if (entered) socket.emit("draw", piece.buffer);
  else waiting.push(piece);
  line.points = line.points.slice(-1); // the next piece goes on from here
  line.fresh = false;
}

function addPoint(point) {
  const last = line.points.at(-1);
  if (last && last.x === point.x && last.y === point.y) return;
  line.points.push(point);
  line.fresh = true;
  if (line.points.length >= POINT_LIMIT) flush();
}

function eachFrame() {
  flush();
  if (line) requestAnimationFrame(eachFrame);
}

paper.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  paper.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
  if (fingers.size > 1) {
    line = null; // two fingers move the board
    return;
  }
  line = { points: [], fresh: false };
  addPoint(toBoard(event));
  requestAnimationFrame(eachFrame);
});

paper.addEventListener("pointermove", (event) => {
  const finger = fingers.get(event.pointerId);

  tellCursor(event);
  if (finger && fingers.size === 2) pinch(event, finger);
  if (finger) Object.assign(finger, { x: event.offsetX, y: event.offsetY });
  if (!line || !finger) return;
  const all = event.getCoalescedEvents?.() ?? [];
  for (const one of all.length ? all : [event]) addPoint(toBoard(one));
});

for (const name of ["pointerup", "pointercancel"])
  paper.addEventListener(name, (event) => {
    fingers.delete(event.pointerId);
    flush();
    line = null;
  });

function pinch(event, finger) {
  const [other] = [...fingers.values()].filter((each) => each !== finger);
  const before = Math.hypot(finger.x - other.x, finger.y - other.y);
  const after = Math.hypot(event.offsetX - other.x, event.offsetY - other.y);

  move((event.offsetX - finger.x) / 2, (event.offsetY - finger.y) / 2);
  if (before > 0) zoom(after / before, (event.offsetX + other.x) / 2, (event.offsetY + other.y) / 2);
}

paper.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (event.ctrlKey) zoom(Math.exp(-event.deltaY / 200), event.offsetX, event.offsetY);
  else move(-event.deltaX, -event.deltaY);
}, { passive: false });

// ------------------------------------------------------------------ cursors

const cursors = new Map(); // guest -> { node, x, y }
let toldAt = 0;

function tellCursor(event) {
  const now = performance.now();
  if (!entered || now - toldAt < CURSOR_MS) return;
  toldAt = now;
  const { x, y } = toBoard(event);
  socket.volatile.emit("cursor", x, y);
}

function place({ node, x, y }) {
  node.style.transform = `translate(${view.x + x * view.scale}px, ${view.y + y * view.scale}px)`;
}

function makeCursor(guest) {
  const node = document.createElement("div");
  const arrow = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const name = document.createElement("span");

  node.className = "cursor";
  node.style.setProperty("--hue", (guest * 137) % 360);
  arrow.setAttribute("viewBox", "0 0 16 16");
  path.setAttribute("d", "M1 1l5 13 2.4-5.6L14 6z");
  arrow.append(path);
  name.textContent = `guest ${guest}`;
  node.append(arrow, name);
  $("cursors").append(node);
  return { node, x: 0, y: 0 };
}

socket.on("cursor", (guest, x, y) => {
  if (!cursors.has(guest)) cursors.set(guest, makeCursor(guest));
  const cursor = cursors.get(guest);
  Object.assign(cursor, { x, y });
  place(cursor);
});

function removeCursor(guest) {
  cursors.get(guest)?.node.remove();
  cursors.delete(guest);
}
socket.on("left", removeCursor);

// -------------------------------------------------------------------- board

socket.on("draw", (bytes) => {
  const piece = new DataView(bytes);
  pieces.push(piece);
  drawPiece(piece);
});

function showPicture(bytes) {
  pieces = splitPicture(bytes);
  redraw();
}
socket.on("picture", showPicture);

socket.on("guests", (count) => {
  $("guests").textContent = count === 1 ? "only you" : `${count} here`;
});

const boardName = () => location.hash.slice(1).toLowerCase().replace(/[^a-z0-9-]+/g, "-").slice(0, 40) || "home";

function enter() {
  const name = boardName();

  entered = false;
  [...cursors.keys()].forEach(removeCursor);
  $("board").value = name;
  document.title = `${name} – Whiteboard`;
  socket.emit("enter", name, (error, guest, bytes) => {
    $("problem").textContent = error ?? "";
    if (error) return;
    entered = true;
    showPicture(bytes);
    for (const piece of waiting) {
      pieces.push(piece);
      socket.emit("draw", piece.buffer);
    }
    waiting = [];
  });
}

// A new connection is at no board yet; what was drawn meanwhile is kept.
socket.on("connect", enter);
socket.on("disconnect", () => {
  entered = false;
  [...cursors.keys()].forEach(removeCursor);
  $("guests").textContent = "";
});

addEventListener("hashchange", () => {
  waiting = [];
  if (socket.connected) enter();
});

$("go").addEventListener("submit", (event) => {
  event.preventDefault();
  location.hash = $("board").value.trim();
  $("board").value = boardName();
  $("board").blur();
});

// -------------------------------------------------------------------- tools

function toolButton(group, label, shape, choose) {
  const button = document.createElement("button");

  button.type = "button";
  button.title = label;
  button.setAttribute("aria-label", label);
  button.append(shape);
  button.addEventListener("click", () => {
    choose();
    showTools();
  });
  group.append(button);
  return button;
}

const colourButtons = COLOURS.map((label, i) => {
  if (i === 0) return null;
  const dot = document.createElement("i");
  dot.style.background = `var(--c${i})`;
  return toolButton($("colours"), label, dot, () => (pen.colour = i));
});

const widthButtons = Object.entries(WIDTHS).map(([label, width], i) => {
  const dot = document.createElement("i");
  dot.style.width = dot.style.height = `${[0.35, 0.65, 1.05][i]}rem`;
  return toolButton($("widths"), label, dot, () => {
    pen.width = width;
    pen.colour ||= 1;
  });
});

function eraserShape() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  path.setAttribute("d", "M9 20h11M4.5 14.5l9-9a2 2 0 0 1 2.8 0l3.2 3.2a2 2 0 0 1 0 2.8L11 20H8l-3.5-3.5a1.4 1.4 0 0 1 0-2zM9 10l6 6");
  svg.append(path);
  return svg;
}
colourButtons[0] = toolButton($("widths"), COLOURS[0], eraserShape(), () => (pen.colour = 0));

function showTools() {
  colourButtons.forEach((button, i) => button.setAttribute("aria-pressed", String(pen.colour === i)));
  widthButtons.forEach((button, i) =>
    button.setAttribute("aria-pressed", String(pen.colour !== 0 && pen.width === Object.values(WIDTHS)[i])));
}

$("fit").addEventListener("click", () => fit(true));
$("clear").addEventListener("click", () => {
  socket.timeout(5000).emit("clear", (lost) => {
    $("problem").textContent = lost ? "The server does not answer." : "";
  });
});

readInks();
showTools();
