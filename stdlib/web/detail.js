// Shows the details of a step and of the whole run. Text of agents only becomes text nodes, never HTML.

import { el, badge, bytes, count, counted, duration, money, moment } from "./format.js";
import { textOf, jsonOf } from "./archive.js";
import { nameOf } from "./model.js";

const longest = 200000;

function section(title, ...children) {
  const inside = children.flat().filter(Boolean);
  return inside.length ? el("section", {}, el("h3", {}, title), ...inside) : null;
}

function facts(pairs) {
  const list = el("dl", { class: "facts" });
  for (const [name, value] of pairs) {
    if (value === null || value === undefined || value === "" || value === "–") continue;
    list.append(el("div", {}, el("dt", {}, name), el("dd", {}, value)));
  }
  return list.children.length ? list : null;
}

/** Shows a long text in a box that scrolls by keyboard. */
function box(text, label, isOpen = true) {
  if (!text) return null;
  const cut = text.length > longest;
  const shown = cut ? text.slice(0, longest) : text;
  const lines = text.split("\n").length;
  return el("details", { open: isOpen }, el("summary", {}, label,
    el("span", { class: "quiet" }, ` ${count(lines)} lines, ${bytes(text.length)}`)),
  el("pre", { tabindex: 0, role: "region", "aria-label": label }, shown),
  cut ? el("p", { class: "quiet" }, `The rest, ${bytes(text.length - longest)}, is in the record.`) : null);
}

/** Shows a patch with its + and - signs, so that it is readable without colour. */
function patch(text, label) {
  if (!text) return null;
  const pre = el("pre", { class: "patch", tabindex: 0, role: "region", "aria-label": label });
  const all = text.split("\n");
  for (const line of all.slice(0, 5000)) {
    const kind = /^(\+\+\+|---|diff |index )/.test(line) ? "file" : line[0] === "+" ? "plus" :
      line[0] === "-" ? "minus" : line.startsWith("@@") ? "hunk" : "";
    pre.append(el("span", { class: kind }, line + "\n"));
  }
  const added = all.filter((line) => /^\+(?!\+\+)/.test(line)).length;
  const removed = all.filter((line) => /^-(?!--)/.test(line)).length;
  return el("details", { open: true }, el("summary", {}, label,
    el("span", { class: "quiet" }, ` +${count(added)} −${count(removed)}`)), pre);
}

function table(label, heads, rows) {
  if (!rows.length) return null;
  return el("div", { class: "table", tabindex: 0, role: "region", "aria-label": label }, el("table", {},
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, cell ?? "–")))))));
}

function usageTable(usage) {
  if (!usage) return null;
  return facts([["input tokens", count(usage.input_tokens)], ["of them cached", count(usage.cached_input_tokens)],
    ["output tokens", count(usage.output_tokens)], ["of them reasoning", count(usage.reasoning_output_tokens)],
    ["cost", money(usage)]]);
}

function findingsList(findings) {
  return findings.map((finding) => {
    const place = finding.file ? `${finding.file}${finding.line ? `:${finding.line}` : ""}` : "";
    return el("article", { class: "finding" },
      el("p", { class: "claim" }, el("span", { class: "severity" }, String(finding.severity ?? "finding")),
        el("span", {}, String(finding.claim ?? "")), place ? el("code", {}, place) : null),
      finding.evidence ? el("pre", { tabindex: 0, role: "region", "aria-label": "evidence" }, String(finding.evidence))
        : null,
      finding.fix ? el("p", {}, el("b", {}, "Fix "), String(finding.fix)) : null,
      Array.isArray(finding.corroborated_by) && finding.corroborated_by.length
        ? el("p", { class: "quiet" }, `seen by ${finding.corroborated_by.join(", ")}`) : null);
  });
}

function attemptRows(attempts) {
  return attempts.map((attempt) => [String(attempt.number ?? ""), attempt.kind || "first", badge(attempt.status ||
    attempt.class || "ok"), duration(attempt.duration_ms), count(attempt.usage && attempt.usage.total_tokens),
  money(attempt.usage), attempt.error ? String(attempt.error.message || attempt.error) : ""]);
}

function messageRow(message, from) {
  const { data } = message;
  const text = message.type === "agent.tool" ? `${data.name || "tool"} ${data.detail || ""}` :
    message.type === "step.retried" ? `attempt ${data.attempt}: ${data.reason}` : String(data.text ?? "");
  const kind = { "agent.tool": "tool", "agent.message": "says", "step.retried": "retry" }[message.type];
  return el("li", {}, el("span", { class: "quiet" }, duration(message.at - from)), el("span", { class: "kind" }, kind),
    el("span", { class: "said" }, text));
}

/** Shows the journaled value of a step: a command's output or a function's result. */
function recorded(records) {
  const end = records.filter(({ body }) => body.type === "end" || body.type === "fact").pop();
  if (!end) return [];
  const result = end.body.result;
  if (result && typeof result === "object" && typeof result.stdout === "string") {
    return [box(result.stdout, "printed"), box(result.stderr, "printed on stderr")];
  }
  return result === null || result === undefined ? [] : [box(JSON.stringify(result, null, 2), "result")];
}

/** Shows the details of one step. */
export function stepView(step, model, files, left) {
  const about = step.about || {}, folder = step.folder;
  const records = model.records.get(step.key) || [];
  const text = (name) => (folder ? textOf(files, folder + name) : "");
  const found = folder && folder !== "sidecar/" ? jsonOf(files, folder + "findings.json") : null;
  const attempts = Array.isArray(about.attempts) ? about.attempts : [];
  const changed = text("changes.patch") || "";
  const heldBack = text("held-back.patch");
  const missing = folder ? left.filter((file) => file.path.startsWith(folder) &&
    !file.path.slice(folder.length).startsWith("steps/")) : [];
  return el("div", { class: "detail" },
    el("h2", {}, badge(step.status), nameOf(step.key)),
    facts([["kind", step.kind], ["runner", step.runner], ["model", about.model], ["machine", step.on],
      ["in the queue", Number.isInteger(step.queued) ? duration(step.queued) : null],
      ["took", duration(step.took ?? step.to - step.from)], ["began after", duration(step.from - model.from)],
      ["exit code", step.exitCode === null || step.exitCode === undefined ? null : String(step.exitCode)],
      ["replayed", step.cached ? "from the journal" : null], ["sandbox", about.sandbox],
      ["journal", records.length ? `line ${records.map((record) => record.line).join(", ")}` : null]]),
    step.error ? el("p", { class: "error" }, String(step.error)) : null,
    section("Answer", box(text("output.md"), "answer")),
    section("Findings", found && Array.isArray(found.findings) ? findingsList(found.findings) : []),
    section("Recorded", folder ? [] : recorded(records)),
    section("Changes", patch(changed, "changes.patch"), patch(heldBack, "held-back.patch")),
    section("Prompt", box(text("prompt.md"), "prompt", !text("output.md"))),
    section("Usage", usageTable(step.usage || about.usage)),
    section("Attempts", table("attempts", ["#", "kind", "status", "took", "tokens", "cost", "error"],
      attemptRows(attempts))),
    section("Activity", step.messages.length ? el("ol", { class: "activity" },
      step.messages.slice(0, 500).map((message) => messageRow(message, step.from))) : null),
    section("Errors printed", box(text("stderr.log"), "stderr.log", false)),
    section("Left out", leftTable(missing)));
}

/** Lists the files that the page omits, in a table that is built when the reader opens it. */
function leftTable(left) {
  if (!left.length) return null;
  const sum = left.reduce((total, file) => total + (file.bytes || 0), 0);
  const part = el("details", {}, el("summary", {}, `${counted(left.length, "file")}, ${bytes(sum)}`));
  part.addEventListener("toggle", () => {
    if (part.children.length === 1) part.append(leftRows(left));
  });
  return part;
}

function leftRows(left) {
  return table("files that are left out", ["file", "size", "sha256", "why"], left.map((file) => [
    el("code", {}, file.path), bytes(file.bytes), el("code", { class: "hash" }, file.sha256 || "–"), file.why]));
}

function lineage(run, source) {
  return facts([["parent", run.parent_run_id], ["reason", run.options && run.options.reason],
    ["imported from", run.imported && run.imported.run], ["task", run.task_id],
    ["packet", run.packet && run.packet.id], ["preset", run.preset],
    ["sha256 of the preset", run.preset_sha256 && el("code", { class: "hash" }, run.preset_sha256)],
    ["moonlet", run.moonlet], ["exported by", source.moonlet]]);
}

function costRows(model) {
  const sums = new Map();
  for (const step of model.steps) {
    if (step.kind !== "agent") continue;
    const name = [step.runner || "agent", step.about && step.about.model].filter(Boolean).join(" ");
    const sum = sums.get(name) || { calls: 0, input: null, output: null, cost: 0, known: false };
    const usage = step.usage || {};
    sum.calls += 1;
    // The sum stays null until a step reports a number.
    if (typeof usage.input_tokens === "number") sum.input = (sum.input ?? 0) + usage.input_tokens;
    if (typeof usage.output_tokens === "number") sum.output = (sum.output ?? 0) + usage.output_tokens;
    if (typeof usage.cost_usd === "number") {
      sum.cost += usage.cost_usd;
      sum.known = true;
    }
    sums.set(name, sum);
  }
  return [...sums].map(([name, sum]) => [name, count(sum.calls), count(sum.input), count(sum.output),
    sum.known ? `$${sum.cost.toFixed(4)}` : "–"]);
}

/** Returns the script's result as text. A large result is in a separate file. */
function resultText(run, files) {
  let { result } = run;
  if (result && typeof result === "object" && typeof result.$value === "string") {
    result = jsonOf(files, `values/${result.$value}`);
  }
  if (result === null || result === undefined) return "";
  return typeof result === "string" ? result : JSON.stringify(result, null, 2);
}

/** Shows the details of the whole run. */
export function runView(model, files, source) {
  const { run } = model;
  const validation = Array.isArray(run.validation) ? run.validation : [];
  const changed = Array.isArray(run.files_changed) ? run.files_changed : [];
  const answers = Array.isArray(run.answers) ? run.answers : [];
  return el("div", { class: "detail" },
    el("h2", {}, badge(run.verdict), "The whole run"),
    run.error ? el("p", { class: "error" }, String(run.error.message)) : null,
    section("Findings", findingsList(model.findings)),
    section("Answer", box(textOf(files, "sidecar/findings.md"), "findings.md"),
      box(textOf(files, "sidecar/output.md"), "output.md", !files.has("sidecar/findings.md")),
      box(resultText(run, files), "result", !files.has("sidecar/output.md"))),
    section("Validation", table("validation", ["kind", "command", "status", "exit", "took"], validation.map((check) => [
      check.kind, el("code", {}, String(check.command ?? "")), badge(check.status), String(check.exit_code ?? "–"),
      duration(check.duration_ms)]))),
    section("Decisions", table("decisions", ["asked", "answer", "by", "when"], answers.map((answer) => [
      answer.text, answer.value ?? "–", answer.by, moment(answer.at)]))),
    section("Cost", table("cost", ["runner", "calls", "input tokens", "output tokens", "cost"], costRows(model))),
    section("Changes", changed.length ? el("ul", { class: "files" }, changed.map((path) => el("li", {},
      el("code", {}, String(path))))) : null),
    section("Warnings", model.warnings.length ? el("ul", {}, model.warnings.slice(0, 200).map((text) =>
      el("li", {}, String(text)))) : null),
    section("Inputs", box(textOf(files, "sidecar/input-manifest.md"), "input-manifest.md", false)),
    section("Lineage", lineage(run, source)),
    section("Left out of this page", leftTable(source.left || [])));
}
