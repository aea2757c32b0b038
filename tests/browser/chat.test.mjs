// chat.test.mjs -- two people in a real browser use the chat of demo/chat.
// Screenshots stay in BUILD/test-logs.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { after, test } from "node:test";
import { chromium } from "playwright-core";
import { BUILD, startProgram } from "../e2e/harness.mjs";

const CHROMIUM = "/usr/bin/chromium";
const ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const LOGS = `${BUILD}/test-logs`;
const skip = existsSync(CHROMIUM) ? false : "chromium is not installed";

mkdirSync(LOGS, { recursive: true });

const startChat = (port = 0) => startProgram(`${BUILD}/demo/chat`, [String(port)], /^chat: http:\/\/localhost:(\d+)$/);

let chat = skip ? null : await startChat();
const url = skip ? "" : `http://localhost:${chat.match[1]}/`;
const browser = skip ? null : await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
const problems = []; // what a page complained of, and requests that went elsewhere

// A browser profile of its own with the chat's page in it.
async function open({ colorScheme = "light", width = 1180, height = 780 } = {}) {
  const context = await browser.newContext({ colorScheme, viewport: { width, height } });
  const page = await context.newPage();
  page.setDefaultTimeout(10000);
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/ERR_CONNECTION_REFUSED|WebSocket connection|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/.test(message.text()))
      problems.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !/^(blob|data):/.test(request.url())) problems.push(request.url());
  });
  await page.goto(url);
  return page;
}

async function join(page, name) {
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Join the chat" }).click();
  await page.locator("#chat").waitFor();
}

// Amid an upgrade a closed page would only be missed at the next heartbeat.
async function leave(page) {
  await page.locator('#transport[data-state="websocket"]').waitFor();
  await page.context().close();
}

const sees = (page, selector, text) => page.locator(selector, { hasText: text }).last().waitFor();
const texts = (page, selector) => page.locator(selector).allTextContents();
const settled = (page, check, arg) => page.waitForFunction(check, arg);
const shot = (page, name) => page.screenshot({ path: `${LOGS}/chat-${name}.png`, animations: "disabled" });

async function say(page, text) {
  await page.getByRole("textbox", { name: "Message", exact: true }).fill(text);
  await page.keyboard.press("Enter");
}

async function people(page, names) {
  await settled(page, (expected) => [...document.querySelectorAll("#people bdi")]
    .map((node) => node.textContent).sort().join() === expected, [...names].sort().join());
}

// A picture made by the browser: hills under a low sun.
function picture(page) {
  return page.evaluate(() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 480, height: 300 });
    const c = canvas.getContext("2d");
    const sky = c.createLinearGradient(0, 0, 0, 300);
    sky.addColorStop(0, "#2b3a67");
    sky.addColorStop(0.6, "#e3a587");
    c.fillStyle = sky;
    c.fillRect(0, 0, 480, 300);
    c.fillStyle = "#ffe3b0";
    c.beginPath();
    c.arc(330, 170, 28, 0, 7);
    c.fill();
    for (const [color, base, height, step] of [["#6d6a8c", 200, 50, 90], ["#3f4a6b", 235, 40, 60], ["#1f2a44", 270, 30, 45]]) {
      c.fillStyle = color;
      c.beginPath();
      c.moveTo(0, 300);
      for (let x = 0; x <= 480; x += 4) c.lineTo(x, base - height * Math.sin(x / step + base));
      c.lineTo(480, 300);
      c.fill();
    }
    return canvas.toDataURL("image/png").split(",")[1];
  }).then((text) => Buffer.from(text, "base64"));
}

let ann, bob;

test("chat: the door asks for a name", { skip }, async () => {
  ann = await open();
  bob = await open({ colorScheme: "dark" });
  await shot(ann, "door-light");
  await shot(bob, "door-dark");
  assert.equal(await ann.locator("#chat").isHidden(), true);
  await join(ann, "Ann");
  assert.equal(await ann.locator("#me").textContent(), "Ann");
  assert.equal(await ann.locator("#room").textContent(), "lobby");
});

test("chat: each sees who is here, and who comes in", { skip }, async () => {
  await join(bob, "Bob");
  await sees(ann, ".notice", "Bob came in");
  await people(ann, ["Ann", "Bob"]);
  await people(bob, ["Ann", "Bob"]);
  assert.equal(await ann.locator("#head-count").textContent(), "2");
});

test("chat: a taken name gets a suffix", { skip }, async () => {
  const other = await open();
  await join(other, "ann");
  assert.equal(await other.locator("#me").textContent(), "ann 2");
  await people(bob, ["Ann", "Bob", "ann 2"]);
  await leave(other);
  await sees(bob, ".notice", "ann 2 left");
  await people(bob, ["Ann", "Bob"]);
});

test("chat: the connection shown becomes websocket", { skip }, async () => {
  for (const page of [ann, bob]) await page.locator('#transport[data-state="websocket"]').waitFor();
});

test("chat: typing is seen by the other, and ends", { skip }, async () => {
  await ann.getByRole("textbox", { name: "Message", exact: true }).pressSequentially("Hel");
  await sees(bob, "#typing", "Ann is typing");
  assert.equal(await ann.locator("#typing").textContent(), "");
  await ann.getByRole("textbox", { name: "Message", exact: true }).fill("");
  await settled(bob, () => document.querySelector("#typing").textContent === "");
});

test("chat: a message arrives, and its tick says delivered", { skip }, async () => {
  await say(ann, "Good morning! Is anybody here already?");
  await sees(bob, ".message .bubble", "Good morning!");
  await sees(ann, ".message.own .tick", "delivered");
  assert.equal(await bob.locator(".message .author").last().textContent(), "Ann");
  await say(bob, "Me. The coffee is ready ☕");
  await sees(ann, ".message .bubble", "☕");
  await sees(bob, ".message.own .tick", "delivered");
  await say(ann, "On my way.");
  await say(ann, "Look what the sky did this morning:");
  await sees(bob, ".message .bubble", "the sky did");
});

test("chat: an image arrives as it was sent, and its tick says delivered", { skip }, async () => {
  const png = await picture(ann);
  await ann.locator("#file").setInputFiles({ name: "hills.png", mimeType: "image/png", buffer: png });
  await bob.locator(".bubble.picture img").waitFor();
  await settled(bob, () => document.querySelector(".bubble.picture img").naturalWidth === 480);
  const received = await bob.evaluate(async () => {
    // The page's own policy forbids fetch() of a blob: draw it instead.
    const image = document.querySelector(".bubble.picture img");
    const canvas = Object.assign(document.createElement("canvas"), { width: 480, height: 300 });
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL("image/png").split(",")[1];
  });
  assert.equal(received, png.toString("base64"));
  await settled(ann, () => [...document.querySelectorAll(".message.own .tick")].at(-1).textContent === "delivered");
});

test("chat: the page in light and dark, and on a phone", { skip }, async () => {
  await bob.getByRole("textbox", { name: "Message", exact: true }).pressSequentially("What a view");
  await sees(ann, "#typing", "Bob is typing");
  for (const page of [ann, bob]) // the newest line is in view
    await settled(page, () => {
      const log = document.querySelector("#log");
      return log.scrollHeight - log.scrollTop - log.clientHeight < 2;
    });
  await shot(ann, "light");
  await shot(bob, "dark");
  const cleo = await open({ width: 390, height: 780 });
  await join(cleo, "Cléo");
  await say(bob, "Welcome, Cléo!");
  await sees(cleo, ".message .bubble", "Welcome");
  await say(cleo, "Hello from the train. The connection comes and goes in the tunnels, but every message has made it so far.");
  await sees(cleo, ".message.own .tick", "delivered to 2");
  await cleo.locator('#transport[data-state="websocket"]').waitFor();
  await shot(cleo, "phone");
  await cleo.getByRole("button", { name: "Rooms and people" }).click();
  await settled(cleo, () => document.querySelector("#side").getBoundingClientRect().left === 0);
  await shot(cleo, "phone-menu");
  assert.ok(await cleo.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "no sideways scrolling");
  await leave(cleo);
  await people(ann, ["Ann", "Bob"]);
});

test("chat: markup is shown as it was typed", { skip }, async () => {
  const markup = '<img src=x onerror="document.title=1"><b>bold</b>';
  const other = await open();
  await join(other, "<i>Eve</i>");
  await say(other, markup);
  await sees(bob, ".message .bubble", "onerror");
  assert.equal((await texts(bob, ".message .bubble")).at(-1), markup);
  assert.equal(await bob.locator(".message bdi i, .bubble b, .bubble img[src=x]").count(), 0);
  await leave(other);
  await sees(bob, ".notice", "<i>Eve</i> left");
});

test("chat: a new room is there for all, and separate", { skip }, async () => {
  await bob.getByLabel("Name of a new room").fill("books");
  await bob.keyboard.press("Enter");
  await settled(bob, () => document.querySelector("#room").textContent === "books");
  await sees(ann, "#rooms button", "books");
  await sees(ann, ".notice", "Bob left");
  await people(ann, ["Ann"]);
  await people(bob, ["Bob"]);
  await say(ann, "only for the lobby");
  await sees(ann, ".message.own .tick", "nobody else is here");
  await ann.locator("#rooms button", { hasText: "books" }).click();
  await people(bob, ["Ann", "Bob"]);
  await say(ann, "and this for books");
  await sees(bob, ".message .bubble", "and this for books");
  assert.ok(!(await texts(bob, ".message .bubble")).includes("only for the lobby"));
  await ann.locator("#rooms button", { hasText: "lobby" }).click();
  await bob.locator("#rooms button", { hasText: "lobby" }).click();
  await people(ann, ["Ann", "Bob"]);
  await settled(ann, () => !document.querySelector("#rooms").textContent.includes("books"));
});

test("chat: the server starts anew, the pages come back with name and room", { skip }, async () => {
  await ann.locator("#rooms button", { hasText: "music" }).click();
  await people(ann, ["Ann"]);
  const port = chat.match[1];
  await chat.stop();
  await ann.locator('#transport[data-state="offline"]').waitFor();
  chat = await startChat(port);
  await ann.locator('#transport[data-state="websocket"]').waitFor();
  await people(ann, ["Ann"]);
  assert.equal(await ann.locator("#room").textContent(), "music");
  assert.equal(await ann.locator("#me").textContent(), "Ann");
});

test("chat: no page complained, and none asked another server for anything", { skip }, () => {
  assert.deepEqual(problems, []);
});

test("chat: the server ends with status 0", { skip }, async () => {
  await browser.close();
  await chat.stop();
});

after(() => browser?.close());
