// Checks exported pages and traces in headless Chromium. Each case prints "ok NAME" or "FAIL NAME: why".
//   node browser.mjs MODULES WORK SHOTS [WORD]     all cases, or those whose name contains WORD
// MODULES has the npm packages of package.json. WORK has hostile.html, plain.html, large.html and
// trace.json, with trace.expected. SHOTS gets the screenshots.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync, statSync, rmSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { join } from "node:path";

const [modules, work, shots, word = ""] = process.argv.slice(2);
const require = createRequire(join(modules, "node_modules/"));
const { chromium } = require("playwright-core");
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const sizes = [[1440, 900], [820, 1180], [390, 844]];
const changes = 500;
// The limits are generous, because a loaded machine is many times slower. The measured times are printed.
const patience = 120000, slowestPaint = 5000;

function check(isTrue, why) {
  if (!isTrue) throw new Error(why);
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: flags });
const requests = [];

async function openPage(file, options = {}) {
  const page = await browser.newPage(options);
  page.on("request", (request) => {
    if (!/^(file|data|blob):/.test(request.url())) requests.push(request.url());
  });
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(error.message));
  page.on("dialog", (dialog) => {
    page.problems.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(`file://${join(work, file)}`);
  await page.waitForSelector("html[data-ready]", { state: "attached", timeout: patience });
  return page;
}

/** Splits an exported page into its record, as a tar archive, and the HTML around it. */
function openRecord(html) {
  const [, before, packed, after] = /^([^]*id="record">)([^<]*)(<\/script>[^]*)$/.exec(html);
  const tar = gunzipSync(Buffer.from(packed, "base64"));
  const files = new Map();
  for (let at = 0; tar[at];) {
    const name = tar.toString("latin1", at, at + 100).replace(/\0.*/s, "");
    const size = parseInt(tar.toString("latin1", at + 124, at + 135), 8);
    files.set(name, { at: at + 512, size });
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return { tar, files, pack: (changed) => before + gzipSync(changed, { level: 1 }).toString("base64") + after };
}

const cases = {
  async "an unchanged page is intact and shows the head of run show"() {
    const page = await openPage("plain.html");
    check(await page.getAttribute("#integrity", "data-state") === "intact", "it is not shown as intact");
    const head = readFileSync(join(work, "plain.head"), "utf8").trim();
    check((await page.textContent("#integrity")).includes(head), `the head ${head} is not shown`);
    check(page.problems.length === 0, page.problems.join("; "));
    await page.close();
  },

  async [`${changes} changes of one byte are found at their line`]() {
    const { tar, files, pack } = openRecord(readFileSync(join(work, "plain.html"), "utf8"));
    const { at, size } = files.get("steps.jsonl");
    let seed = 7;
    const random = (below) => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return Math.floor((seed / 2147483648) * below);
    };
    const wrong = [];
    let begun = 0;
    async function tryChanges(number) {
      const page = await openPage("plain.html"), file = join(work, `changed-${number}.html`);
      while (begun++ < changes) {
        const place = random(size), changed = Buffer.from(tar);
        changed[at + place] = (changed[at + place] + 1 + random(255)) % 256;
        let line = 1;
        for (let k = 0; k < place; k++) if (tar[at + k] === 10) line++;
        writeFileSync(file, pack(changed));
        await page.goto(`file://${file}`, { waitUntil: "domcontentloaded" });
        await page.waitForSelector("html[data-ready]", { state: "attached", timeout: patience });
        const found = await page.evaluate(() => ({ ...document.getElementById("integrity").dataset }));
        if (found.state !== "altered" || Number(found.line) !== line) {
          wrong.push(`byte ${place} of line ${line}: ${JSON.stringify(found)}`);
        }
      }
      rmSync(file);
      await page.close();
    }
    await Promise.all([1, 2, 3].map(tryChanges));
    check(wrong.length === 0, `${wrong.length} of ${changes}: ${wrong.slice(0, 3).join("; ")}`);
  },

  async "a changed byte is found whatever character it stands for"() {
    const { tar, files, pack } = openRecord(readFileSync(join(work, "plain.html"), "utf8"));
    const { at, size } = files.get("steps.jsonl");
    const body = tar.toString("latin1", at, at + size).indexOf('"body":{');
    for (const [is, becomes] of [["0", 0x89], ["9", 0x8b], ["a", 0x9a], ['"', 0x95]]) {
      const changed = Buffer.from(tar);
      changed[tar.indexOf(is, at + body)] = becomes;
      writeFileSync(join(work, "changed.html"), pack(changed));
      const page = await openPage("changed.html");
      check(await page.getAttribute("#integrity", "data-state") === "altered", `${is} became 0x${becomes.toString(16)}`);
      await page.close();
    }
  },

  async "the altered byte itself is found and marked"() {
    const { tar, files, pack } = openRecord(readFileSync(join(work, "plain.html"), "utf8"));
    const { at, size } = files.get("steps.jsonl");
    const text = tar.toString("latin1", at, at + size), third = text.indexOf('"number":3,');
    for (const mark of ['"previous":"', '"hash":"', '"body":{"']) {
      const place = text.indexOf(mark, third) + mark.length + 3, changed = Buffer.from(tar);
      changed[at + place] = changed[at + place] === 48 ? 49 : 48;
      writeFileSync(join(work, "changed.html"), pack(changed));
      const page = await openPage("changed.html");
      await page.waitForSelector("#integrity[data-byte]", { state: "attached", timeout: patience });
      check(await page.getAttribute("#integrity", "data-byte") === String(place), `not the byte after ${mark}`);
      check(await page.textContent("mark") === String.fromCharCode(changed[at + place]), "another byte is marked");
      await page.close();
    }
  },

  async "a change of run.json or of an artifact is named"() {
    const { tar, files, pack } = openRecord(readFileSync(join(work, "plain.html"), "utf8"));
    for (const name of ["run.json", "sidecar/output.md"]) {
      const changed = Buffer.from(tar), { at, size } = files.get(name);
      changed[at + Math.floor(size / 2)] ^= 1;
      writeFileSync(join(work, "changed.html"), pack(changed));
      const page = await openPage("changed.html");
      check(await page.getAttribute("#integrity", "data-state") === "altered", `${name}: not shown as altered`);
      check((await page.textContent("#integrity")).includes(name), `${name} is not named`);
      await page.close();
    }
  },

  async "scripts in every field of an agent are shown as text"() {
    const page = await openPage("hostile.html");
    const rows = await page.locator(".row").count();
    check(rows > 3, `only ${rows} rows`);
    for (let i = 0; i < rows; i++) {
      await page.locator(".rows").press("ArrowDown");
      await page.evaluate(() => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
    }
    const found = await page.evaluate(() => ({ pwned: window.pwned, title: document.title,
      elements: document.querySelectorAll("#page script, #page img, #page iframe, #page a, #page svg").length }));
    check(found.pwned === undefined, "a script of an agent ran");
    check(found.elements === 0, `${found.elements} elements came from an agent's text`);
    check(!/^pwned/.test(found.title), "an agent changed the title");
    await page.click(".whole");
    check((await page.textContent(".pane")).includes("<img src=x onerror="), "the answer is not shown as text");
    check(page.problems.length === 0, page.problems.join("; "));
    await page.close();
  },

  async "10,000 events take less than 3 MB and are painted at once"() {
    const { size } = statSync(join(work, "large.html"));
    check(size < 3000000, `${size} bytes`);
    const page = await openPage("large.html");
    const times = await page.evaluate(() => ({
      paint: performance.getEntriesByName("first-contentful-paint")[0].startTime, ready: performance.now() }));
    const rows = await page.locator(".row").count();
    check(await page.getAttribute("#integrity", "data-state") === "intact", "it is not intact");
    check(rows < 200, `${rows} rows were drawn at once`);
    console.log(`   large.html: ${size} bytes, first paint ${Math.round(times.paint)} ms, ` +
      `ready ${Math.round(times.ready)} ms`);
    check(times.paint < slowestPaint, `the first paint took ${times.paint} ms`);
    await page.close();
  },

  async "the page can be used by keyboard alone"() {
    const page = await openPage("plain.html");
    await page.keyboard.press("Tab");
    for (let i = 0; i < 12 && await page.evaluate(() => document.activeElement.getAttribute("role") !== "tree"); i++) {
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("End");
    const current = await page.getAttribute(".rows", "aria-activedescendant");
    check(current && await page.getAttribute(`#${current}`, "aria-selected") === "true", "End selects no row");
    check(await page.isVisible(".whole"), "no step is shown");
    await page.close();
  },

  async "axe-core finds nothing serious at any width, light or dark"() {
    const found = [];
    for (const file of ["plain.html", "hostile.html"]) {
      for (const [width, height] of sizes) {
        for (const colorScheme of ["light", "dark"]) {
          const page = await openPage(file, { viewport: { width, height }, colorScheme });
          const name = `${file.replace(".html", "")}-${width}-${colorScheme}.png`;
          await page.screenshot({ path: join(shots, name), fullPage: width < 900 });
          await page.locator(".rows").press("End");
          await page.evaluate(axeSource);
          const { violations } = await page.evaluate(() => window.axe.run());
          for (const { id, impact, nodes } of violations) {
            if (impact !== "serious" && impact !== "critical") continue;
            found.push(`${name}: ${id}: ${nodes[0].html.slice(0, 120)}`);
          }
          const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          if (overflow > 0) found.push(`${name}: ${overflow} pixels wider than the window`);
          await page.close();
        }
      }
    }
    check(found.length === 0, found.slice(0, 4).join("; "));
  },

  async "speedscope reads the trace with its slices and lanes"() {
    const expected = JSON.parse(readFileSync(join(work, "trace.expected"), "utf8"));
    const page = await browser.newPage({ acceptDownloads: true });
    // Pass the trace as a script, as speedscope's own command line does.
    const trace = readFileSync(join(work, "trace.json")).toString("base64");
    writeFileSync(join(work, "trace.js"), `speedscope.loadFileFromBase64("trace.json", "${trace}")`);
    const index = join(modules, "node_modules/speedscope/dist/release/index.html");
    await page.goto(`file://${index}#localProfilePath=${join(work, "trace.js").slice(1)}`);
    const saved = page.waitForEvent("download", { timeout: 30000 });
    await page.getByText("Export", { exact: false }).first().click({ timeout: 30000 });
    const profile = JSON.parse(readFileSync(await (await saved).path(), "utf8"));
    const opened = (lane) => lane.events.filter((event) => event.type === "O").length;
    const slices = profile.profiles.reduce((sum, lane) => sum + opened(lane), 0);
    check(profile.profiles.length === expected.lanes, `${profile.profiles.length} lanes, not ${expected.lanes}`);
    check(slices === expected.slices, `${slices} slices, not ${expected.slices}`);
    await page.close();
  },

  async "no request leaves the page"() {
    check(requests.length === 0, requests.slice(0, 3).join(", "));
  },
};

let passed = 0, failed = 0;
for (const [name, run] of Object.entries(cases)) {
  if (!name.includes(word)) continue;
  const began = Date.now();
  try {
    await run();
    passed++;
    console.log(`ok ${name} (${Date.now() - began} ms)`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${String(error.message).split("\n").slice(0, 3).join(" ")}`);
  }
}
await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
