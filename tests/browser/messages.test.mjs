// messages.test.mjs -- private messages of demo/messages in a real browser:
// reloads, tabs, a connection that is cut. Screenshots stay in BUILD/test-logs.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { io } from "socket.io-client";
import { next } from "../e2e/harness.mjs";
import { Demo, fits, online, skip } from "./pages.mjs";

const demo = skip ? null : await Demo.start("messages");
after(() => demo?.browser.close());
// At "localhost" the client does not believe the browser that it is offline.
if (demo) demo.url = demo.url.replace("localhost", "127.0.0.1");

async function join(page, name) {
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Come in" }).click();
  await page.locator("#me", { hasText: name }).waitFor();
}

const person = (page, name) => page.locator(`#people a[data-person="${name}"]`);
const sees = (page, text) => page.locator("#log .message p", { hasText: text }).last().waitFor();
const state = (page, text, state) =>
  page.locator(`#log .message[data-state="${state}"]`, { has: page.locator("p", { hasText: text }) }).waitFor();
const texts = (page) => page.locator("#log .message p").allTextContents();

async function say(page, text) {
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await page.keyboard.press("Enter");
}

let ann, bob;

test("messages: two find each other", { skip }, async () => {
  ann = await demo.open();
  bob = await demo.open({ colorScheme: "dark" });
  await demo.shot(ann, "door");
  await join(ann, "Ann");
  await join(bob, "Bob");
  await person(ann, "Bob").and(ann.locator(".here")).click();
  await online(ann);
  await online(bob);
});

test("messages: a name that is taken is refused", { skip }, async () => {
  const other = await demo.open();
  await other.getByLabel("Your name").fill("ann");
  await other.getByRole("button", { name: "Come in" }).click();
  await other.locator("#refused", { hasText: "taken" }).waitFor();
  await other.context().close();
});

test("messages: unread is counted, then read is told", { skip }, async () => {
  await say(ann, "Are you coming tonight?");
  await state(ann, "tonight", "sent");
  await person(bob, "Ann").locator(".unread", { hasText: "1" }).waitFor();
  await person(bob, "Ann").click();
  await sees(bob, "tonight");
  await state(ann, "tonight", "read");
  assert.equal(await person(bob, "Ann").locator(".unread").count(), 0);
  await bob.getByRole("textbox", { name: "Message" }).pressSequentially("Yes");
  await ann.locator("#presence", { hasText: "is typing" }).waitFor();
  await say(bob, "Yes, at eight. Shall I bring the map?");
  await sees(ann, "the map");
});

test("messages: they are there after a reload", { skip }, async () => {
  const before = await texts(ann);
  await ann.reload();
  await sees(ann, "the map");
  assert.deepEqual(await texts(ann), before);
  assert.equal(await ann.locator("#other").textContent(), "Bob");
  await online(ann);
  assert.equal(await ann.locator("html").getAttribute("data-recovered"), "false");
});

test("messages: all tabs of one person have them, others' do not", { skip }, async () => {
  const tab = await demo.open({ context: ann.context() });
  await tab.locator("#me", { hasText: "Ann" }).waitFor();
  await person(tab, "Bob").click();
  const eve = await demo.open();
  await join(eve, "Eve");
  await say(ann, "Please do. And a lamp.");
  await sees(tab, "a lamp");
  await sees(bob, "a lamp");
  await say(tab, "From the other tab: the red one.");
  await sees(ann, "the red one");
  await person(eve, "Ann").click();
  await say(eve, "Hello Ann, it is me.");
  await person(ann, "Eve").locator(".unread", { hasText: "1" }).waitFor();
  assert.deepEqual(await texts(eve), ["Hello Ann, it is me."]);
  await online(tab);
  await tab.close();
  // One tab is left: she is still here.
  await bob.locator("#presence", { hasText: "is here" }).waitFor();
  await eve.getByRole("button", { name: "Sign out" }).click();
  await person(bob, "Eve").and(bob.locator(":not(.here)")).waitFor();
  await eve.context().close();
});

test("messages: what is written while the connection is cut arrives, once, both ways", { skip }, async () => {
  await ann.context().setOffline(true);
  await online(ann, "offline");
  await say(ann, "Written in the tunnel");
  await state(ann, "tunnel", "waiting");
  await say(bob, "Meet you at the bridge");
  await state(bob, "bridge", "sent");
  await ann.context().setOffline(false);
  await sees(ann, "bridge");
  await sees(bob, "tunnel");
  assert.equal(await ann.locator("html").getAttribute("data-recovered"), "true");
  await state(bob, "bridge", "read");
  await state(ann, "tunnel", "read");
  for (const page of [ann, bob])
    assert.equal((await texts(page)).filter((text) => text === "Written in the tunnel").length, 1);
  await online(ann);
});

test("messages: the same message sent twice is one", { skip }, async () => {
  const [one, two] = ["Uma", "Tom"].map((name) => io(demo.url, { transports: ["websocket"], forceNew: true, auth: { name } }));
  const sessions = await Promise.all([next(one, "session"), next(two, "session")]);
  let count = 0;
  two.on("message", () => count++);
  const send = (...args) => new Promise((resolve) => one.emit("message", ...args, (...answer) => resolve(answer)));
  const to = sessions[1][0];
  const [, first] = await send(to, "hi", "n1");
  const [, again] = await send(to, "hi", "n1");
  const [, other] = await send(to, "hi", "n2");
  assert.deepEqual(again, first);
  assert.notEqual(other.id, first.id);
  for (const bad of [[999, "hi", "n3"], [to, "", "n3"], [to, "x".repeat(3001), "n3"], [to, 7, "n3"], [to, "hi", ""], [to, "hi"], [to, "a\0b", "n3"]]) {
    const [error, message] = await send(...bad);
    assert.equal(typeof error, "string", JSON.stringify(bad));
    assert.equal(message, undefined);
  }
  await new Promise((resolve) => two.emit("message", to, "", "", resolve)); // behind all that
  assert.equal(count, 2);
  const wrong = io(demo.url, { transports: ["websocket"], forceNew: true, auth: { token: "0".repeat(32) } });
  assert.match((await next(wrong, "connect_error"))[0].message, /choose a name/);
  for (const socket of [one, two, wrong]) socket.close();
});

test("messages: the page in light and dark, and on a phone", { skip }, async () => {
  await say(ann, "See you there ☕");
  await sees(bob, "☕");
  await demo.shot(ann, "light");
  await demo.shot(bob, "dark");
  await ann.setViewportSize({ width: 390, height: 780 });
  assert.ok(await fits(ann), "no sideways scrolling");
  await demo.shot(ann, "phone");
  await ann.getByRole("link", { name: "All people" }).click();
  await person(ann, "Bob").waitFor();
  await demo.shot(ann, "phone-people");
  await ann.setViewportSize({ width: 1180, height: 780 });
});

test("messages: markup is shown as it was typed", { skip }, async () => {
  await person(ann, "Bob").click();
  await say(bob, '<img src=x onerror="document.title=1"><b>bold</b>');
  await sees(ann, "onerror");
  assert.equal(await ann.locator("#log b, #log img").count(), 0);
});

test("messages: a new server knows nobody, and says so", { skip }, async () => {
  await demo.program.stop();
  await demo.run();
  await ann.locator("#refused", { hasText: "choose a name again" }).waitFor();
  await join(ann, "Ann");
  await online(ann);
});

test("messages: no page complained, and none asked another server for anything", { skip }, () => {
  // 400: what a page asks for after its session has ended meanwhile.
  assert.deepEqual(demo.problems.filter((text) => !/status of 400/.test(text)), []);
});

test("messages: the server ends with status 0", { skip }, () => demo.end());
