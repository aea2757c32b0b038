// sensors.js -- live charts of the weather station; its server is sensors.c.
//
// SPDX-License-Identifier: MIT

import { io } from "/socket.io/socket.io.esm.min.js";
import { showTransport } from "/common/transport.js";

const SPAN_MS = 30000; // what a chart shows
const INTERVALS = { 100: "0.1 s", 250: "0.25 s", 500: "0.5 s", 1000: "1 s", 2000: "2 s", 5000: "5 s" };

const $ = (id) => document.getElementById(id);
const socket = io();
showTransport(socket);

const charts = new Map(); // sensor's name -> Chart
let pausedAt = null;      // the station's time at which the charts stand still
let behind = -Infinity;   // how far the station's clock is behind ours, in ms

const now = () => pausedAt ?? Date.now() + behind;

// -------------------------------------------------------------------- chart

class Chart {
  readings = []; // [time, value], oldest first

  constructor({ name, unit, digits }, number) {
    const node = $("chart").content.firstElementChild.cloneNode(true);

    Object.assign(this, { name, unit, digits, node });
    this.canvas = node.querySelector("canvas");
    this.context = this.canvas.getContext("2d");
    this.switch = node.querySelector(".switch input");
    this.select = node.querySelector("select");
    this.colourName = `--s${number % 4}`;
    node.dataset.sensor = name;
    node.style.setProperty("--colour", `var(${this.colourName})`);
    node.querySelector("h2").textContent = name;
    node.querySelector(".unit").textContent = unit;
    this.canvas.setAttribute("aria-label", `${name} of the last ${SPAN_MS / 1000} seconds`);
    this.switch.setAttribute("aria-label", `Watch ${name}`);
    this.select.setAttribute("aria-label", `Interval of ${name}`);
    for (const [ms, label] of Object.entries(INTERVALS)) this.select.append(new Option(label, ms));
    this.switch.addEventListener("change", () => this.watch(this.switch.checked));
    this.select.addEventListener("change", () => this.askInterval());
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    $("charts").append(node);
  }

  // In the sensor's room we get its readings; out of it none are sent to us.
  watch(on) {
    this.node.classList.toggle("off", !on);
    if (!on) return socket.emit("unwatch", this.name);
    socket.emit("watch", this.name, (error, flat) => {
      if (error) return this.complain(error);
      const history = [];
      for (let i = 0; i < flat.length; i += 2) history.push([flat[i], flat[i + 1]]);
      const last = history.at(-1)?.[0] ?? 0;
      this.readings = history.concat(this.readings.filter(([time]) => time > last));
      if (history.length) this.clock(last);
      this.showLast();
    });
  }

  add(time, value) {
    if (time <= (this.readings.at(-1)?.[0] ?? 0)) return; // came with the history
    this.readings.push([time, value]);
    // While the charts stand still, what they show is not thrown away.
    while (this.readings.length > 2 && this.readings[1][0] < now() - SPAN_MS) this.readings.shift();
    if (this.readings.length > 5000) this.readings.shift();
    this.clock(time);
    this.showLast();
  }

  // The newest reading is never in the future; the clocks of station and page
  // need not agree.
  clock(time) {
    behind = Math.max(behind, time - Date.now());
  }

  showLast() {
    const value = this.readings.at(-1)?.[1];
    this.node.dataset.last = this.readings.at(-1)?.[0] ?? "";
    if (pausedAt === null) this.node.querySelector("output").textContent = value?.toFixed(this.digits) ?? "";
  }

  // The server says whether it may be; then the others are told, too.
  askInterval() {
    socket.timeout(5000).emit("interval", this.name, Number(this.select.value), (lost, error, ms) => {
      this.complain(lost ? "The server does not answer." : error ?? "");
      this.showInterval(lost || error ? this.interval : ms);
    });
  }

  showInterval(ms) {
    this.interval = ms;
    if (!INTERVALS[ms]) this.select.append(new Option(`${ms / 1000} s`, ms));
    this.select.value = ms;
    this.node.querySelector(".rate").textContent = `${+(1000 / ms).toFixed(1)} a second`;
  }

  complain(text) {
    this.node.querySelector(".error").textContent = text;
  }

  resize() {
    this.canvas.width = Math.round(this.canvas.clientWidth * devicePixelRatio);
    this.canvas.height = Math.round(this.canvas.clientHeight * devicePixelRatio);
  }

  // ------------------------------------------------------------ its drawing

  // Round steps, so that the lines of the grid are at numbers one can read.
  scale(values) {
    const least = Math.min(...values), most = Math.max(...values);
    const rough = Math.max(most - least, 10 ** -this.digits * 4) / 3;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((n) => n * power >= rough) * power;
    return { from: Math.floor(least / step) * step, to: Math.ceil(most / step + 1e-9) * step, step };
  }

  draw(style) {
    const c = this.context, end = now(), ratio = devicePixelRatio;
    const shown = this.readings.filter(([time]) => time >= end - SPAN_MS - 5000 && time <= end);
    const box = { left: 50, top: 8, right: this.canvas.clientWidth - 8, bottom: this.canvas.clientHeight - 20 };

    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!shown.length) return;
    const scale = this.scale(shown.map(([, value]) => value));
    const x = (time) => box.right - (end - time) / SPAN_MS * (box.right - box.left);
    const y = (value) => box.bottom - (value - scale.from) / (scale.to - scale.from || 1) * (box.bottom - box.top);
    this.drawGrid(c, style, box, scale, y);
    this.drawLine(c, style, box, shown.map(([time, value]) => [x(time), y(value)]));
  }

  drawGrid(c, style, box, scale, y) {
    const digits = Math.max(0, -Math.floor(Math.log10(scale.step)));

    c.font = "11px system-ui, sans-serif";
    c.fillStyle = style.getPropertyValue("--quiet");
    c.strokeStyle = style.getPropertyValue("--grid");
    c.lineWidth = 1;
    c.textAlign = "right";
    c.textBaseline = "middle";
    c.beginPath();
    for (let i = 0; scale.from + i * scale.step <= scale.to + scale.step / 2; i++) {
      const value = scale.from + i * scale.step, at = Math.round(y(value)) + 0.5;
      c.moveTo(box.left, at);
      c.lineTo(box.right, at);
      c.fillText(value.toFixed(digits), box.left - 6, at);
    }
    c.stroke();
    c.textBaseline = "top";
    for (let s = 0; s <= SPAN_MS / 1000; s += 10) {
      c.textAlign = s === 0 ? "right" : s * 1000 === SPAN_MS ? "left" : "center";
      c.fillText(s ? `−${s} s` : "now", box.right - s * 1000 / SPAN_MS * (box.right - box.left), box.bottom + 6);
    }
  }

  drawLine(c, style, box, points) {
    const colour = style.getPropertyValue(this.colourName);
    const shade = c.createLinearGradient(0, box.top, 0, box.bottom);
    const [lastX, lastY] = points.at(-1);

    shade.addColorStop(0, colour + "38");
    shade.addColorStop(1, colour + "00");
    c.save();
    c.beginPath();
    c.rect(box.left, 0, box.right + 8 - box.left, box.bottom);
    c.clip();
    c.beginPath();
    points.forEach(([x, y]) => c.lineTo(x, y));
    c.strokeStyle = colour;
    c.lineWidth = 2;
    c.lineJoin = c.lineCap = "round";
    c.stroke();
    c.lineTo(lastX, box.bottom);
    c.lineTo(points[0][0], box.bottom);
    c.fillStyle = shade;
    c.fill();
    c.beginPath();
    c.arc(lastX, lastY, 3.5, 0, 7);
    c.fillStyle = colour;
    c.fill();
    c.restore();
  }
}

function drawAll() {
  const style = getComputedStyle(document.documentElement);
  for (const chart of charts.values()) chart.draw(style);
  requestAnimationFrame(drawAll);
}
requestAnimationFrame(drawAll);

// ------------------------------------------------------------------- events

// Comes with every connection: a new one is in no room yet.
socket.on("sensors", (list) => {
  list.forEach((sensor, i) => {
    if (!charts.has(sensor.name)) charts.set(sensor.name, new Chart(sensor, i));
    const chart = charts.get(sensor.name);
    chart.showInterval(sensor.interval);
    if (chart.switch.checked) chart.watch(true);
  });
});

socket.on("reading", (name, time, value) => charts.get(name)?.add(time, value));
socket.on("interval", (name, ms) => charts.get(name)?.showInterval(ms));

socket.on("status", (seconds, clients, readings) => {
  const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  $("status").textContent = `up ${time} · ${clients} ${clients === 1 ? "page" : "pages"} · ${readings} readings a second`;
});
socket.on("disconnect", () => ($("status").textContent = ""));

$("pause").addEventListener("click", () => {
  pausedAt = pausedAt === null ? now() : null;
  $("pause").setAttribute("aria-pressed", String(pausedAt !== null));
  $("pause").querySelector("span").textContent = pausedAt === null ? "Pause" : "Go on";
  for (const chart of charts.values()) chart.showLast();
});
