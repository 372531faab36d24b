// Runs the specs of the page. Each case prints "ok NAME" or "FAIL NAME: why"; the last line counts.
//   node run.mjs MODULES WORK SHOTS MOONLET [WORD]     all cases, or those whose name contains WORD
// MODULES has playwright-core and axe-core; without them ("-") only the cases that need no browser run.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [modules, work, shots, moonlet, word = ""] = process.argv.slice(2);
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
let browser = null, axe = "";
if (modules !== "-") {
  const require = createRequire(join(modules, "node_modules/"));
  axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
  browser = await require("playwright-core").chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: flags });
}
let passed = 0, failed = 0;
for (const name of ["attacks", "journeys", "live", "looks", "sizes"]) {
  const spec = await import(`./${name}.mjs`);
  if (spec.needsBrowser && !browser) continue;
  const names = Object.keys(spec.cases).filter((each) => each.includes(word));
  if (!names.length) continue;
  const context = await spec.prepare({ browser, axe, work: join(work, name), shots, moonlet });
  for (const each of names) {
    const began = Date.now();
    try {
      await spec.cases[each](context);
      passed++;
      console.log(`ok ${each} (${Date.now() - began} ms)`);
    } catch (error) {
      failed++;
      console.log(`FAIL ${each}: ${String(error.message).split("\n").slice(0, 3).join(" ")}`);
    }
  }
  await spec.finish(context);
}
if (browser) await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
