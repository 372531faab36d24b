// The page of a run: its steps as a list, timeline or events, and the details of one step. It updates
// while the run is live.

import { el, badge, bytes, count, counted, duration, money, moment } from "../format.js";
import { readTable, applyEvent, markCriticalPath, scaleOf } from "../model.js";
import { treeView } from "../tree.js";
import { stepView, runView } from "../detail.js";
import { get, look, file } from "./api.js";
import { eventsView } from "./events.js";
import { itemView } from "./inbox.js";
import { show } from "./patch.js";
import { follow, on } from "./stream.js";
import { button, link, linkOf } from "./parts.js";

const failedStates = new Set(["failed", "cut off", "blocked", "timeout", "cancelled"]);
const shownFiles = ["output.md", "prompt.md", "findings.json", "changes.patch", "held-back.patch", "model.json"];
const mostOfFile = 300000, logPart = 65536;
const utf8 = new TextDecoder("utf-8");

async function readFiles(repo, run, folder, prefix, names) {
  const files = new Map();
  await Promise.all(names.map(async (name) => {
    const part = await file(repo, run, folder ? `${folder}/${name}` : name, 0, mostOfFile);
    if (part) files.set(prefix + name, part.bytes);
  }));
  return files;
}

/** Shows a file from its start. A large file is loaded in parts. */
function logView(repo, run, path, label) {
  const text = el("pre", { tabindex: 0, role: "region", "aria-label": label });
  const more = el("button", { type: "button" }, "more");
  const place = el("span", { class: "quiet" });
  let at = 0;
  const decoder = new TextDecoder("utf-8");
  async function read() {
    const part = await file(repo, run, path, at, logPart);
    if (!part) return;
    at += part.bytes.length;
    text.append(decoder.decode(part.bytes, { stream: true }));
    place.textContent = ` ${bytes(at)} of ${bytes(part.size)}`;
    more.hidden = at >= part.size;
  }
  more.addEventListener("click", read);
  const view = el("details", {}, el("summary", {}, label, place), text, more);
  view.addEventListener("toggle", () => { if (view.open && at === 0) read(); });
  return view;
}

/** Shows the details of a step from its folder and the journal. */
async function stepDetails(repo, run, step, model) {
  const [about, events] = await Promise.all([get("step", { repo, run, key: step.key }),
    get("events", { repo, run, step: step.key, types: "agent.message,agent.tool,step.retried", limit: 500 })]);
  const folder = about.folder, prefix = "sidecar/" + (folder ? folder + "/" : "");
  const names = about.files.map(({ name }) => name);
  const files = folder === null ? new Map() :
    await readFiles(repo, run, folder, prefix, shownFiles.filter((name) => names.includes(name)));
  if (folder !== null) {
    step.folder = prefix;
    try {
      step.about = JSON.parse(utf8.decode(files.get(prefix + "model.json")));
    } catch {
      // An unfinished step has no model.json yet.
    }
  }
  step.messages = events.events.map((event) => ({ at: Date.parse(event.ts), type: event.type, data: event.data || {} }));
  model.records.set(step.key, about.records || []);
  const view = stepView(step, model, files, []);
  const at = (name) => (folder ? `${folder}/${name}` : name);
  const logs = about.files.filter(({ name, folder: isFolder, size }) => !isFolder && size &&
    !shownFiles.includes(name) && !/^(decision\.md|events\.jsonl)$/.test(name));
  if (folder !== null && logs.length) {
    view.append(el("section", {}, el("h3", {}, "Files and logs"),
      logs.map(({ name }) => logView(repo, run, at(name), name))));
  }
  return view;
}

function tokensOf(usage) {
  if (!usage) return null;
  const sum = usage.total_tokens ?? (usage.input_tokens ?? 0) + (usage.output_tokens ?? 0);
  return sum ? count(sum) : null;
}

function facts(pairs) {
  return el("dl", { class: "summary" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" &&
    value !== "–").map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/** Links the run to its parent and its replays. */
function lineage(repo, about) {
  const parts = [];
  if (about.parent_run_id) {
    parts.push(el("span", {}, "replay of ", link(linkOf(repo, about.parent_run_id), about.parent_run_id),
      about.replay_reason ? el("span", { class: "quiet" }, `: ${about.replay_reason}`) : null, " · ",
      link(linkOf(repo, about.id, `/diff/${about.parent_run_id}`), "compare with it")));
  }
  if ((about.replayed_as || []).length) {
    parts.push(el("span", {}, "replayed as ", about.replayed_as.map((id, i) => [i ? ", " : "", link(linkOf(repo, id), id)])));
  }
  return parts.length ? el("p", { class: "lineage" }, parts) : null;
}

function actionsOf(repo, about, state) {
  const values = { repo, run: about.id };
  if (state === "running") return [button("Cancel", "cancel", values)];
  const list = [button("Replay…", "replay", { ...values, runner: about.runner ?? "" })];
  if (["interrupted", "quota", "degraded", "failed", "cancelled", "budget"].includes(state)) {
    list.unshift(button("Resume", "resume", values));
  }
  if (about.review && about.review.state !== "none") {
    list.push(link(linkOf(repo, about.id, "/review"), about.review.state === "pending" ? "Review" : "See the review",
      { class: "button" }));
  }
  if (!["running", "interrupted", "prepared"].includes(state)) list.push(button("Decide…", "decide", values));
  return list;
}

/** Makes the bar that filters the steps. */
function filterBar(view) {
  const wanted = { all: () => true, failed: (step) => failedStates.has(step.status),
    agents: (step) => step.kind === "agent", retried: (step) => step.attempts > 1,
    "critical path": (step) => step.critical === true };
  const state = { only: "all", words: "", generation: "" };
  const shown = el("span", { class: "quiet", role: "status" });
  const attempt = el("select", { "aria-label": "attempt of the run", "data-own": "" });
  state.apply = () => {
    const isPlain = state.only === "all" && !state.words && state.generation === "";
    const number = view.tree.filter(isPlain ? null : (step) => wanted[state.only](step) &&
      (state.generation === "" || step.generation === Number(state.generation)) &&
      step.key.toLowerCase().includes(state.words));
    shown.textContent = isPlain ? "" : `${count(number)} of ${counted(view.model.steps.length, "step")}`;
  };
  state.update = () => {
    const many = view.model.resumes.length + 1;
    attempt.hidden = many < 2;
    if (attempt.children.length === many + 1) return;
    attempt.replaceChildren(el("option", { value: "" }, "all attempts"), ...Array.from({ length: many }, (_, i) =>
      el("option", { value: String(i) }, i ? `after resume ${i}` : "first attempt")));
    attempt.value = state.generation;
  };
  attempt.addEventListener("change", () => {
    state.generation = attempt.value;
    state.apply();
  });
  const buttons = Object.keys(wanted).map((name) => el("button", { type: "button", "aria-pressed": name === "all",
    on: { click(event) {
      state.only = name;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === event.currentTarget));
      state.apply();
    } } }, name));
  const search = el("input", { type: "search", placeholder: "find a step", "aria-label": "find a step", on: {
    input(event) {
      state.words = event.target.value.toLowerCase();
      state.apply();
    } } });
  state.element = el("div", { class: "bar-of-filters" }, search, el("div", { class: "group" }, buttons), attempt, shown);
  return state;
}

class RunPage {
  constructor(repo, run, about) {
    Object.assign(this, { repo, run, isReadOnly: about.read_only, way: "timeline", ends: [], step: null, token: 0,
      loads: 0 });
  }

  async open(head, main) {
    this.head = head;
    this.main = main;
    const id = `${this.repo}/${this.run}`;
    const table = await get("steps", { repo: this.repo, run: this.run });
    this.overview = null;
    this.model = readTable(table, true);
    this.draw();
    this.ends.push(on("event", (message) => { if (message.id === id) this.take(message.event); }),
      on("overview", (overview) => this.takeOverview(overview.runs.get(id))), follow(id, table.number));
    const timer = setInterval(() => { if (this.isRunning() && !document.hidden) this.redraw(); }, 1000);
    this.ends.push(() => clearInterval(timer));
    await this.load();
  }

  close() {
    for (const end of this.ends) end();
    this.ends = [];
  }

  isRunning() { return Boolean(this.overview && this.overview.state === "running"); }

  state() {
    if (this.overview) return this.overview.state === "parked" ? this.overview.verdict : this.overview.state;
    return (this.about && (this.about.verdict || this.about.status)) || "running";
  }

  take(event) {
    applyEvent(this.model, event);
    if (this.events) this.events.add(event);
    if (event.type === "run.finished" || event.type === "run.resumed" || event.type === "review") this.load();
    this.redraw();
  }

  takeOverview(run) {
    const before = this.state();
    this.overview = run || null;
    if (this.state() !== before && this.about) this.load();
    this.drawHead();
  }

  /** Loads run.json. That is slow for a run of many steps, so the page is shown first. */
  async load() {
    const mine = ++this.loads;
    const { run, result } = await look("run", { repo: this.repo, run: this.run });
    // The answer to an outdated request may arrive last. Ignore it.
    if (mine !== this.loads) return;
    const { record } = result;
    this.about = run;
    this.result = result;
    this.model.run = { ...record, id: run.id, verdict: record.verdict ?? this.state(), runner_name: run.runner,
      validation: run.validation, files_changed: run.files_changed, answers: record.answers || [] };
    if (!this.overview && !this.isRunning()) {
      for (const step of this.model.open.values()) step.status = "cut off";
    }
    this.drawHead();
    this.redraw();
    if (!this.step) this.choose(null);
  }

  drawHead() {
    const { about, model } = this, state = this.state();
    const usage = (about && about.usage) || {}, live = this.overview;
    show(this.head, el("div", { class: "title" },
      el("h1", {}, this.run, " ", el("span", {}, String((about && about.preset) ?? (live && live.preset) ?? ""))), badge(state),
      this.result && this.result.record.options && this.result.record.options.title ?
        el("span", { class: "quiet" }, String(this.result.record.options.title)) : null,
      el("span", { class: "acts" }, this.isReadOnly || !about ? null : actionsOf(this.repo, about, state))),
    facts([["started", moment(model.from)], ["took", duration((this.isRunning() ? Date.now() : model.to) - model.from)],
      ["runner", about && about.runner], ["model", about && about.model], ["steps", count(model.steps.length)],
      ["tokens", live && live.tokens ? count(live.tokens) : tokensOf(usage)],
      ["cost", live && live.usd ? money({ cost_usd: live.usd, cost_is: live.is_estimate ? "estimate" : "" }) : money(usage)],
      ["head", this.result && el("code", { class: "hash" }, this.result.head)]]),
    about ? lineage(this.repo, about) : null,
    this.points().length ? el("ul", { class: "plain points" }, this.points().map((item) =>
      itemView(item, this.isReadOnly, true))) : null);
    document.title = document.title.replace(/^(\(\d+\) )?.*/, (_, n) => `${n || ""}${this.run} ${state}`);
  }

  /** Returns the questions and gates that the run waits for. */
  points() {
    if (!this.result || this.isRunning() || this.state() !== "needs-human") return [];
    return (this.result.parked || []).map((point) => ({ ...point, repo: this.repo, run: this.about }));
  }

  redraw() {
    if (this.isQueued) return;
    this.isQueued = true;
    const isLarge = this.model.steps.length > 2000;
    const later = isLarge ? (fn) => setTimeout(fn, 400) : requestAnimationFrame;
    later(() => {
      this.isQueued = false;
      if (!this.tree) return;
      this.prepare();
      this.tree.update(scaleOf(this.model));
      this.filter.update();
      this.tree.element.dataset.number = this.model.steps.length;
    });
  }

  /** Extends the bars of running steps to the present time. */
  prepare() {
    const { model } = this, now = Date.now();
    if (this.isRunning()) {
      model.to = Math.max(model.to, now);
      for (const step of model.open.values()) step.to = now;
    }
    markCriticalPath(model);
  }

  draw() {
    this.prepare();
    this.tree = treeView(this.model, scaleOf(this.model), (step) => { if (step) this.choose(step, true); });
    this.filter = filterBar(this);
    this.filter.update();
    this.events = null;
    this.pane = el("aside", { class: "pane", "aria-label": "details", tabindex: -1 });
    const body = el("div", { class: "way" }, this.tree.element);
    const ways = ["list", "timeline", "events"].map((way) => el("button", { type: "button", "aria-pressed": way === this.way,
      on: { click: (event) => {
        for (const other of ways) other.setAttribute("aria-pressed", String(other === event.currentTarget));
        this.setWay(way, body);
      } } }, way));
    this.main.replaceChildren(el("section", { class: "steps", "aria-label": "steps" },
      el("div", { class: "ways" }, el("div", { class: "group", role: "group", "aria-label": "view" }, ways)),
      this.filter.element, body), this.pane);
    this.main.className = "run";
    this.drawHead();
  }

  setWay(way, body) {
    this.way = way;
    this.filter.element.hidden = way === "events";
    this.events = way === "events" ? eventsView(this.repo, this.run) : null;
    body.replaceChildren(this.events ? this.events.element : this.tree.element);
    this.tree.element.classList.toggle("compact", way === "list");
    this.redraw();
  }

  async choose(step, isAsked) {
    this.step = step;
    const mine = ++this.token;
    const view = step ? await stepDetails(this.repo, this.run, step, this.model) : await this.wholeRun();
    if (mine !== this.token) return;
    this.pane.replaceChildren(el("button", { type: "button", class: "whole", hidden: !step,
      on: { click: () => this.choose(null) } }, "← the whole run"), view);
    this.pane.scrollTop = 0;
    this.pane.dataset.step = step ? step.key : "";
    if (step && isAsked && matchMedia("(max-width: 900px)").matches) this.pane.scrollIntoView({ block: "start" });
  }

  async wholeRun() {
    if (!this.about) return el("p", { class: "quiet" }, "reading the record …");
    const { files: names } = await get("files", { repo: this.repo, run: this.run });
    const files = await readFiles(this.repo, this.run, "", "sidecar/", ["findings.md", "findings.json", "output.md",
      "input-manifest.md", "changes.patch", "decision.md"].filter((name) => names.some((entry) => entry.name === name)));
    try {
      const found = JSON.parse(utf8.decode(files.get("sidecar/findings.json")));
      this.model.findings = ["findings", "unverified"].flatMap((name) => (Array.isArray(found[name]) ? found[name] : []));
    } catch {
      this.model.findings = [];
    }
    const view = runView(this.model, files, { moonlet: "", left: [] });
    const known = names.filter(({ folder, size }) => !folder && size);
    view.append(el("section", {}, el("h3", {}, "Artifacts"), known.map(({ name }) =>
      logView(this.repo, this.run, name, name))));
    return view;
  }
}

/** Shows a run. Returns a function that closes it. */
export function enter(head, main, { repo, run }, about) {
  const page = new RunPage(repo, run, about);
  page.open(head, main).catch((error) => {
    main.className = "plain";
    main.replaceChildren(el("p", { class: "error" }, error.message, error.hint ? ` ${error.hint}` : ""));
  });
  return () => page.close();
}

