// The exported page of one run: unpacks the record that the page contains, checks it, and shows it.

import { unpack, jsonOf } from "./archive.js";
import { checkJournal, checkFiles } from "./chain.js";
import { el, badge, bytes, count, counted, duration, money, moment } from "./format.js";
import { readRun, scaleOf } from "./model.js";
import { treeView } from "./tree.js";
import { stepView, runView } from "./detail.js";

const failedStates = new Set(["failed", "cut off", "blocked", "timeout", "cancelled"]);
const shownOfLine = 2000, aroundByte = 300;
const utf8 = new TextDecoder("utf-8");

/** Shows a damaged journal line as text, and marks its altered byte once that is found. */
function shownLine(damage) {
  const text = (from, to) => utf8.decode(damage.bytes.subarray(Math.max(from, 0), to));
  const end = damage.bytes.length;
  const line = el("pre", { class: "altered", tabindex: 0, role: "region", "aria-label": "the altered line" },
    text(0, shownOfLine), end > shownOfLine ? " …" : "");
  const place = el("p", {}, `The first altered byte is in line ${count(damage.line)} of steps.jsonl, between bytes ` +
    `${count(damage.from)} and ${count(damage.to)}. Do not rely on anything from there on.`);
  damage.find().then((found) => {
    if (!found) return;
    const { at, was } = found, sign = (byte) => (byte > 32 && byte < 127 ? `“${String.fromCharCode(byte)}”` :
      `0x${byte.toString(16).padStart(2, "0")}`);
    place.textContent = `The first altered byte is byte ${count(damage.from + at)} of steps.jsonl, in line ` +
      `${count(damage.line)}: it is ${sign(damage.bytes[at])}` + (was === undefined ? "" : `, and was ${sign(was)}`) +
      ". Do not rely on anything from there on.";
    line.replaceChildren(at > aroundByte ? "… " : "", text(at - aroundByte, at), el("mark", {}, text(at, at + 1)),
      text(at + 1, at + aroundByte), at + aroundByte < end ? " …" : "");
    document.getElementById("integrity").dataset.byte = damage.from + at;
  });
  return [place, line];
}

function integrity(journal, altered, source) {
  const isWell = !journal.damage && !altered.length && journal.records > 0;
  const head = el("p", { class: "head-hash" }, "head ", el("code", {}, journal.head || "none"),
    ` after ${counted(journal.records, "record")}. moonlet show ${source.run} prints the head on its machine.`);
  if (isWell) {
    return el("details", { class: "integrity good", id: "integrity", "data-state": "intact" },
      el("summary", {}, el("span", { class: "sign", "aria-hidden": true }, "✓"), "record intact ",
        el("code", {}, journal.head)), head);
  }
  if (!journal.records && !journal.damage) {
    return el("div", { class: "integrity warn", id: "integrity", "data-state": "unknown" },
      el("p", {}, el("b", {}, "! The journal is not in this page, so its record cannot be checked here.")));
  }
  return el("div", { class: "integrity bad", id: "integrity", role: "alert", "data-state": "altered",
    "data-line": journal.damage ? journal.damage.line : null },
  el("p", {}, el("b", {}, "✕ The record was altered")),
  journal.damage ? shownLine(journal.damage) : null,
  altered.length ? el("ul", {}, altered.map((file) => el("li", {}, el("code", {}, file.path), ` ${file.why}`))) : null,
  head);
}

function tokens(usage) {
  if (!usage) return "–";
  const sum = usage.total_tokens ?? (usage.input_tokens ?? 0) + (usage.output_tokens ?? 0);
  return sum ? count(sum) : "–";
}

function summary(model) {
  const { run } = model, usage = run.usage || {};
  const agents = model.steps.filter((step) => step.kind === "agent").length;
  const items = [["started", moment(run.started_at)], ["took", duration(run.duration_ms)],
    ["runner", run.runner_name || "none"], ["model", run.model], ["agents", count(agents)],
    ["steps", count(model.steps.length)], ["tokens", tokens(usage)], ["cost", money(usage)]];
  return el("dl", { class: "summary" }, items.filter(([, value]) => value && value !== "–").map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, String(value)))));
}

function filterBar(model, tree) {
  const shown = el("span", { class: "quiet", role: "status" });
  let only = "all", words = "";
  const wanted = { all: () => true, failed: (step) => failedStates.has(step.status),
    agents: (step) => step.kind === "agent", "critical path": (step) => step.critical === true };
  function apply() {
    const isPlain = only === "all" && !words;
    const matches = (step) => wanted[only](step) && step.key.toLowerCase().includes(words);
    const number = tree.filter(isPlain ? null : matches);
    shown.textContent = isPlain ? "" : `${count(number)} of ${counted(model.steps.length, "step")}`;
  }
  const buttons = Object.keys(wanted).map((name) => el("button", { type: "button",
    "aria-pressed": name === only, on: { click(event) {
      only = name;
      for (const button of buttons) button.setAttribute("aria-pressed", button === event.currentTarget);
      apply();
    } } }, name));
  const search = el("input", { type: "search", placeholder: "find a step", "aria-label": "find a step", on: {
    input(event) {
      words = event.target.value.toLowerCase();
      apply();
    } } });
  return el("div", { class: "bar-of-filters" }, search, el("div", { class: "group" }, buttons), shown);
}

function show(files) {
  const source = jsonOf(files, "moonlet-record.json") || { left: [] };
  const journal = checkJournal(files.get("steps.jsonl") || new Uint8Array(0));
  const model = readRun(files, journal);
  const { run } = model;
  const altered = checkFiles(files, journal, run);
  const left = source.left || [];
  const pane = el("aside", { class: "pane", "aria-label": "details", tabindex: -1 });
  function choose(step, isAsked) {
    pane.replaceChildren(el("button", { type: "button", class: "whole", on: { click: () => choose(null) },
      hidden: !step }, "← the whole run"), step ? stepView(step, model, files, left) : runView(model, files, source));
    pane.scrollTop = 0;
    if (step && isAsked && matchMedia("(max-width: 900px)").matches) pane.scrollIntoView({ block: "start" });
  }
  const tree = treeView(model, scaleOf(model), (step) => { if (step) choose(step, true); });
  document.title = `${run.id || "run"} ${run.preset || ""} ${run.verdict || ""}`;
  const title = run.options && run.options.title;
  const leftBytes = left.reduce((sum, file) => sum + (file.bytes || 0), 0);
  document.getElementById("page").replaceChildren(
    el("header", {},
      el("div", { class: "title" },
        el("h1", {}, String(run.id ?? "run"), " ", el("span", {}, String(run.preset ?? ""))),
        badge(run.verdict), title ? el("span", { class: "quiet" }, String(title)) : null),
      summary(model), integrity(journal, altered, source)),
    el("main", {},
      el("section", { class: "steps", "aria-label": "steps" }, filterBar(model, tree), tree.element), pane),
    el("footer", {}, left.length ? `${counted(left.length, "file")} of ${bytes(leftBytes)} left out: ` +
      "“The whole run” has sizes and hashes. " : "",
    "◆ marks the critical path. Arrow keys move through the steps."));
  choose(null);
}

async function main() {
  try {
    show(await unpack(document.getElementById("record").textContent));
  } catch (error) {
    document.getElementById("page").replaceChildren(el("p", { class: "integrity bad", id: "integrity", role: "alert",
      "data-state": "unreadable" }, `✕ The record in this page cannot be read: ${error.message}`));
  }
  document.documentElement.dataset.ready = "";
}

main();
