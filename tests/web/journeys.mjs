// These cases use the page as a person does, in a browser, on real runs.
import { check, until, openPage, Tree, idOf, begin, finish } from "./harness.mjs";

const scripts = {
  live: `ctx:phase("look", 3)
    local list = ctx:parallel({ "first", "second", "third" }, function(c, name)
      return c:agent { name = name, prompt = "wait-for go-" .. name }.text
    end)
    ctx:phase("check")
    ctx:validate { kind = "test", command = "true" }
    return list`,
  question: 'return ctx:question { text = "Which colour?", options = { "red", "blue" } }',
  text: 'return ctx:question { text = "What is its name?" }',
  gate: `local ok = pcall(function() return ctx:gate { action = "deploy", why = "it is ready", show = "build 42" } end)
    return ok and "went on" or "stopped"`,
  plain: `ctx:agent { name = "one", prompt = "hello" }
    local found = ctx:any({ "x" }, function(c) return c:agent { name = "two", prompt = "again" }.text end)
    ctx:exec { "printf", "printed %s", "text" }
    return found`,
};

export const needsBrowser = true;

export async function prepare({ browser, work, moonlet }) {
  const tree = new Tree(moonlet, work, "repo");
  for (const [name, text] of Object.entries(scripts)) tree.script(name, text);
  return begin(browser, tree, { viewport: { width: 1440, height: 900 } });
}

export { finish };

async function verdictOf(t, run) {
  return until(async () => {
    const { run: about, result } = await t.tree.run("show", run);
    return result.record.ended && about.verdict !== "needs-human" && about;
  }, `the end of ${run}`);
}

async function clean(page) {
  check(page.problems.length === 0, page.problems.join("; "));
  check(page.outside.length === 0, `requests left the machine: ${page.outside.join(", ")}`);
  await page.close();
}

const item = (page, run) => page.locator(`.inbox .item:has(a[href="#/0/${run}"])`);

export const cases = {
  async "a run is seen live from its start to its end"(t) {
    const page = await openPage(t.context, t.server);
    const run = idOf(await t.tree.start("live", "--background"));
    const live = page.locator(`.live-run[data-key="0/${run}"]`);
    await live.getByText("second").waitFor();
    const detail = await openPage(t.context, t.server, `#/0/${run}`);
    await detail.locator('.row:has-text("third") .sign.accent').waitFor();
    t.tree.release("go-first");
    await detail.locator('.row:has-text("first") .sign.good').waitFor();
    await live.getByText("1 ok").waitFor();
    for (const name of ["go-second", "go-third"]) t.tree.release(name);
    await live.waitFor({ state: "detached" });
    await page.locator(`.runs tr[data-key="0-${run}"] .badge.good`).waitFor();
    await detail.locator("#head .badge.good").waitFor();
    await detail.locator('.row:has-text("check")').waitFor();
    await clean(detail);
    await clean(page);
  },

  async "a question is answered by a click, and another by typing"(t) {
    const page = await openPage(t.context, t.server);
    const run = idOf(await t.tree.start("question"));
    await item(page, run).getByRole("button", { name: "blue" }).click();
    const about = await verdictOf(t, run);
    check(about.verdict === "ok", about.verdict);
    check((await t.tree.run("show", run, "--answer")).result !== null, "no result");
    check(JSON.stringify(await t.tree.run("show", run)).includes('"blue"'), "another answer is on record");
    const other = idOf(await t.tree.start("text"));
    const field = item(page, other).getByLabel("answer to: What is its name?");
    await field.fill("Ada <b>& co</b>");
    await field.press("Enter");
    await verdictOf(t, other);
    check(JSON.stringify(await t.tree.run("show", other)).includes("Ada <b>& co</b>"), "another text is on record");
    await item(page, other).waitFor({ state: "detached" });
    await clean(page);
  },

  async "a gate is approved and another rejected, each with its note"(t) {
    const page = await openPage(t.context, t.server);
    for (const [word, result] of [["Approve", "went on"], ["Reject", "stopped"]]) {
      const run = idOf(await t.tree.start("gate"));
      await page.waitForFunction(() => /^\(\d+\)/.test(document.title));
      check((await item(page, run).textContent()).includes("build 42"), "what it shows is not shown");
      await item(page, run).getByLabel("note for the record").fill(`${word} by page`);
      await item(page, run).getByRole("button", { name: word }).click();
      await verdictOf(t, run);
      const record = JSON.stringify((await t.tree.run("show", run)).result.record.answers);
      check(record.includes(`${word} by page`) && record.includes(word.toLowerCase()), `${word}: ${record}`);
      const shown = await t.tree.run("show", run);
      check(JSON.stringify(shown.result).includes(result), `the run did not see the answer: ${result}`);
    }
    await clean(page);
  },

  async "a gate is answered beside its run, too"(t) {
    const run = idOf(await t.tree.start("gate"));
    const page = await openPage(t.context, t.server, `#/0/${run}`);
    await page.locator("#head").getByRole("button", { name: "Approve" }).click();
    await page.locator("#head .badge.good").waitFor();
    check((await verdictOf(t, run)).verdict === "ok", "it is not ok");
    await clean(page);
  },

  async "a diff is read, commented and approved, and a replay marks a lost comment as outdated"(t) {
    const made = await t.tree.run("task", "create", "--title", "Rename two", "--summary", "s", "--goal", "write-file", "--status",
      "ready", "--runner", `command:${t.tree.agentPath}`, "--validate-cmds", "test:true");
    const task = made.result.id;
    const page = await openPage(t.context, t.server);
    await page.locator(`.queue li:has-text("${task}")`).getByRole("button", { name: "Start" }).click();
    await page.locator(".inbox .item.review").getByText("Review the change").click();
    await page.locator('.code-line.plus:has-text("+four")').waitFor();
    check(await page.locator('.review .badge:has-text("passed")').count() === 1, "the evidence is not shown");
    const run = /#\/0\/(R-\d+)/.exec(page.url())[1];
    await page.getByLabel("comment on line 4 of a.txt").click();
    await page.locator("textarea").fill("why <i>four</i>?");
    await page.getByRole("button", { name: "Comment", exact: true }).click();
    await page.locator('.comment:has-text("why <i>four</i>?")').waitFor();
    await page.getByLabel("comment on line 2 of a.txt").click();
    await page.locator("textarea").fill("two is clear");
    await page.locator("textarea").press("Control+Enter");
    await page.locator('.comment:has-text("two is clear")').waitFor();
    // A replay changes other lines: one comment is outdated, the other has moved.
    const other = await t.tree.run("run", "replay", run, "--reason", "write-other instead", "--runner",
      `command:sh -c "printf 'zero\\none\\n2\\nthree\\n' >a.txt; echo done"`);
    check(other.run, JSON.stringify(other.error));
    await page.goto(`${t.server.base}#/0/${other.run.id}/review`);
    await page.locator('.outdated-list .comment:has-text("why <i>four</i>?")').waitFor();
    check(await page.locator('.code-line[data-place="a.txt:3"] + .comment:has-text("two is clear")').count() === 1,
      "the comment has not moved with its line");
    await page.getByLabel("note for the record").fill("reads well");
    await page.getByRole("button", { name: "Approve and merge" }).click();
    await page.locator("#head .badge.good").waitFor();
    const { review } = (await t.tree.run("show", other.run.id)).run;
    check(review.state === "approved" && review.note === "reads well", JSON.stringify(review));
    check(t.tree.read("a.txt") === "zero\none\n2\nthree\n", "the change is not merged");
    await clean(page);
  },

  async "a review is rejected, and nothing is merged"(t) {
    const { result } = await t.tree.run("task", "create", "--title", "Other", "--summary", "s", "--goal", "write-file", "--status",
      "ready", "--runner", `command:${t.tree.agentPath}`);
    const before = t.tree.read("a.txt");
    const run = idOf(await t.tree.run("run", result.id));
    const page = await openPage(t.context, t.server, `#/0/${run}/review`);
    await page.getByRole("button", { name: "Reject" }).click();
    await page.locator("#head .badge.bad").waitFor();
    check((await t.tree.run("show", run)).run.review.state === "rejected", "it is not rejected");
    check(t.tree.read("a.txt") === before, "a file was changed");
    await clean(page);
  },

  async "a replay is started, and its lineage is walked both ways and compared"(t) {
    const run = idOf(await t.tree.start("plain"));
    const page = await openPage(t.context, t.server, `#/0/${run}`);
    await page.getByRole("button", { name: "Replay…" }).click();
    await page.getByLabel("Why, for the record").fill("try <again>");
    await page.locator("dialog").getByRole("button", { name: "Replay" }).click();
    await page.waitForFunction((was) => location.hash !== `#/0/${was}`, run);
    const replay = page.url().split("/").pop();
    await verdictOf(t, replay);
    await page.locator(".lineage").getByText("try <again>").waitFor();
    await page.locator(".lineage").getByRole("link", { name: run }).click();
    await page.locator(".lineage").getByRole("link", { name: replay }).click();
    await page.locator(`h1:has-text("${replay}")`).waitFor();
    await page.getByRole("link", { name: "compare with it" }).click();
    await page.locator(".compare").getByRole("rowheader", { name: "outcome" }).waitFor();
    await clean(page);
  },

  async "a step's prompt, answer, log and record are read"(t) {
    const run = idOf(await t.tree.start("plain"));
    const page = await openPage(t.context, t.server, `#/0/${run}`);
    await page.locator('.row:has-text("one")').click();
    const pane = page.locator(".pane");
    await pane.getByText("an answer to: hello").first().waitFor();
    await pane.locator("summary", { hasText: "prompt" }).click();
    await pane.getByLabel("prompt", { exact: true }).getByText("hello").waitFor();
    await pane.locator("summary", { hasText: "stdout.log" }).click();
    await pane.getByLabel("stdout.log").getByText("an answer to: hello").waitFor();
    await page.locator('.row:has-text("exec")').click();
    await pane.getByText("printed text").waitFor();
    await page.getByRole("button", { name: "events" }).click();
    await page.locator('.events li:has-text("run.finished")').waitFor();
    await page.getByLabel("find in events").fill("phase-that-is-not-there");
    await page.waitForFunction(() => !document.querySelector(".events li"));
    await page.getByRole("button", { name: "list" }).click();
    await page.locator(".tree.compact .row").first().waitFor();
    await clean(page);
  },

  async "a run whose host was killed is resumed from the inbox"(t) {
    t.tree.script("killed", 'return ctx:agent { name = "only", prompt = "wait-for go-killed" }.text');
    const run = idOf(await t.tree.start("killed", "--background"));
    const page = await openPage(t.context, t.server);
    await page.locator(`.live-run[data-key="0/${run}"]`).getByText("only").waitFor();
    const [, pid] = /^pid 0*(\d+)/.exec(t.tree.read(`.agent/runs/${run}/lock`));
    process.kill(Number(pid), "SIGKILL");
    await item(page, run).getByText("Interrupted").waitFor();
    await item(page, run).getByRole("button", { name: "Resume" }).click();
    await page.locator(`.live-run[data-key="0/${run}"]`).waitFor();
    t.tree.release("go-killed");
    check((await verdictOf(t, run)).verdict === "ok", "it is not ok");
    await item(page, run).waitFor({ state: "detached" });
    await clean(page);
  },

  async "the attempts of a run are told apart, and an idle time between them is short"(t) {
    t.tree.script("twice", `ctx:exec { "sleep", "0.2" }
      return ctx:agent { name = "again", prompt = "fail-before twice", retry = 0 }.text`);
    const run = idOf(await t.tree.start("twice"));
    await new Promise((resume) => setTimeout(resume, 4000));
    t.tree.release("twice");
    check((await t.tree.run("run", "resume", run)).run.verdict === "ok", "the resume is not ok");
    const page = await openPage(t.context, t.server, `#/0/${run}`);
    await page.locator(".row").nth(2).waitFor();
    const rows = page.locator(".row");
    check(await rows.count() === 3, `${await rows.count()} rows`);
    const idle = await page.locator(".axis .idle").evaluateAll((gaps) =>
      gaps.map((gap) => gap.getBoundingClientRect().width / gap.parentElement.clientWidth));
    check(idle.length >= 1, "the idle time is not marked");
    check(Math.max(...idle) < 0.05, `an idle time takes ${Math.max(...idle)} of the axis`);
    await page.getByLabel("attempt of the run").selectOption({ label: "after resume 1" });
    await page.getByText("1 of 3 steps").waitFor();
    await page.getByRole("button", { name: "failed" }).click();
    await page.getByText("0 of 3 steps").waitFor();
    await clean(page);
  },

  async "a running run is cancelled"(t) {
    t.tree.script("long", 'return ctx:agent { name = "long", prompt = "wait-for never" }.text');
    const run = idOf(await t.tree.start("long", "--background"));
    const page = await openPage(t.context, t.server);
    await page.locator(`.live-run[data-key="0/${run}"]`).getByRole("button", { name: "Cancel" }).click();
    check((await verdictOf(t, run)).verdict === "cancelled", "it was not cancelled");
    await clean(page);
  },

  async "a session is read and typed into"(t) {
    const session = (await t.tree.run("session", "start", "--", "sh", "-c", "echo ready; read x; echo got $x; sleep 600")).result.id;
    const page = await openPage(t.context, t.server, `#/0/${session}`);
    await page.locator(".screen").getByText("ready").waitFor();
    await page.getByLabel("text to type").fill("a line; rm -rf x");
    await page.getByLabel("text to type").press("Enter");
    await page.locator(".screen").getByText("got a line; rm -rf x").waitFor();
    await t.tree.run("session", "kill", session);
    await clean(page);
  },

  async "a decision is recorded"(t) {
    const run = idOf(await t.tree.start("plain"));
    const page = await openPage(t.context, t.server, `#/0/${run}`);
    await page.getByRole("button", { name: "Decide…" }).click();
    await page.locator("dialog").getByLabel("Decision").selectOption("leave");
    await page.locator("dialog").getByLabel("Why, for the record").fill("too slow");
    await page.locator("dialog").getByRole("button", { name: "Decide" }).click();
    await page.locator(".toast.good").waitFor();
    const { dir } = (await t.tree.run("show", run)).run;
    check((t.tree.read(dir.slice(t.tree.dir.length + 1) + "/decision.md") || "").includes("too slow"), "no decision is on record");
    await clean(page);
  },

  async "the page is used by keyboard"(t) {
    const run = idOf(await t.tree.start("plain"));
    const page = await openPage(t.context, t.server, `#/0/${run}`);
    await page.locator(".rows").focus();
    await page.keyboard.press("End");
    await page.locator(".pane").getByText("printed text").waitFor();
    await page.keyboard.press("g");
    await page.locator(".inbox").waitFor();
    await page.keyboard.press("/");
    check(await page.evaluate(() => document.activeElement.type) === "search", "the search has no focus");
    await page.keyboard.type(run);
    await page.waitForFunction(() => document.querySelectorAll(".runs tbody tr").length === 1);
    for (let i = 0; i < 40 && await page.evaluate(() => document.activeElement.getAttribute("href")) !== `#/0/${run}`; i++) {
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await page.locator(`h1:has-text("${run}")`).waitFor();
    await clean(page);
  },
};
