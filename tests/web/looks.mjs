// These cases test the page's look at three widths in light and dark mode, its accessibility with axe-core,
// and that hostile text of agents stays plain text.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { check, openPage, patience, Tree, WebServer, idOf } from "./harness.mjs";

const sizes = [[1440, 900], [820, 1180], [390, 844]];
const evil = "<img src=x onerror=window.pwned=1></script><script>window.pwned=1</script>";

export const needsBrowser = true;

export async function prepare({ browser, axe, work, shots, moonlet }) {
  const tree = new Tree(moonlet, work, "repo");
  writeFileSync(join(work, "evil-agent"), `#!/bin/sh
cat >/dev/null
echo '${evil}' >&2
printf '%s\\n' '${evil}' >'new<img src=x onerror=pwned=1>.txt'
printf '# Answer %s\\n[link](javascript:pwned=1) <iframe srcdoc="%s"></iframe>\\n' '${evil}' '${evil}'
`, { mode: 0o755 });
  tree.script("hostile", `
    local evil = ${JSON.stringify(evil)}
    ctx:phase(evil, 3)
    ctx:log(evil)
    ctx:exec { "printf", "%s", evil }
    ctx:parallel({ evil, "b" }, function(c, name)
      return c:agent { name = name .. evil, prompt = evil }.text
    end, { key = function(name) return name end, need = 1 })
    pcall(function() ctx:exec { "sh", "-c", "echo '" .. evil .. "' >&2; exit 3", check = true } end)
    ctx:gate { action = evil, why = evil, show = evil }`);
  tree.script("mixed", `
    ctx:phase("review", 5)
    local found = ctx:parallel({ "correctness", "risks", "tests", "style", "docs" }, function(c, lens)
      if lens == "docs" then m.fail { kind = "failed", message = "nothing to read" } end
      return c:agent { name = lens, prompt = "Review for " .. lens }.text
    end, { need = 3, key = function(lens) return lens end })
    ctx:phase("check")
    ctx:validate { kind = "test", command = "true" }
    return found`);
  tree.script("waits", `
    ctx:phase("work", 4)
    ctx:parallel({ "parser", "printer", "checker", "reader" }, function(c, part)
      return c:agent { name = part, prompt = part == "reader" and "short" or "wait-for never" }.text
    end, { key = function(part) return part end })`);
  tree.script("gate", 'ctx:gate { action = "Publish version 2.1 of the package?", why = "All checks passed.", show = "3 commits, 0 findings\\nCHANGELOG.md is complete" }');
  const hostile = idOf(await tree.run("run", "hostile.lua", "--allow", "all", "--runner", `command:${join(work, "evil-agent")}`,
    "--title", evil));
  const mixed = idOf(await tree.start("mixed", "--title", "Review the parser"));
  await tree.start("gate");
  const live = idOf(await tree.start("waits", "--background", "--budget", "tokens=50000,agents=8"));
  const task = await tree.run("task", "create", "--title", `Rename ${evil}`, "--summary", evil, "--goal", "write", "--status", "ready", "--runner",
    `command:${join(work, "evil-agent")}`, "--validate-cmds", "test:true");
  const review = idOf(await tree.run("run", task.result.id));
  const readable = await tree.run("task", "create", "--title", "Rename two to 2", "--summary", "s", "--goal", "write-file", "--status", "ready",
    "--runner", `command:${tree.agentPath}`, "--validate-cmds", "test:true");
  const reviewed = idOf(await tree.run("run", readable.result.id));
  await tree.run("review", "comment", reviewed, "a.txt:2", "Is 2 what the reader expects here?");
  await tree.run("task", "create", "--title", "Add a changelog", "--summary", "s", "--goal", "g", "--status", "ready");
  const session = (await tree.run("session", "start", "--", "sh", "-c", `printf '%s\\n' '${evil}'; read x`)).result.id;
  const replay = idOf(await tree.run("run", "replay", mixed, "--reason", "another try"));
  const server = await new WebServer(tree, "--port", "0").start();
  return { tree, server, browser, axe, shots, hostile, live, review, session,
    views: { control: "#/", run: `#/0/${mixed}`, live: `#/0/${live}`, replay: `#/0/${replay}`, review: `#/0/${reviewed}/review`,
      hostile: `#/0/${hostile}`, "hostile-review": `#/0/${review}/review`, session: `#/0/${session}`, compare: `#/0/${replay}/diff/${mixed}` } };
}

export async function finish({ tree, server, live, session }) {
  await tree.run("run", "cancel", live);
  await tree.run("session", "kill", session);
  await server.kill("SIGTERM");
}

export const cases = {
  async "scripts in every field of an agent are shown as text"(t) {
    const context = await t.browser.newContext({ viewport: { width: 1440, height: 900 } });
    context.setDefaultTimeout(patience);
    const page = await openPage(context, t.server);
    const opened = new Set();
    for (const [name, hash] of Object.entries(t.views)) {
      await page.goto(t.server.base + hash);
      await page.locator("#view section, #view .row").first().waitFor();
      const rows = await page.locator(".row").count();
      for (let i = 0; i < rows; i++) {
        await page.locator(".rows").press("ArrowDown");
        await page.waitForTimeout(100);
        await page.evaluate(() => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
      }
      await page.waitForTimeout(500);
      const found = await page.evaluate(() => ({ pwned: window.pwned, text: document.body.textContent,
        elements: document.querySelectorAll("#page script, #page img, #page iframe, #page svg, #page a[href^=javascript]").length }));
      check(found.pwned === undefined, `${name}: a script of an agent ran`);
      check(found.elements === 0, `${name}: ${found.elements} elements came from a text`);
      if (found.text.includes("<img src=x onerror=")) opened.add(name);
    }
    for (const name of ["control", "hostile", "hostile-review", "session"]) check(opened.has(name), `${name} does not show the text`);
    check(page.problems.length === 0, page.problems.join("; "));
    check(page.outside.length === 0, page.outside.join(", "));
    await context.close();
  },

  async "axe-core finds nothing serious in any view at any width, light or dark"(t) {
    const found = [];
    for (const [width, height] of sizes) {
      for (const colorScheme of ["light", "dark"]) {
        // The debugger injects axe's script, because the page's security policy forbids foreign scripts.
        const context = await t.browser.newContext({ viewport: { width, height }, colorScheme, bypassCSP: true });
        context.setDefaultTimeout(patience);
        const page = await openPage(context, t.server);
        for (const [view, hash] of Object.entries(t.views)) {
          const name = `web-${view}-${width}-${colorScheme}.png`;
          await page.goto(t.server.base + hash);
          await page.locator("#view section, #view .row").first().waitFor();
          await page.waitForTimeout(600);
          await page.screenshot({ path: join(t.shots, name), fullPage: width < 900 });
          await page.evaluate(t.axe);
          const { violations } = await page.evaluate(() => window.axe.run());
          for (const { id, impact, nodes } of violations) {
            if (impact === "serious" || impact === "critical") found.push(`${name}: ${id}: ${nodes[0].html.slice(0, 160)}`);
          }
          const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          if (wider > 0) found.push(`${name}: ${wider} pixels wider than the window`);
        }
        await context.close();
      }
    }
    for (const line of found) console.log(`   ${line}`);
    check(found.length === 0, `${found.length} findings`);
  },

  async "nothing moves where the system asks for no motion"(t) {
    const context = await t.browser.newContext({ reducedMotion: "reduce" });
    const page = await openPage(context, t.server, t.views.run);
    await page.locator(".row").first().waitFor();
    const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((element) => {
      const style = getComputedStyle(element);
      return parseFloat(style.transitionDuration) > 0 || parseFloat(style.animationDuration) > 0;
    }).length);
    check(moving === 0, `${moving} elements move`);
    await context.close();
  },
};
