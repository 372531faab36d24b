// These cases test the event stream: many tabs, a killed server, the delay until an event is drawn, and the
// server's memory.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { check, until, openPage, patience, Tree, WebServer, idOf, begin, finish } from "./harness.mjs";

const agents = 16, kills = 50;

export const needsBrowser = true;

export async function prepare({ browser, work, moonlet }) {
  const tree = new Tree(moonlet, work, "repo");
  return { ...await begin(browser, tree), moonlet };
}

export { finish };

/** Starts a run whose branches log with pauses, each beside an agent that waits to be released by `name`. */
async function count(t, name, times, pause) {
  t.tree.script(name, `
    local items = {}
    for i = 1, ${agents} do items[i] = i end
    ctx:phase("count", #items)
    ctx:parallel(items, function(c, i)
      local task = c:spawn("talk", function(s)
        for n = 1, ${times} do
          s:log(("branch %d says %d"):format(i, n))
          s:sleep(${pause})
        end
      end)
      c:agent { name = "agent", prompt = "wait-for ${name}" }
      task:join()
    end, { limit = #items })
    return "done"`);
  return idOf(await t.tree.start(name, "--background"));
}

/** Records the events that the page receives in window.seen: [number, ms until it was drawn, type]. */
async function listen(page) {
  await page.evaluate(async () => {
    const app = document.querySelector('script[type="module"]').src;
    const { on } = await import(app.replace("app.js", "stream.js"));
    window.seen = [];
    on("event", ({ event }) => requestAnimationFrame(() => requestAnimationFrame(() =>
      window.seen.push([event.number, Date.now() - Date.parse(event.ts), event.type]))));
  });
}

async function ended(t, run) {
  return until(async () => (await t.tree.run("show", run)).result.record.ended, `the end of ${run}`, 240000);
}

async function eventsOf(t, run) {
  const { dir } = (await t.tree.run("show", run)).run;
  return readFileSync(join(dir, "events.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
}

/** Opens the page of a run, and records its events from then on. */
async function follow(t, context, server, run) {
  const page = await openPage(context, server, `#/0/${run}`);
  await page.locator(".row").first().waitFor();
  await listen(page);
  return page;
}

export const cases = {
  async "8 tabs are all live over one connection, and another tab takes over from a closed one"(t) {
    const run = await count(t, "tabs", 20, 0.1);
    const pages = [];
    for (let i = 0; i < 8; i++) pages.push(await follow(t, t.context, t.server, run));
    const leaders = async () => (await Promise.all(pages.map((page) => page.evaluate(() => document.moonlet.isLeader() ? 1 : 0))))
      .reduce((sum, one) => sum + one, 0);
    await until(async () => await leaders() === 1, "one leader");
    const streams = () => readFileSync("/proc/net/tcp", "utf8").split("\n").filter((line) => {
      const [, local, , state] = line.trim().split(/\s+/);
      return state === "01" && parseInt((local || "").split(":")[1], 16) === t.server.port;
    }).length;
    // After a while, the browser closes the idle connections of its requests. The stream's connection stays.
    await until(() => streams() === 1, "one connection of the browser", 90000);
    for (const page of pages) {
      await page.waitForFunction(() => document.querySelector(".stream").dataset.state === "live");
    }
    const number = await Promise.all(pages.map((page) => page.evaluate(() => document.moonlet.isLeader())));
    const leader = pages.splice(number.indexOf(true), 1)[0];
    await leader.close();
    await until(async () => await leaders() === 1, "another leader");
    t.tree.release("tabs");
    await ended(t, run);
    const last = (await eventsOf(t, run)).pop().number;
    for (const page of pages) {
      await page.waitForFunction((wanted) => window.seen.some(([seen]) => seen === wanted), last);
      const seen = await page.evaluate(() => window.seen.map(([seen]) => seen));
      check(seen.every((one, i) => i === 0 || one === seen[i - 1] + 1), "a tab has missed an event, or has one twice");
      await page.close();
    }
  },

  async "an event is drawn soon after it was written, with 16 live agents in 12 MB"(t) {
    const run = await count(t, "soon", 60, 0.2);
    const page = await follow(t, t.context, t.server, run);
    await new Promise((resume) => setTimeout(resume, 10000));
    const memory = t.server.memory();
    t.tree.release("soon");
    await ended(t, run);
    const waits = (await page.evaluate(() => window.seen.map(([, ms]) => ms))).slice(20).sort((a, b) => a - b);
    check(waits.length > 300, `only ${waits.length} events were seen live`);
    const at = (share) => waits[Math.floor(waits.length * share)];
    console.log(`   written until drawn, ${waits.length} events: median ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${waits[waits.length - 1]} ms; ` +
      `server: ${memory.now} KB, ${memory.most} KB at most`);
    check(memory.most <= 12 * 1024, `${memory.most} KB`);
    check(at(0.5) < 1500, `a median of ${at(0.5)} ms`);
    await page.close();
  },

  [`kill -9 of the server, ${kills} times: no event is lost or doubled, and the run does not notice`]: async (t) => {
    const server = await new WebServer(t.tree, "--port", "8991").start();
    const context = await t.context.browser().newContext();
    context.setDefaultTimeout(patience);
    const run = await count(t, "kills", 300, 0.1);
    const page = await follow(t, context, server, run);
    const first = await page.evaluate(() => new Promise((done) => {
      const timer = setInterval(() => {
        if (!window.seen.length) return;
        clearInterval(timer);
        done(window.seen[0][0]);
      }, 20);
    }));
    for (let i = 0; i < kills; i++) {
      await new Promise((resume) => setTimeout(resume, 150 + (i * 37) % 400));
      await server.kill("SIGKILL");
      if (i % 3 === 0) await new Promise((resume) => setTimeout(resume, 300));
      const { url } = server;
      await server.start();
      check(server.url === url, "it came back at another address");
    }
    t.tree.release("kills");
    await ended(t, run);
    const events = await eventsOf(t, run), last = events[events.length - 1].number;
    await page.waitForFunction((wanted) => window.seen.some(([number]) => number === wanted), last);
    const seen = await page.evaluate(() => window.seen.map(([number]) => number));
    const written = events.map(({ number }) => number).filter((number) => number >= first);
    check(JSON.stringify(seen) === JSON.stringify(written), `${seen.length} events were seen, ${written.length} were written`);
    const { twice, opened } = await page.evaluate(() => ({ twice: document.moonlet.twice, opened: document.moonlet.opened }));
    console.log(`   ${written.length} events over ${kills} kills; sent twice by a server: ${twice}; streams opened: ${opened}`);
    check((await t.tree.run("show", run)).run.verdict === "ok", "the run did notice");
    check(page.problems.filter((problem) => !/ERR_CONNECTION|ERR_INCOMPLETE|Failed to load|fetch/i.test(problem)).length === 0,
      page.problems.slice(0, 3).join("; "));
    await context.close();
    await server.kill("SIGTERM");
  },
};
