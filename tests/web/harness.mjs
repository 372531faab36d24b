// Helpers for the tests of the web page. They make repositories with runs, start servers, and open
// pages in headless Chromium.
import { execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const patience = 60000;

export function check(isTrue, why) {
  if (!isTrue) throw new Error(why);
}

/** Waits until `fn` returns a true value. */
export async function until(fn, what, limit = patience) {
  const end = Date.now() + limit;
  for (;;) {
    const value = await fn();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resume) => setTimeout(resume, 50));
  }
}

// The agent answers with its prompt. Words in the prompt, such as wait-for, make it do more.
const agent = `#!/bin/sh
said=$(cat)
case $said in *wait-for*) name=$(echo "$said" | sed -n 's/.*wait-for \\([a-z0-9-]*\\).*/\\1/p'); until [ -e "$GO/$name" ]; do sleep 0.05; done ;; esac
case $said in *fail-before*) sleep 0.2; [ -e "$GO/twice" ] || exit 3 ;; esac
case $said in *write-file*) printf 'one\\n2\\nthree\\nfour\\n' >a.txt; printf 'new\\n' >b.txt ;; esac
printf 'an answer to: %s\\n' "$said"
echo "a line of the log" >&2
`;

export class Tree {
  /** Makes a git work tree in the folder `work`, and an agent program. */
  constructor(moonlet, work, name) {
    this.moonlet = moonlet;
    this.dir = join(work, name);
    this.go = join(work, name + "-go");
    mkdirSync(this.dir, { recursive: true });
    mkdirSync(this.go, { recursive: true });
    this.env = { ...process.env, XDG_STATE_HOME: join(work, "state"), XDG_CONFIG_HOME: join(work, "config"), HOME: work,
      GO: this.go };
    this.agentPath = join(work, name + "-agent");
    writeFileSync(this.agentPath, agent.replaceAll("$GO", this.go), { mode: 0o755 });
    writeFileSync(join(this.dir, "a.txt"), "one\ntwo\nthree\n");
    const git = (...words) => execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...words], { cwd: this.dir });
    git("init", "-q", ".");
    git("add", ".");
    git("commit", "-q", "-m", "first");
  }

  /** Runs a moonlet command. Resolves to its JSON envelope, even if the command fails. */
  run(...words) {
    return new Promise((done, fail) => {
      const end = words.includes("--") ? words.indexOf("--") : words.length;
      execFile(this.moonlet, [...words.slice(0, end), "--json", ...words.slice(end)], { cwd: this.dir, env: this.env, maxBuffer: 1 << 28 }, (error, out) => {
        try {
          done(JSON.parse(out));
        } catch {
          fail(error || new Error(`no envelope: ${out.slice(0, 200)}`));
        }
      });
    });
  }

  script(name, text) { writeFileSync(join(this.dir, `${name}.lua`), text); }

  /** Runs a script of this work tree with the agent program. */
  start(name, ...words) {
    return this.run("run", `${name}.lua`, "--allow", "all", "--runner", `command:${this.agentPath}`, ...words);
  }

  /** Lets an agent that waits for `name` continue. */
  release(name) { writeFileSync(join(this.go, name), ""); }

  read(path) { return existsSync(join(this.dir, path)) ? readFileSync(join(this.dir, path), "utf8") : null; }
}

export class WebServer {
  constructor(tree, ...words) {
    this.tree = tree;
    this.words = words;
  }

  /** Starts `moonlet web` and reads its URL. */
  async start() {
    this.process = spawn(this.tree.moonlet, ["web", ...this.words], { cwd: this.tree.dir, env: this.tree.env,
      stdio: ["ignore", "pipe", "pipe"] });
    this.errors = "";
    this.process.stderr.on("data", (part) => { this.errors += part; });
    this.ended = new Promise((done) => this.process.on("exit", (code, signal) => done(signal || code)));
    let text = "";
    this.url = await new Promise((done, fail) => {
      this.process.stdout.on("data", (part) => {
        text += part;
        if (text.includes("\n")) done(text.trim());
      });
      this.ended.then(() => fail(new Error(`it ended: ${this.errors}`)));
    });
    this.base = this.url.replace(/#.*/, "");
    this.token = /token=([0-9a-f]+)/.exec(this.url)[1];
    this.port = Number(new URL(this.url).port);
    return this;
  }

  async kill(signal = "SIGKILL") {
    this.process.kill(signal);
    return this.ended;
  }

  /** Returns the memory of the server in KB: now, and its peak. */
  memory() {
    const status = readFileSync(`/proc/${this.process.pid}/status`, "utf8");
    return { now: Number(/VmRSS:\s+(\d+)/.exec(status)[1]), most: Number(/VmHWM:\s+(\d+)/.exec(status)[1]) };
  }
}

/** Starts a server for the work tree and a browser context with these options. finish() ends both. */
export async function begin(browser, tree, options = {}) {
  const server = await new WebServer(tree, "--port", "0").start();
  const context = await browser.newContext(options);
  context.setDefaultTimeout(patience);
  return { tree, server, context };
}

export async function finish({ server, context }) {
  await context.close();
  await server.kill("SIGTERM");
}

/** Opens the page at the URL fragment `hash`. Errors of the page are collected in page.problems. */
export async function openPage(context, server, hash = "#/") {
  const page = await context.newPage();
  page.problems = [];
  page.outside = [];
  page.on("pageerror", (error) => page.problems.push(error.message));
  page.on("console", (message) => { if (message.type() === "error") page.problems.push(message.text()); });
  page.on("dialog", (dialog) => {
    page.problems.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(server.base) && !/^(data|blob):/.test(request.url())) page.outside.push(request.url());
  });
  await page.goto(server.url);
  await page.waitForSelector("html[data-ready]", { state: "attached", timeout: patience });
  if (hash !== "#/") await page.goto(server.base + hash);
  return page;
}

export const idOf = (envelope) => envelope.run.id;
