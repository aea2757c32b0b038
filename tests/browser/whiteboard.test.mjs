// whiteboard.test.mjs -- people draw together on demo/whiteboard in a real
// browser. Screenshots stay in BUILD/test-logs.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Demo, fits, leave, online, skip } from "./pages.mjs";

const demo = skip ? null : await Demo.start("whiteboard");
after(() => demo?.browser.close());

const guests = (page, text) => page.locator("#guests", { hasText: text }).waitFor();

// Draw along points given as parts of the board (0 to 1). The hand moves as a
// hand does: many small steps.
async function stroke(page, points) {
  const { scale, left, top } = JSON.parse(await page.locator("#paper").getAttribute("data-view"));
  const paper = await page.locator("#paper").boundingBox();
  const at = ([x, y]) => [paper.x + left + x * 1600 * scale, paper.y + top + y * 1200 * scale];
  const [first, ...rest] = points;
  await page.mouse.move(...at(first));
  await page.mouse.down();
  for (const point of rest) await page.mouse.move(...at(point), { steps: 2 });
  await page.mouse.up();
}

// How many points of the board are not paper, in a coarse grid: what is drawn,
// whatever the size of the window.
const inked = (page) => page.evaluate(() => {
  const paper = document.getElementById("paper");
  const { scale, left, top } = JSON.parse(paper.dataset.view);
  const context = paper.getContext("2d");
  const all = context.getImageData(0, 0, paper.width, paper.height).data;
  const at = (x, y) => 4 * (Math.round((top + y * scale) * devicePixelRatio) * paper.width +
    Math.round((left + x * scale) * devicePixelRatio));
  const blank = at(3, 3);
  const differs = (i) => [0, 1, 2].some((k) => Math.abs(all[i + k] - all[blank + k]) > 24);
  let count = 0;
  for (let x = 8; x < 1600; x += 8) for (let y = 8; y < 1200; y += 8) count += differs(at(x, y));
  return count;
});

const settled = async (page, check, what) => {
  const end = Date.now() + 10000;
  for (;;) {
    const count = await inked(page);
    if (check(count)) return count;
    assert.ok(Date.now() < end, `${what}: ${count}`);
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
};

const curve = (f, from = 0, to = 1, steps = 12) =>
  Array.from({ length: steps + 1 }, (_, i) => f(from + (to - from) * i / steps));

let ann, bob;

test("whiteboard: what one draws the other sees", { skip }, async () => {
  ann = await demo.open({ path: "#garden" });
  bob = await demo.open({ path: "#garden", colorScheme: "dark" });
  await guests(ann, "2 here");
  await guests(bob, "2 here");
  await online(ann);
  await online(bob);
  await ann.getByRole("button", { name: "Medium" }).click();
  await ann.getByRole("button", { name: "Green" }).click();
  await stroke(ann, curve((t) => [0.08 + 0.84 * t, 0.78 - 0.1 * Math.sin(t * 3.1)]));
  const drawn = await settled(ann, (n) => n > 100, "own line");
  await settled(bob, (n) => Math.abs(n - drawn) < drawn / 5, "the other's line");
});

test("whiteboard: a hand is seen where it is", { skip }, async () => {
  await bob.mouse.move(600, 300);
  await bob.mouse.move(640, 320);
  await ann.locator(".cursor", { hasText: "guest 2" }).waitFor();
  await stroke(bob, [[0.5, 0.75], [0.5, 0.45]]);
  const box = await ann.locator(".cursor").boundingBox();
  const view = JSON.parse(await ann.locator("#paper").getAttribute("data-view"));
  assert.ok(Math.abs(box.x - (view.left + 0.5 * 1600 * view.scale)) < 40, JSON.stringify({ box, view }));
});

test("whiteboard: who comes late gets the picture so far", { skip }, async () => {
  await bob.getByRole("button", { name: "Red" }).click();
  await bob.getByRole("button", { name: "Bold" }).click();
  for (const [x, y] of [[0.5, 0.36], [0.44, 0.42], [0.56, 0.42], [0.46, 0.49], [0.54, 0.49]])
    await stroke(bob, curve((t) => [x + 0.018 * Math.cos(6.3 * t), y + 0.024 * Math.sin(6.3 * t)]));
  await ann.getByRole("button", { name: "Orange" }).click();
  await stroke(ann, curve((t) => [0.84 + 0.05 * Math.cos(6.3 * t), 0.2 + 0.066 * Math.sin(6.3 * t)], 0, 1, 24));
  for (const a of [0.3, 1.1, 1.9, 2.7, 3.5, 4.3, 5.1, 5.9])
    await stroke(ann, [0.075, 0.105].map((r) => [0.84 + r * Math.cos(a), 0.2 + r * 1.33 * Math.sin(a)]));
  await ann.getByRole("button", { name: "Blue" }).click();
  await ann.getByRole("button", { name: "Fine" }).click();
  for (const [x, y] of [[0.2, 0.25], [0.3, 0.2], [0.26, 0.33]])
    await stroke(ann, curve((t) => [x - 0.04 + 0.08 * t, y - 0.03 * Math.abs(Math.sin(6.28 * t))]));
  const drawn = await settled(ann, (n) => n > 400, "own picture");
  const late = await demo.open({ path: "#garden", width: 390, height: 780, touch: true });
  await guests(late, "3 here");
  await online(late);
  assert.ok(await fits(late), "no sideways scrolling");
  await demo.shot(late, "phone");
  await late.getByRole("button", { name: "Whole board" }).click();
  await settled(late, (n) => Math.abs(n - drawn) < drawn / 3, "the late-comer's picture");
  await demo.shot(late, "phone-whole");
  await leave(late);
  await guests(ann, "2 here");
});

test("whiteboard: the page in light and dark", { skip }, async () => {
  await ann.mouse.move(500, 260);
  await ann.mouse.move(520, 270);
  await bob.mouse.move(760, 420);
  await bob.mouse.move(780, 430);
  await bob.locator(".cursor", { hasText: "guest 1" }).waitFor();
  await demo.shot(ann, "light");
  await demo.shot(bob, "dark");
});

test("whiteboard: the eraser takes away for everybody", { skip }, async () => {
  const before = await settled(bob, (n) => n > 0, "something to rub out");
  await ann.getByRole("button", { name: "Eraser" }).click();
  await stroke(ann, curve((t) => [0.7 + 0.28 * t, 0.1 + 0.2 * Math.abs(Math.sin(20 * t))], 0, 1, 40));
  await settled(bob, (n) => n < before, "rubbed out");
});

test("whiteboard: boards are separate", { skip }, async () => {
  await bob.getByLabel("Name of the board").fill("other");
  await bob.keyboard.press("Enter");
  await guests(bob, "only you");
  await guests(ann, "only you");
  assert.equal(await settled(bob, (n) => n === 0, "an empty board"), 0);
  assert.equal(new URL(bob.url()).hash, "#other");
  await bob.goBack();
  await guests(bob, "2 here");
  await settled(bob, (n) => n > 100, "the first board again");
});

test("whiteboard: what was drawn without a connection is sent after it", { skip }, async () => {
  const before = await inked(bob);
  await ann.getByRole("button", { name: "Purple" }).click();
  await demo.program.stop();
  await online(ann, "offline");
  await stroke(ann, [[0.1, 0.92], [0.9, 0.92]]);
  await demo.run();
  await guests(ann, "2 here");
  await guests(bob, "2 here");
  // The server is a new one: nothing is left but what was drawn meanwhile.
  const drawn = await settled(bob, (n) => n > 20 && n < before, "the line drawn offline");
  await settled(ann, (n) => Math.abs(n - drawn) < drawn / 4, "the same on the own page");
});

test("whiteboard: cleared for everybody", { skip }, async () => {
  await bob.getByRole("button", { name: "Clear the board" }).click();
  await settled(ann, (n) => n === 0, "cleared");
});

test("whiteboard: a full board loses its oldest pieces, on every page alike", { skip }, async () => {
  // 512 points a piece, 2052 bytes: 128 pieces are more than a picture holds.
  await ann.evaluate(async () => {
    const { io } = await import("/socket.io/socket.io.esm.min.js");
    const socket = io({ forceNew: true });
    const piece = (colour, y) => {
      const view = new DataView(new ArrayBuffer(4 + 4 * 512));
      view.setUint8(0, colour);
      view.setUint8(1, 4);
      view.setUint16(2, 512, true);
      for (let i = 0; i < 512; i++) view.setUint16(4 + 4 * i, 40 + 3 * i, true), view.setUint16(6 + 4 * i, y, true);
      return view.buffer;
    };
    await socket.emitWithAck("enter", "garden");
    socket.emit("draw", new Uint8Array([9, 9, 9])); // none: is ignored
    for (let i = 0; i < 127; i++) socket.emit("draw", piece(2, i < 40 ? 200 : 600));
    const faded = new Promise((resolve) => socket.once("picture", resolve));
    socket.emit("draw", piece(5, 1000));
    await faded;
    socket.close();
  });
  // Drawn at all, at one place: the last piece comes behind what was before it.
  const row = (page, y) => page.evaluate((y) => {
    const { scale, left, top } = JSON.parse(document.getElementById("paper").dataset.view);
    const data = document.getElementById("paper").getContext("2d").getImageData(
      Math.round(left + 800 * scale), Math.round(top + y * scale), 1, 1).data;
    return data[0] !== data[1] || data[1] !== data[2];
  }, y);
  for (const page of [ann, bob]) {
    for (const end = Date.now() + 10000; !await row(page, 1000);) {
      assert.ok(Date.now() < end, "the last piece");
      await page.evaluate(() => new Promise(requestAnimationFrame));
    }
  }
  const left = await settled(ann, (n) => n > 0, "what is left");
  await settled(bob, (n) => Math.abs(n - left) <= left / 4, "the same for the other");
  assert.deepEqual([await row(ann, 600), await row(ann, 1000)], [true, true]);
});

test("whiteboard: no page complained, and none asked another server for anything", { skip }, () => {
  assert.deepEqual(demo.problems, []);
});

test("whiteboard: the server ends with status 0", { skip }, () => demo.end());
