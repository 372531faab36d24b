// These cases attack the server over plain sockets, as a hostile page or program would.
import { mkdirSync, symlinkSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { check, until, Tree, WebServer, idOf } from "./harness.mjs";

export async function prepare({ work, moonlet }) {
  const tree = new Tree(moonlet, work, "repo");
  tree.script("gate", 'return ctx:gate { action = "deploy", show = "all" }');
  const run = idOf(await tree.start("gate"));
  const server = await new WebServer(tree, "--port", "0").start();
  const t = { tree, run, server, host: `127.0.0.1:${server.port}` };
  t.cookie = /^Set-Cookie: ([^;]+)/m.exec((await post(t, "/api/login", JSON.stringify({ token: server.token }), {}, true)).text)[1];
  return t;
}

export async function finish(t) { await t.server.kill("SIGTERM"); }

/** Sends bytes. Resolves to { status, text } of the response, or to { status: 0 } if there is none. */
function send(t, bytes, limit = 15000) {
  return new Promise((done) => {
    const socket = connect(t.server.port, "127.0.0.1");
    let text = "";
    const end = () => {
      socket.destroy();
      done({ status: Number((/^HTTP\/1\.[01] (\d+)/.exec(text) || [])[1] || 0), text });
    };
    const timer = setTimeout(end, limit);
    socket.on("data", (part) => {
      text += part;
      const head = text.indexOf("\r\n\r\n");
      const size = /^Content-Length: (\d+)/im.exec(text);
      if (head > 0 && size && text.length >= head + 4 + Number(size[1])) end();
    });
    socket.on("close", () => {
      clearTimeout(timer);
      end();
    });
    socket.on("error", () => {});
    socket.write(bytes);
  });
}

const lines = (headers) => Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");

function get(t, path, headers = {}) {
  return send(t, `GET ${path} HTTP/1.1\r\n${lines({ Host: t.host, Cookie: t.cookie, Connection: "close", ...headers })}\r\n`);
}

function post(t, path, body, headers = {}, isFirst = false) {
  const all = { Host: t.host, "Content-Type": "application/json", "X-Moonlet": "1", "Content-Length": Buffer.byteLength(body),
    Connection: "close", ...(isFirst ? {} : { Cookie: t.cookie }), ...headers };
  for (const [name, value] of Object.entries(all)) if (value === null) delete all[name];
  return send(t, `POST ${path} HTTP/1.1\r\n${lines(all)}\r\n${body}`);
}

async function refuses(pending, what, statuses = [400, 401, 403, 404, 405, 411, 413, 415]) {
  const { status } = await pending;
  check(statuses.includes(status), `${what}: ${status}`);
}

async function lives(t) {
  const { status } = await get(t, "/api/about");
  check(status === 200, `the server answers ${status}`);
}

const decision = (t, more = {}) => JSON.stringify({ repo: 0, run: t.run, value: "approve", key: "gate", ...more });

async function isOpen(t) {
  const { run } = await t.tree.run("show", t.run);
  check(run.verdict === "needs-human", `the gate was passed: ${run.verdict}`);
}

export const needsBrowser = false;

export const cases = {
  async "another host name is refused on every route"(t) {
    for (const path of ["/", "/api/about", "/api/live", "/api/command/runs?repo=0", "/a/x/app.js"]) {
      for (const host of ["evil.example", `evil.example:${t.server.port}`, "127.0.0.1:1", "127.0.0.1", `127.0.0.1.nip.io:${t.server.port}`]) {
        await refuses(get(t, path, { Host: host }), `${host}${path}`, [403]);
      }
    }
    await refuses(post(t, "/api/login", "{}", { Host: "evil.example" }), "login", [403]);
  },

  async "a foreign origin or site is refused, for reading too"(t) {
    for (const headers of [{ Origin: "http://evil.example" }, { Origin: "null" }, { Origin: `https://${t.host}` },
      { "Sec-Fetch-Site": "cross-site" }, { "Sec-Fetch-Site": "same-site" }]) {
      await refuses(get(t, "/api/live", headers), JSON.stringify(headers), [403]);
      await refuses(post(t, "/api/command/answer", decision(t, { sha: "x" }), headers), JSON.stringify(headers), [403]);
    }
    await isOpen(t);
  },

  async "forms, plain text and posts without the header are refused"(t) {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", null]) {
      await refuses(post(t, "/api/command/cancel", decision(t), { "Content-Type": type }), String(type), [415]);
    }
    await refuses(post(t, "/api/command/cancel", decision(t), { "X-Moonlet": null }), "no header", [403]);
    await refuses(post(t, "/api/command/cancel", decision(t), { "X-Moonlet": "0" }), "another header", [403]);
    await isOpen(t);
  },

  async "a missing or wrong token opens nothing, and none is read from a query"(t) {
    for (const Cookie of ["", "moonlet-1=x", t.cookie.replace(/.$/, "!"), t.cookie.replace("=", "=x"), t.cookie.replace(/-\d+/, "-1")]) {
      await refuses(get(t, "/api/about", { Cookie }), Cookie, [401]);
    }
    await refuses(get(t, `/api/about?token=${t.server.token}`, { Cookie: "" }), "a query", [401]);
    await refuses(get(t, "/api/about", { Cookie: "", Authorization: `Bearer ${t.server.token}` }), "a bearer", [401]);
    for (const body of ["{}", "[]", "null", "", '{"token":1}', '{"token":"x"}', '{"token":"', "\0"]) {
      await refuses(post(t, "/api/login", body, {}, true), body, [403]);
    }
    const answer = await post(t, "/api/login", JSON.stringify({ token: t.server.token }), {}, true);
    const cookie = /^Set-Cookie: (.*)$/m.exec(answer.text)[1];
    check(/HttpOnly/.test(cookie) && /SameSite=Strict/.test(cookie), cookie);
    check(cookie.startsWith(`moonlet-${t.server.port}=`), "the name does not hold the port");
    check(!cookie.includes(t.server.token), "the cookie shows the token");
  },

  async "a path in another spelling is refused"(t) {
    for (const path of ["/x/../api/about", "/api/../api/about", "//api/about", "/api//about", "/./api/about", "/api/%61bout",
      "/%2e%2e/api/about", "/api/about%00", "/API/about", "/api/about/", `http://${t.host}/api/about`, "/api\\about",
      "/a/../../etc/passwd", "/a/..%2fetc"]) {
      await refuses(get(t, path), path);
    }
  },

  async "a request that two programs could read differently is refused"(t) {
    const head = `Host: ${t.host}\r\nCookie: ${t.cookie}\r\nX-Moonlet: 1\r\nContent-Type: application/json\r\n`;
    const attempts = {
      "two hosts": `GET /api/about HTTP/1.1\r\nHost: evil\r\n${head}\r\n`,
      "two lengths": `POST /api/command/cancel HTTP/1.1\r\n${head}Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}`,
      "length and chunks": `POST /api/command/cancel HTTP/1.1\r\n${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      chunks: `POST /api/command/cancel HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      "no host": `GET /api/about HTTP/1.1\r\nCookie: ${t.cookie}\r\n\r\n`,
      "a folded header": `GET /api/about HTTP/1.1\r\nHost: ${t.host}\r\nCookie: x\r\n ${t.cookie}\r\nOrigin: http://evil\r\n\r\n`,
      "two cookies": `GET /api/about HTTP/1.1\r\nHost: ${t.host}\r\nCookie: a=b\r\nCookie: ${t.cookie}\r\n\r\n`,
      "a blank in a name": `POST /api/command/cancel HTTP/1.1\r\n${head}Content-Length : 2\r\n\r\n{}`,
      "no version": "GET /api/about\r\n\r\n",
      "another method": `DELETE /api/about HTTP/1.1\r\n${head}\r\n`,
      noise: "\0\0\0\r\n\r\n",
    };
    for (const [name, bytes] of Object.entries(attempts)) {
      const { status } = await send(t, bytes, 3000);
      check(status === 0 || status >= 400, `${name}: ${status}`);
    }
    await lives(t);
    await isOpen(t);
  },

  async "only listed commands run, with listed values, each by its own method"(t) {
    for (const [name, body] of [["answer", decision(t)], ["answer", decision(t, { sha: "--note" })], ["approve", `{"repo":0,"run":"${t.run}"}`],
      ["cancel", '{"repo":0,"run":"--help"}'], ["cancel", '{"repo":0,"run":"R-1; rm -rf"}'], ["cancel", '{"repo":9,"run":"R-001"}'],
      ["cancel", `{"repo":0,"run":"${t.run}","extra":"x"}`], ["cancel", "[]"], ["prune", '{"repo":0}'], ["run", `{"repo":0,"run":"${t.run}"}`],
      ["replay", `{"repo":0,"run":"${t.run}","reason":${JSON.stringify("x".repeat(30000))}}`], ["../cancel", "{}"]]) {
      await refuses(post(t, `/api/command/${name}`, body), `${name} ${body.slice(0, 60)}`);
    }
    for (const path of [`/api/command/cancel?repo=0&run=${t.run}`, "/api/command/runs?repo=0&limit=--all", "/api/command/runs?repo=x&repo=1",
      "/api/command/run?repo=0&run=last"]) {
      if (path.includes("repo=x")) continue;
      await refuses(get(t, path), path);
    }
    const { text } = await post(t, "/api/command/answer", decision(t, { sha: "0000" }));
    check(/asks something else/.test(text), `a wrong hash: ${text.slice(-200)}`);
    await isOpen(t);
  },

  async "no file outside of a run's sidecar is read"(t) {
    const at = (path) => get(t, `/api/file?repo=0&run=${t.run}&path=${encodeURIComponent(path)}`);
    const { status } = await at("events.jsonl");
    check(status === 200, `its own file: ${status}`);
    const list = await t.tree.run("show", t.run);
    mkdirSync(join(list.run.dir, "out"), { recursive: true });
    symlinkSync("/etc/passwd", join(list.run.dir, "out", "link"));
    for (const path of ["../../ledger.db", "/etc/passwd", "out/link", "out", "", ".", "steps/../../../ledger.db", "x\ny"]) {
      await refuses(at(path), path, [400, 403, 404]);
    }
    for (const run of ["R-999", "../x", "R-001/../R-001", ""]) {
      await refuses(get(t, `/api/steps?repo=0&run=${encodeURIComponent(run)}`), run);
    }
  },

  async "huge heads and bodies are refused"(t) {
    for (const bytes of [`GET /${"a".repeat(1 << 20)} HTTP/1.1\r\nHost: ${t.host}\r\n\r\n`,
      `GET /api/about HTTP/1.1\r\nHost: ${t.host}\r\nX: ${"a".repeat(1 << 20)}\r\n\r\n`,
      `GET /api/about HTTP/1.1\r\nHost: ${t.host}\r\n${"X: y\r\n".repeat(200000)}\r\n`]) {
      const { status } = await send(t, bytes);
      check(status === 0 || status >= 400, `a head: ${status}`);
    }
    const { status } = await post(t, "/api/command/cancel", JSON.stringify({ x: "y".repeat(10 << 20) }));
    check(status === 0 || status >= 400, `a body: ${status}`);
    await lives(t);
  },

  async "a slow request is ended, and others are served meanwhile"(t) {
    const slow = connect(t.server.port, "127.0.0.1");
    slow.on("error", () => {});
    let isClosed = false;
    slow.on("close", () => { isClosed = true; });
    const timer = setInterval(() => slow.write("X"), 300);
    slow.write(`POST /api/command/cancel HTTP/1.1\r\nHost: ${t.host}\r\nX-`);
    await lives(t);
    await until(() => isClosed, "the end of a slow request", 40000);
    clearInterval(timer);
  },

  async "10,000 connections leave a server that answers, in the same memory"(t) {
    const before = t.server.memory();
    const open = [];
    let ended = 0;
    for (let i = 0; i < 10000; i++) {
      const socket = connect(t.server.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.on("close", () => { ended += 1; });
      if (i % 3 === 0) socket.write("GET / HTTP/1.1\r\n");
      open.push(socket);
      if (i % 100 === 0) await new Promise((resume) => setTimeout(resume, 5));
    }
    const began = Date.now();
    await until(async () => (await get(t, "/api/about")).status === 200, "an answer", 60000);
    const waited = Date.now() - began, held = open.length - ended, after = t.server.memory();
    for (const each of open) each.destroy();
    console.log(`   an answer in ${waited} ms while ${held} of 10,000 connections are held; server: ${before.now} KB before, ` +
      `${after.now} KB after, ${after.most} KB at most`);
    check(after.most <= 12 * 1024, `${after.most} KB`);
    await lives(t);
  },
};
