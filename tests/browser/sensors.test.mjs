// sensors.test.mjs -- live charts of demo/sensors in a real browser: a thread
// makes the readings, the program's own loop serves them. Screenshots stay in
// BUILD/test-logs.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { io } from "socket.io-client";
import { collect, next } from "../e2e/harness.mjs";
import { Demo, fits, online, skip } from "./pages.mjs";

const demo = skip ? null : await Demo.start("sensors");
after(() => demo?.browser.close());

const card = (page, name) => page.locator(`.chart[data-sensor="${name}"]`);
const last = async (page, name) => Number(await card(page, name).getAttribute("data-last"));
const NAMES = ["temperature", "wind", "humidity", "pressure"];

// Until the page has a reading of that sensor newer than `time`.
const newer = (page, name, time) => page.waitForFunction(([name, time]) =>
  Number(document.querySelector(`.chart[data-sensor="${name}"]`)?.dataset.last) > time, [name, time]);

const picture = (page, name) => card(page, name).locator("canvas").evaluate((canvas) => canvas.toDataURL());
const frames = (page) => page.evaluate(() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done)))));

let ann, bob, direct; // direct: a client without a page

const watch = (name) => new Promise((resolve) => direct.emit("watch", name, (error, list) => resolve(list)));

test("sensors: every sensor has a chart that goes on", { skip }, async () => {
  ann = await demo.open();
  bob = await demo.open({ colorScheme: "dark" });
  for (const name of NAMES) {
    await newer(ann, name, 0);
    await newer(ann, name, await last(ann, name));
    assert.match(await card(ann, name).locator("output").textContent(), /^\d+\.\d+$/);
  }
  await online(ann);
  await online(bob);
  await ann.locator("#status", { hasText: "2 pages" }).waitFor();
});

test("sensors: paused, the charts stand still; going on, nothing is missing", { skip }, async () => {
  await ann.getByRole("button", { name: "Pause" }).click();
  await frames(ann);
  const before = await picture(ann, "wind"), time = await last(ann, "wind");
  await newer(ann, "wind", time + 500);
  await frames(ann);
  assert.equal(await picture(ann, "wind"), before);
  await ann.getByRole("button", { name: "Go on" }).click();
  await ann.waitForFunction((before) =>
    document.querySelector('.chart[data-sensor="wind"] canvas').toDataURL() !== before, before);
});

test("sensors: switched off, no readings are sent; on again, those in between are there", { skip }, async () => {
  await card(ann, "humidity").locator(".switch i").click();
  await card(ann, "humidity").and(ann.locator(".off")).waitFor();
  direct = io(demo.url, { transports: ["websocket"] });
  await next(direct, "connect");
  const flat = await watch("humidity");
  assert.ok(flat.length >= 2 && flat.length % 2 === 0);
  const readings = collect(direct, "reading");
  await readings.until(3);
  const stopped = await last(ann, "humidity");
  assert.ok(stopped < readings.at(-1)[1], "the page has none of those");
  await card(ann, "humidity").locator(".switch i").click();
  await newer(ann, "humidity", stopped);
  // What was made meanwhile, as the server has kept it.
  const kept = await watch("humidity");
  for (const [, time] of readings.slice(0, 3)) assert.ok(kept.includes(time), `${time} is in the history`);
});

test("sensors: an interval that one sets holds for all, and is checked", { skip }, async () => {
  await card(ann, "temperature").getByRole("combobox").selectOption("100");
  await card(bob, "temperature").locator(".rate", { hasText: "10 a second" }).waitFor();
  assert.equal(await card(bob, "temperature").getByRole("combobox").inputValue(), "100");
  const answer = (...args) => new Promise((resolve) => direct.emit("interval", ...args, (...values) => resolve(values)));
  for (const bad of [["temperature", 49], ["temperature", 60001], ["temperature", "1"], ["nothing", 100], []])
    assert.deepEqual(await answer(...bad), ["An interval is 50 to 60000 ms."], JSON.stringify(bad));
  assert.deepEqual(await answer("pressure", 60000), [null, 60000]);
  await card(ann, "pressure").locator("select", { hasText: "60 s" }).waitFor();
  // A long wait is cut short by a new interval.
  assert.deepEqual(await answer("pressure", 500), [null, 500]);
  await newer(ann, "pressure", await last(ann, "pressure"));
});

test("sensors: a room for each sensor, and none for others", { skip }, async () => {
  const refused = await new Promise((resolve) => direct.emit("watch", "nothing", resolve));
  assert.equal(refused, "There is no such sensor.");
  await new Promise((resolve) => direct.emit("unwatch", "humidity", resolve));
  const other = collect(direct, "reading");
  await new Promise((resolve) => direct.emit("watch", "wind", resolve));
  await other.until(3);
  assert.deepEqual([...new Set(other.map(([name]) => name))], ["wind"]);
  const times = other.map(([, time]) => time);
  assert.deepEqual(times, [...times].sort((a, b) => a - b), "in order");
  direct.close();
});

test("sensors: the page in light and dark, and on a phone", { skip }, async () => {
  const phone = await demo.open({ width: 390, height: 780 });
  for (const name of NAMES) await newer(phone, name, 0);
  await online(phone);
  assert.ok(await fits(phone), "no sideways scrolling");
  await ann.waitForFunction(() => document.querySelector("#status").textContent.includes("3 pages"));
  await demo.shot(phone, "phone");
  await demo.shot(ann, "light");
  await demo.shot(bob, "dark");
  await phone.context().close();
});

test("sensors: the server starts anew, and the charts go on", { skip }, async () => {
  const time = await last(ann, "wind");
  await demo.program.stop();
  await online(ann, "offline");
  await demo.run();
  await newer(ann, "wind", time);
  await online(ann);
});

test("sensors: no page complained, and none asked another server for anything", { skip }, () => {
  assert.deepEqual(demo.problems, []);
});

test("sensors: it ends with status 0 while clients are connected and readings come", { skip }, async () => {
  await demo.program.stop();
  await demo.browser.close();
});
