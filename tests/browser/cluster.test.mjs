// cluster.test.mjs -- demo/cluster in a real browser: three pages at three
// nodes, two of C and one of JavaScript, behind haproxy; a node that is stopped
// and one that is killed. Screenshots stay in BUILD/test-logs.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { io } from "socket.io-client";
import { HAVE_REDIS } from "../cluster/redis.mjs";
import { BUILD, next, until } from "../e2e/harness.mjs";
import { missing } from "../e2e/proxies.mjs";
import { Demo, fits, online, skip as noBrowser } from "./pages.mjs";

const PAUSE_MS = 5000; // so long a node is away: every page shall see that
const skip = noBrowser || (HAVE_REDIS ? false : "redis-server is not installed") || missing("haproxy");

// The launcher's folder is in one of ours: nothing may be left in it.
const folder = mkdtempSync(join(tmpdir(), "sio-demo-"));
const demo = skip ? null
  : await Demo.start("cluster", [process.execPath, "demo/cluster/run.mjs", "--pause", String(PAUSE_MS),
    "--program", `${BUILD}/demo/cluster`], { TMPDIR: folder });
after(async () => {
  await demo?.browser.close();
  rmSync(folder, { recursive: true, force: true });
});

const NAMES = ["Ann", "Bob", "Cem"];
const NODES = ["c1", "c2", "js1"];
const pages = {};

const card = (page, node) => page.locator(`.node[data-node="${node}"]`);
const sees = (page, ...texts) => texts
  .reduce((line, hasText) => line.filter({ hasText }), page.locator("#log li")).last().waitFor();
const at = (page, node, name) => card(page, node).locator(`[data-person="${name}"]`).waitFor();
const inState = (page, node, state) => page.locator(`.node[data-node="${node}"][data-state="${state}"]`).waitFor();
const nodeOf = (page) => page.locator('.node[data-state="own"]').getAttribute("data-node");

// The node that serves the page, once it is another one.
async function elsewhere(page, than) {
  await page.locator(`.node[data-state="own"]:not([data-node="${than}"])`).waitFor();
  return nodeOf(page);
}

async function enter(page, name) {
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Come in" }).click();
  await page.locator("#app").waitFor();
  await online(page);
}

async function moveTo(page, node) {
  await page.locator(`.node[data-node="${node}"]:not([data-state="gone"])`).waitFor();
  if (await nodeOf(page) !== node) await card(page, node).getByRole("button", { name: "Move here" }).click();
  await inState(page, node, "own");
  await online(page);
}

async function say(page, to, text) {
  await page.getByLabel("To whom").selectOption({ label: to });
  await page.getByRole("textbox", { name: "Text" }).fill(text);
  await page.keyboard.press("Enter");
}

// The processes that run now, by what the launcher has said.
function running() {
  const pids = new Map();
  for (const [, name, what, pid] of demo.program.stderr.matchAll(/^cluster: (\S+)(?: \(\S+\))? (runs|has ended), pid (\d+)/gm)) {
    if (what === "runs") pids.set(name, Number(pid));
    else if (pids.get(name) === Number(pid)) pids.delete(name);
  }
  return pids;
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("cluster: three pages, of which each finds all nodes", { skip }, async () => {
  assert.deepEqual([...running().keys()].sort(), ["Redis", "c1", "c2", "haproxy", "js1"]);
  for (const name of NAMES) {
    pages[name] = await demo.open({ colorScheme: name === "Bob" ? "dark" : "light" });
    if (name === "Ann") await demo.shot(pages[name], "door");
    await enter(pages[name], name);
    for (const node of NODES) await card(pages[name], node).waitFor();
  }
});

test("cluster: each moves to a node of its own, which all pages show", { skip }, async () => {
  for (const [i, name] of NAMES.entries()) await moveTo(pages[name], NODES[i]);
  for (const page of Object.values(pages)) for (const [i, name] of NAMES.entries()) await at(page, NODES[i], name);
  const languages = await pages.Ann.locator(".node .language").allTextContents();
  assert.deepEqual(languages, ["C", "C", "Node.js"]);
  await pages.Cem.locator('[data-person="Ann"]', { hasText: "websocket" }).waitFor();
});

test("cluster: to everybody, from each node to each", { skip }, async () => {
  for (const [i, name] of NAMES.entries()) {
    await say(pages[name], "To everybody", `Hello from ${name}`);
    for (const other of NAMES.filter((other) => other !== name)) {
      await sees(pages[other], NODES[i], `${name} to everybody: Hello from ${name}`);
      await sees(pages[name], `Hello from ${name}`, `${other} at ${NODES[NAMES.indexOf(other)]}`, "ms there and back");
    }
  }
});

test("cluster: to those at one node, and to one person, and nobody else", { skip }, async () => {
  await say(pages.Ann, "To all at c2", "just c2");
  await sees(pages.Bob, "c1", "Ann to all at c2: just c2");
  await sees(pages.Ann, "just c2", "Bob at c2");
  await say(pages.Bob, "To Cem (js1)", "only you");
  await sees(pages.Cem, "c2", "Bob to you: only you");
  await say(pages.Cem, "To Ann (c1)", "and you");
  await sees(pages.Ann, "js1", "Cem to you: and you");
  await pages.Ann.getByRole("button", { name: "Ping" }).click();
  await say(pages.Bob, "To everybody", "after all that");
  await sees(pages.Ann, "after all that");
  await sees(pages.Cem, "after all that");
  assert.equal(await pages.Cem.locator("#log li", { hasText: "just c2" }).count(), 0);
  assert.equal(await pages.Ann.locator("#log li", { hasText: "only you" }).count(), 0);
  assert.equal(await pages.Bob.locator("#log li", { hasText: "and you" }).count(), 0);
});

test("cluster: the page in light and dark, and on a phone", { skip }, async () => {
  await demo.shot(pages.Ann, "light");
  await demo.shot(pages.Bob, "dark");
  await pages.Cem.setViewportSize({ width: 390, height: 780 });
  assert.ok(await fits(pages.Cem), "no sideways scrolling");
  await demo.shot(pages.Cem, "phone");
  await pages.Cem.setViewportSize({ width: 1180, height: 780 });
});

test("cluster: a name without letters is refused by every node", { skip }, async () => {
  const page = await demo.open();
  await page.getByLabel("Your name").evaluate((input) => (input.maxLength = 200));
  await page.getByLabel("Your name").fill("x".repeat(100));
  await page.getByRole("button", { name: "Come in" }).click();
  await page.locator("#refused", { hasText: "choose a name" }).waitFor();
  await page.context().close();
});

// What a client says that is no page, and what it is answered.
async function converse(node) {
  const socket = io(demo.url, {
    transports: ["websocket"], forceNew: true, reconnection: false, auth: { name: "Eve" }, extraHeaders: { Cookie: `node=${node}` },
  });
  const [served] = await next(socket, "welcome");
  assert.equal(served, node);
  const said = [];
  const ask = (...args) => socket.timeout(5000).emitWithAck(...args);
  for (const [room, text] of [[null, ""], [null, 7], [null, "a\nb"], [null, "x".repeat(601)], [null], ["nobody", "hello"], [`node:${node}`, 5]])
    said.push([room === null ? "all" : "room", await ask("say", room, text)]);
  socket.emit("say", 5, "no room", () => said.push("unexpected"));
  socket.emit("say", {}, "nor this", () => said.push("unexpected"));
  socket.emit("say", null, "nobody asks");
  socket.emit("say");
  socket.emit("people");
  socket.emit("nodes", 1, 2);
  socket.emit("stop", { name: node });
  socket.emit("stop");
  const people = await ask("people");
  const nodes = await ask("nodes");
  const own = people.find(({ id }) => id === socket.id);
  socket.close();
  return {
    said, own: { ...own, id: null, node: own.node === node }, keys: people.map((each) => Object.keys(each).sort().join(" ")),
    people: people.map(({ name }) => name).sort(), nodes: [served, ...nodes.map(([name]) => name)].sort(),
  };
}

test("cluster: every node answers alike, whatever it is told", { skip }, async () => {
  const first = await converse("c1");
  assert.deepEqual(first.people, ["Ann", "Bob", "Cem", "Eve"]);
  assert.deepEqual(first.nodes, NODES);
  assert.deepEqual(first.own, { id: null, name: "Eve", node: true, transport: "websocket" });
  assert.deepEqual(first.said.map(([, answer]) => typeof answer), ["string", "string", "string", "string", "string", "object", "string"]);
  for (const name of NAMES) await pages[name].locator('[data-person="Eve"]').waitFor({ state: "detached" });
  for (const node of ["c2", "js1"]) {
    assert.deepEqual(await converse(node), first);
    for (const name of NAMES) await pages[name].locator('[data-person="Eve"]').waitFor({ state: "detached" });
  }
  assert.equal(running().size, 5);
});

test("cluster: markup is shown as it was typed", { skip }, async () => {
  await say(pages.Bob, "To everybody", '<img src=x onerror="document.title=1"><b>bold</b>');
  await sees(pages.Ann, "onerror");
  assert.equal(await pages.Ann.locator("#log .said *, #log img").count(), 0);
});

test("cluster: two windows of one browser have one cookie, and each its own node", { skip }, async () => {
  const dan = await demo.open({ context: pages.Ann.context() });
  await enter(dan, "Dan");
  await moveTo(dan, "js1");
  await say(dan, "To everybody", "from the other window");
  await sees(pages.Ann, "js1", "from the other window");
  await sees(dan, "from the other window", "Ann at c1");
  await pages.Ann.reload();
  await inState(pages.Ann, "c1", "own");
  await online(pages.Ann);
  await at(pages.Ann, "js1", "Dan");
  await dan.close();
  await pages.Ann.locator('[data-person="Dan"]').waitFor({ state: "detached" });
});

// Ann stops Bob's node: he is served by another one, and all see that.
for (const [by, of] of [["Ann", "Bob"], ["Bob", "Cem"], ["Cem", "Ann"]]) {
  test(`cluster: the node of ${of} is stopped from the page of ${by}, and is replaced`, { skip }, async () => {
    for (const [i, name] of NAMES.entries()) await moveTo(pages[name], NODES[i]);
    const node = NODES[NAMES.indexOf(of)];
    const before = running().get(node);
    await card(pages[by], node).getByRole("button", { name: "Stop" }).click();
    for (const page of Object.values(pages)) await sees(page, node, "is gone");
    const refuge = await elsewhere(pages[of], node);
    await sees(pages[of], refuge, "serves you now");
    if (by === "Ann") await demo.shot(pages[by], "gone");
    for (const page of Object.values(pages)) {
      await at(page, refuge, of);
      await sees(page, node, "is here again");
    }
    await until(`${node} runs again`, () => ![undefined, before].includes(running().get(node)), 15000);
    assert.ok(demo.program.stderr.includes(`, pid ${before}, status 0\n`), demo.program.stderr);
    await online(pages[of]);
    await say(pages[of], "To everybody", `${of} is back`);
    for (const page of Object.values(pages)) await sees(page, `${of} is back`);
  });
}

test("cluster: a node that is killed is replaced as well", { skip }, async () => {
  for (const [i, name] of NAMES.entries()) await moveTo(pages[name], NODES[i]);
  const before = running().get("c1");
  process.kill(before, "SIGKILL");
  const refuge = await elsewhere(pages.Ann, "c1");
  for (const page of Object.values(pages)) {
    await inState(page, "c1", "gone");
    await at(page, refuge, "Ann");
  }
  for (const page of Object.values(pages)) await inState(page, "c1", "here");
  assert.ok(demo.program.stderr.includes(`, pid ${before}, SIGKILL\n`), demo.program.stderr);
  await moveTo(pages.Ann, "c1");
});

test("cluster: no page complained, and none asked another server for anything", { skip }, () => {
  // What is asked for in the moment in which a node goes.
  assert.deepEqual(demo.problems.filter((text) => !/status of (400|502|503)/.test(text)), []);
});

test("cluster: the launcher ends with status 0, and nothing is left", { skip }, async () => {
  const pids = [...running().values()];
  assert.equal(pids.length, 5);
  await demo.end();
  assert.deepEqual(pids.filter(isAlive), []);
  assert.deepEqual(readdirSync(folder), []);
});
