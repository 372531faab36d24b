// These cases measure a run of 10,000 steps, a list of 1,000 runs, and the size of the page.
import { execFileSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import { check, openPage, Tree, idOf, begin, finish } from "./harness.mjs";

export const needsBrowser = true;

export async function prepare({ browser, work, moonlet }) {
  const tree = new Tree(moonlet, work, "repo");
  tree.script("large", `
    ctx:phase("many", 10000)
    local items = {}
    for i = 1, 10000 do items[i] = i end
    ctx:parallel(items, function(c, i)
      return c:step("step", { input = i }, function() return i end)
    end, { limit = 64 })
    return "done"`);
  tree.script("small", "return 1");
  return begin(browser, tree, { viewport: { width: 1440, height: 900 } });
}

export { finish };

// The limits are generous, because a loaded machine is many times slower. The measured figures are printed.
const patient = 5000;

export const cases = {
  async "a run of 10,000 steps opens and scrolls, and a fan-out is one row"(t) {
    const run = idOf(await t.tree.start("large"));
    const page = await openPage(t.context, t.server);
    const began = Date.now();
    await page.goto(`${t.server.base}#/0/${run}`);
    await page.locator('.row:has-text("10,000 steps")').first().waitFor();
    const took = Date.now() - began;
    check(await page.locator(".row").count() < 20, "the fan-out is open");
    await page.locator('.row:has-text("parallel")').first().click();
    await page.waitForFunction(() => document.querySelectorAll(".row").length > 20);
    check(await page.locator(".row").count() < 300, "all rows are elements");
    const scrolled = await page.evaluate(async () => {
      const rows = document.querySelector(".rows"), times = [];
      for (let i = 0; i < 60; i++) {
        const from = performance.now();
        rows.scrollTop += 4000;
        await new Promise((resume) => requestAnimationFrame(resume));
        times.push(performance.now() - from);
      }
      return times.sort((a, b) => a - b)[57];
    });
    const before = await page.evaluate(() => performance.getEntriesByType("resource").filter(({ name }) =>
      name.includes("/api/events")).length);
    await page.getByRole("button", { name: "events" }).click();
    await page.locator(".events li").first().waitFor();
    check(await page.locator(".events li").count() <= 200, "more than a page of events is loaded");
    console.log(`   opened in ${took} ms, 95 % of frames while scrolling within ${scrolled.toFixed(0)} ms; server ` +
      `${t.server.memory().most} KB at most`);
    check(took < patient, `it opened in ${took} ms`);
    check(before >= 0 && page.problems.length === 0, page.problems.join("; "));
    check(t.server.memory().most <= 16 * 1024, `${t.server.memory().most} KB`);
    await page.close();
  },

  async "1,000 runs are listed"(t) {
    execFileSync("sh", ["-c", `for i in $(seq 1000); do "$0" run small.lua --allow all >/dev/null 2>&1; done`, t.tree.moonlet],
      { cwd: t.tree.dir, env: t.tree.env });
    const page = await openPage(t.context, t.server);
    const times = await page.evaluate(async () => {
      const list = [];
      for (let i = 0; i < 5; i++) {
        const from = performance.now();
        const answer = await (await fetch("/api/command/runs?repo=0&limit=1000")).json();
        list.push([performance.now() - from, answer.result.runs.length]);
      }
      return list.sort((a, b) => a[0] - b[0]);
    });
    console.log(`   1,000 runs: median ${times[2][0].toFixed(0)} ms, least ${times[0][0].toFixed(0)} ms`);
    check(times[0][1] === 1000, `${times[0][1]} runs`);
    check(times[2][0] < patient, `${times[2][0]} ms`);
    await page.waitForFunction(() => document.querySelectorAll(".runs tbody tr").length === 50);
    await page.getByRole("button", { name: "Older runs" }).click();
    await page.waitForFunction(() => document.querySelectorAll(".runs tbody tr").length === 100);
    await page.close();
  },

  async "the page and its code take at most 60 KB compressed"(t) {
    const page = await t.context.newPage();
    let sum = 0, raw = 0;
    const pending = [];
    page.on("response", (response) => {
      if (!/\/api\//.test(response.url())) {
        pending.push(response.body().then((body) => {
          sum += gzipSync(body).length;
          raw += body.length;
        }));
      }
    });
    await page.goto(t.server.url);
    await page.waitForSelector("html[data-ready]", { state: "attached" });
    await Promise.all(pending);
    console.log(`   ${raw} bytes, ${sum} compressed`);
    check(sum > 10000 && sum <= 60 * 1024, `${sum} bytes`);
    await page.close();
  },
};
