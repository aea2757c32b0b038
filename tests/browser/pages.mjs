// pages.mjs -- what the browser tests of the demos share: a demo's process, a
// Chromium, pages in profiles of their own, screenshots in BUILD/test-logs.
//
// SPDX-License-Identifier: MIT

import "../exit.mjs";
import { existsSync, mkdirSync } from "node:fs";
import { chromium } from "playwright-core";
import { BUILD, startProgram } from "../e2e/harness.mjs";

const CHROMIUM = "/usr/bin/chromium";
const ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const LOGS = `${BUILD}/test-logs`;
// What a browser says of a connection that broke, which tests do on purpose.
const BROKEN = /net::ERR_|WebSocket connection/;

export const skip = existsSync(CHROMIUM) ? false : "chromium is not installed";

export class Demo {
  problems = []; // what a page complained of, and requests that went elsewhere

  // command: takes the port as its last argument.
  static async start(name, command = [`${BUILD}/demo/${name}`], env = {}) {
    const demo = new Demo();
    Object.assign(demo, { name, command, env });
    mkdirSync(LOGS, { recursive: true });
    await demo.run(0);
    demo.url = `http://localhost:${demo.port}/`;
    demo.browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
    return demo;
  }

  async run(port = this.port) {
    const [program, ...args] = this.command;
    this.program = await startProgram(program, [...args, String(port)],
      new RegExp(`^${this.name}: http://localhost:(\\d+)$`), { env: this.env });
    this.port = Number(this.program.match[1]);
  }

  // A profile of its own, unless `context` is that of another page.
  async open({ path = "", colorScheme = "light", width = 1180, height = 780, touch = false, context } = {}) {
    context ??= await this.browser.newContext({ colorScheme, viewport: { width, height }, hasTouch: touch });
    const page = await context.newPage();
    page.setDefaultTimeout(10000);
    page.on("pageerror", (error) => this.problems.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" && !BROKEN.test(message.text())) this.problems.push(message.text());
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(this.url) && !/^(blob|data):/.test(request.url())) this.problems.push(request.url());
    });
    await page.goto(this.url + path);
    return page;
  }

  shot(page, name) {
    return page.screenshot({ path: `${LOGS}/${this.name}-${name}.png`, animations: "disabled" });
  }

  async end() {
    await this.browser.close();
    await this.program.stop();
  }
}

export const online = (page, transport = "websocket") =>
  page.locator(`#transport[data-state="${transport}"]`).waitFor();

// Amid an upgrade a closed page would only be missed at the next heartbeat.
export async function leave(page) {
  await online(page);
  await page.close();
}

// No page may be wider than its window.
export const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
