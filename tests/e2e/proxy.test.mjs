// proxy.test.mjs -- nginx and haproxy in front, as docs/PROXY.md configures
// them: every transport, TLS that ends at the proxy, and whose address the
// server believes it is.
//
// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { Agent } from "node:http";
import { Agent as SecureAgent } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { io } from "socket.io-client";
import { next, TestServer, within } from "./harness.mjs";
import { certificate, documented, folder, freePorts, haproxy, missing, nginx, STREAM_MODULE } from "./proxies.mjs";

// Clients connect from this address, proxies from 127.0.0.1, which is trusted.
const CLIENT = "127.0.0.7";
const LIES = { "X-Forwarded-For": "6.6.6.6", Forwarded: "for=6.6.6.6", "X-Real-IP": "6.6.6.6" };
const TRUST = { trust: "127.0.0.1" };
const MODES = { polling: { transports: ["polling"] }, websocket: { transports: ["websocket"] }, upgrade: {} };

const noNginx = missing("nginx") || missing("openssl");
const noHaproxy = missing("haproxy") || missing("openssl");
const cert = missing("openssl") ? null : certificate();

// A client that lies about its address, says who the server thinks it is, and
// sends text and bytes to and fro.
async function visit(port, { tls = false, ...options } = {}) {
  const local = { localAddress: CLIENT };
  const agent = tls ? new SecureAgent({ ...local, ca: cert.pem }) : new Agent(local);
  const client = io(`${tls ? "https" : "http"}://127.0.0.1:${port}`, {
    forceNew: true, reconnection: false, agent, extraHeaders: LIES, ca: tls ? cert.pem : undefined, ...options,
  });
  try {
    await within(5000, `connection through ${port}`, new Promise((resolve, reject) => {
      client.once("connect", resolve);
      client.once("connect_error", reject);
    }));
    if (!options.transports) {
      const { engine } = client.io;
      if (engine.transport.name !== "websocket") await next(engine, "upgrade");
    }
    const text = "x".repeat(100_000);
    assert.deepEqual(await client.timeout(5000).emitWithAck("ack", text, Buffer.from(text)), text);
    // A poll that is already waiting is answered when there is something to say.
    const [echoed] = await Promise.all([next(client, "echo"), client.emit("echo", "now", Buffer.from([1, 2]))]);
    assert.equal(echoed[0], "now");
    assert.deepEqual([...echoed[1]], [1, 2]);
    return await client.timeout(5000).emitWithAck("whoami");
  } finally {
    client.disconnect();
    agent.destroy();
  }
}

// `secure`: whether the server can know that the client has used https.
function visits(title, port, { secure = false, ...options } = {}) {
  for (const [mode, how] of Object.entries(MODES)) {
    test(`${title}: ${mode}, and the client's address`, async () => {
      const who = await visit(port(), { ...options, ...how });
      assert.equal(who.address, CLIENT);
      assert.equal(who.secure, secure);
      assert.equal(who.transport, mode === "polling" ? "polling" : "websocket");
    });
  }
}

const servers = {};
const stops = [];

before(async () => {
  if (noNginx && noHaproxy) return;
  servers.tcp = await TestServer.start(TRUST);
  servers.rfc = await TestServer.start({ ...TRUST, forwarded: "rfc7239" });
  servers.proxied = await TestServer.start({ ...TRUST, proxyProtocol: 1 });
  servers.unix = await TestServer.start({ trust: "unix", unixMode: "0666" }, `unix:${join(folder, "app.sock")}`);
  servers.unixProxied = await TestServer.start({ trust: "unix", unixMode: "0666", proxyProtocol: 1 }, `unix:${join(folder, "app2.sock")}`);
});

after(async () => {
  for (const stop of stops) await stop();
  for (const server of Object.values(servers)) await server.stop();
});

// What nginx and haproxy have in common.
function common(name, ports) {
  visits(name, () => ports.plain);
  visits(`${name}, TLS`, () => ports.tls, { tls: true, secure: true });
  visits(`${name}, unix socket`, () => ports.unix);
  visits(`${name}, Forwarded`, () => ports.rfc);
  visits(`${name}, Forwarded, TLS`, () => ports.rfcTls, { tls: true, secure: true });

  test(`${name}: a body of max_http_buffer_size passes`, async () => {
    const client = io(`http://127.0.0.1:${ports.plain}`, { forceNew: true, reconnection: false, transports: ["polling"] });
    await next(client, "connect");
    const text = "x".repeat(1_000_000 - 100);
    assert.equal(await client.timeout(8000).emitWithAck("ack", text), text);
    client.disconnect();
  });

  test(`${name}: thirty clients at a time, connections to the server kept`, async () => {
    const who = await Promise.all(Array.from({ length: 30 }, (_, i) => visit(ports.plain, Object.values(MODES)[i % 3])));
    assert.ok(who.every(({ address }) => address === CLIENT));
  });
}

describe("nginx", { skip: noNginx }, () => {
  const ports = {};

  before(async () => {
    const at = (server) => `127.0.0.1:${server.port}`;
    const config = (plain, tls, upstream, more = []) => documented("nginx", [
      ["listen 80;", `listen 127.0.0.1:${plain};`],
      ["listen 443 ssl;", `listen 127.0.0.1:${tls} ssl;`],
      ["/etc/ssl/app/fullchain.pem", cert.cert],
      ["/etc/ssl/app/privkey.pem", cert.key],
      ["server 127.0.0.1:3000;", `server ${upstream};`],
      ...more,
    ]);
    const forwarded = [[`proxy_set_header X-Forwarded-For   $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;`, `proxy_set_header Forwarded "for=\\"$remote_addr\\";proto=$scheme";`]];

    [ports.plain, ports.tls, ports.unix, ports.tls2, ports.rfc, ports.rfcTls] = await freePorts(6);
    stops.push(await nginx("tcp", config(ports.plain, ports.tls, at(servers.tcp)), ports.plain));
    stops.push(await nginx("unix", config(ports.unix, ports.tls2, `unix:${join(folder, "app.sock")}`), ports.unix));
    stops.push(await nginx("rfc", config(ports.rfc, ports.rfcTls, at(servers.rfc), forwarded), ports.rfc));
  });

  common("nginx", ports);

  describe("stream", { skip: STREAM_MODULE ? false : "nginx has no stream module (libnginx-mod-stream)" }, () => {
    before(async () => {
      const block = (port, to, tls) => `server { listen 127.0.0.1:${port}${tls ? " ssl" : ""}; proxy_pass ${to}; proxy_protocol on;` +
        `${tls ? ` ssl_certificate ${cert.cert}; ssl_certificate_key ${cert.key};` : ""} }\n`;
      const to = `127.0.0.1:${servers.proxied.port}`;

      [ports.v1, ports.v1tls, ports.v1unix] = await freePorts(3);
      stops.push(await nginx("stream", `events { }\nstream {\n${block(ports.v1, to)}${block(ports.v1tls, to, true)}` +
        `${block(ports.v1unix, `unix:${join(folder, "app2.sock")}`)}}\n`, ports.v1));
    });
    visits("nginx, PROXY v1", () => ports.v1);
    visits("nginx, PROXY v1, TLS", () => ports.v1tls, { tls: true });
    visits("nginx, PROXY v1, unix socket", () => ports.v1unix);
  });
});

describe("haproxy", { skip: noHaproxy }, () => {
  const ports = {};

  before(async () => {
    const config = (plain, tls, upstream, more = []) => documented("haproxy", [
      ["bind :80", `bind 127.0.0.1:${plain}`],
      ["bind :443", `bind 127.0.0.1:${tls}`],
      ["/etc/haproxy/app.pem", cert.both],
      ["server app1 127.0.0.1:3000", `server app1 ${upstream}`],
      ...more,
    ]);
    const tcp = (server) => `127.0.0.1:${server.port}`;
    const forwarded = [["option forwardfor\n", `http-request set-header Forwarded "for=\\"%[src]\\";proto=%[ssl_fc,iif(https,http)]"\n`]];
    const streams = [["mode http", "mode tcp"], ["option forwardfor\n", "\n"],
      ["http-request set-header X-Forwarded-Proto https if { ssl_fc }", ""],
      ["http-request set-header X-Forwarded-Proto http unless { ssl_fc }", ""]];
    const start = async (name, upstream, more) => {
      const [plain, tls] = await freePorts(2);
      stops.push(await haproxy(name, config(plain, tls, upstream, more), plain));
      return [plain, tls];
    };

    [ports.plain, ports.tls] = await start("h-tcp", tcp(servers.tcp));
    [ports.unix] = await start("h-unix", `unix@${join(folder, "app.sock")}`);
    [ports.rfc, ports.rfcTls] = await start("h-rfc", tcp(servers.rfc), forwarded);
    [ports.v1, ports.v1tls] = await start("h-v1", `${tcp(servers.proxied)} send-proxy`, streams);
    [ports.v2, ports.v2tls] = await start("h-v2", `${tcp(servers.proxied)} send-proxy-v2 check inter 100ms`, streams);
    [ports.v2ssl, ports.v2ssltls] = await start("h-v2s", `${tcp(servers.proxied)} send-proxy-v2-ssl-cn`, streams);
    [ports.v2unix] = await start("h-v2u", `unix@${join(folder, "app2.sock")} send-proxy-v2`, streams);
    [ports.v2http] = await start("h-v2h", `${tcp(servers.proxied)} send-proxy-v2`);
  });

  common("haproxy", ports);
  visits("haproxy, PROXY v1", () => ports.v1);
  visits("haproxy, PROXY v1, TLS", () => ports.v1tls, { tls: true });
  visits("haproxy, PROXY v2", () => ports.v2);
  visits("haproxy, PROXY v2, TLS", () => ports.v2tls, { tls: true });
  visits("haproxy, PROXY v2 with extensions", () => ports.v2ssltls, { tls: true });
  visits("haproxy, PROXY v2, unix socket", () => ports.v2unix);
  visits("haproxy, PROXY v2 and HTTP", () => ports.v2http);
});

describe("without a proxy", () => {
  let server;

  before(async () => {
    server = await TestServer.start({ trust: "127.0.0.1", proxyProtocol: 1 });
  });
  after(() => server.stop({ abandoned: true }));

  function ends(from, bytes) {
    const socket = connect({ port: server.port, host: "127.0.0.1", localAddress: from });
    let got = "";
    socket.on("data", (data) => (got += data));
    socket.on("error", () => {});
    socket.on("connect", () => socket.write(bytes));
    return within(5000, "end of the connection", new Promise((resolve) => socket.once("close", () => resolve(got))));
  }

  test("a client that speaks HTTP to a listener of PROXY headers is closed", async () => {
    assert.equal(await ends("127.0.0.1", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "");
  });

  for (const [mode, how] of Object.entries(MODES)) {
    test(`the lies of these tests do arrive: ${mode}`, async () => {
      const gullible = await TestServer.start({ trust: "127.0.0.0/8" });
      assert.equal((await visit(gullible.port, how)).address, "6.6.6.6");
      await gullible.stop();
    });
  }

  test("a client that is no trusted proxy cannot bring a header", async () => {
    const request = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert.match(await ends("127.0.0.1", `PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\n${request}`), /^HTTP\/1.1 200 /);
    assert.equal(await ends(CLIENT, `PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\n${request}`), "");
  });
});
