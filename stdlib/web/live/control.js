// Mission Control lists what waits for the user, live runs, ready packets, past runs, and usage.

import { el, count, counted, duration, money } from "../format.js";
import { nameOf } from "../model.js";
import { look } from "./api.js";
import { gather, itemView } from "./inbox.js";
import { on } from "./stream.js";
import { patchNode, show } from "./patch.js";
import { ago, button, link, linkOf, meter, section, stateOf, took } from "./parts.js";

const pageSize = 50, mostReloaded = 1000, rest = 150, sessionsEvery = 5000;
const statuses = ["", "ok", "degraded", "failed", "blocked", "needs-human", "quota", "budget", "findings", "cancelled",
  "interrupted", "running", "prepared"];
const groups = ["day", "model", "preset", "runner", "change"];

/** The data of the view. It is kept while other views are open, so that a return needs no request. */
const known = { items: [], failure: null, runs: [], isMore: false, status: "", words: "", queue: [], sessions: [],
  usage: [], changes: null, by: "day", live: [] };
let repos = [], container = null, pending = null, isStale = false;

export const waiting = () => known.items.length;

function elapsed(from, now) { return duration(Math.max(0, now - from)); }

function stepRow(step, now) {
  return el("li", { "data-key": step.key }, el("span", { class: "sign accent", "aria-hidden": true }, "●"),
    el("span", { class: "label" }, nameOf(step.key)), el("span", { class: "quiet" }, step.runner || step.kind),
    step.on ? el("span", { class: "quiet" }, `on ${step.on}`) : null,
    step.attempts > 1 ? el("span", { class: "quiet" }, `attempt ${step.attempts}`) : null,
    step.doing ? el("span", { class: "quiet doing" }, step.doing) : null,
    el("span", { class: "numbers" }, step.tokens ? `${count(step.tokens)} tokens · ` : "", elapsed(step.started_ms, now),
      step.limit_ms ? ` of ${duration(step.limit_ms)}` : ""));
}

function phaseRow(phase, now) {
  const { counts } = phase;
  const begun = Object.values(counts).reduce((sum, number) => sum + number, 0);
  if (!begun && !phase.planned) return null;
  const words = Object.entries(counts).map(([state, number]) => `${count(number)} ${state}`);
  const left = phase.planned - begun;
  if (left > 0) words.push(`${count(left)} to come`);
  const hidden = (counts.running || 0) - phase.running.length;
  return el("li", { "data-key": phase.name }, el("span", { class: "label phase" }, phase.name || "steps"), " ",
    el("span", { class: "quiet" }, words.join(" · ")),
    phase.running.length ? el("ul", {}, phase.running.map((step) => stepRow(step, now)),
      hidden > 0 ? el("li", { class: "quiet" }, `and ${count(hidden)} more`) : null) : null);
}

function budgets(run) {
  const { left } = run, spent = { tokens: run.tokens, usd: run.usd, agents: run.agents };
  const parts = ["tokens", "usd", "agents"].filter((kind) => typeof left[kind] === "number").map((kind) =>
    meter(kind, spent[kind], left[kind], kind === "usd" ? (n) => `$${n.toFixed(2)}` : count));
  if (!("tokens" in left) && run.tokens) parts.push(el("span", { class: "spent" }, `${count(run.tokens)} tokens`));
  if (!("usd" in left) && run.usd) {
    parts.push(el("span", { class: "spent" }, money({ cost_usd: run.usd, cost_is: run.is_estimate ? "estimate" : "" })));
  }
  return parts;
}

function liveView(run, now) {
  const slash = run.id.indexOf("/"), repo = Number(run.id.slice(0, slash)), id = run.id.slice(slash + 1);
  const isReadOnly = repos[repo] && repos[repo].read_only;
  return el("li", { class: "live-run", "data-key": run.id },
    el("p", { class: "who" }, link(linkOf(repo, id), id), " ", el("b", {}, run.preset), " ", stateOf(run.state), " ",
      el("span", { class: "quiet" }, run.runner, " · ", run.started_ms ? elapsed(run.started_ms, now) : "starts"),
      isReadOnly ? null : button("Cancel", "cancel", { repo, run: id }, { class: "small" })),
    el("div", { class: "spend" }, budgets(run)),
    el("ul", { class: "live-tree" }, run.phases.map((phase) => phaseRow(phase, now)).filter(Boolean)));
}

function liveSection(now) {
  const running = known.live.filter((run) => run.state === "running");
  return section("running", "Running", running.length, running.length ?
    el("ul", { class: "plain" }, running.map((run) => liveView(run, now))) :
    el("p", { class: "quiet" }, "Nothing runs."));
}

function inboxSection() {
  const none = known.failure ? el("p", { class: "error" }, known.failure) :
    el("p", { class: "quiet" }, "Nothing waits for you.");
  return section("inbox", "Needs you", known.items.length, known.items.length ?
    el("ul", { class: "plain" }, known.items.map((item) => itemView(item, repos[item.repo].read_only))) : none);
}

function matches(run) {
  return !known.words || [run.id, run.preset, run.title, run.task_id, run.runner].some((text) =>
    String(text ?? "").toLowerCase().includes(known.words));
}

function runRow(run, now) {
  return el("tr", { "data-key": `${run.repo}-${run.id}` }, el("td", {}, link(linkOf(run.repo, run.id), run.id)),
    el("td", { class: "quiet" }, ago(Date.parse(run.started_at), now)),
    el("td", { class: "what" }, String(run.title ?? run.preset), run.title ? el("span", { class: "quiet" },
      ` ${run.preset}`) : null),
    el("td", {}, stateOf(run.state)), el("td", { class: "quiet wide" }, run.runner ?? "–"),
    el("td", { class: "numbers" }, took(run.duration_ms)));
}

function runsSection(now) {
  const shown = known.runs.filter(matches);
  return section("runs", "Runs", null,
    el("div", { class: "bar-of-filters" },
      el("input", { type: "search", placeholder: "find a run", "aria-label": "find a run", "data-input": "words" }),
      el("select", { "aria-label": "result", "data-input": "status" }, statuses.map((status) =>
        el("option", { value: status }, status || "any result")))),
    shown.length ? el("div", { class: "table", tabindex: 0, role: "region", "aria-label": "runs" }, el("table", {},
      el("thead", {}, el("tr", {}, ["run", "when", "what", "outcome", "runner", "took"].map((head) =>
        el("th", { scope: "col", class: { runner: "wide", took: "numbers" }[head] }, head)))),
      el("tbody", {}, shown.map((run) => runRow(run, now))))) : el("p", { class: "quiet" }, "No run matches."),
    known.isMore ? button("Older runs", "older") : null);
}

function queueSection() {
  return section("queue", "Ready", known.queue.length, known.queue.length ?
    el("ul", { class: "plain" }, known.queue.map((task) => el("li", { class: "row-of", "data-key": `${task.repo}-${task.task}` },
      el("span", {}, el("b", {}, task.task), " ", String(task.title ?? "")),
      task.waits_for.length ? el("span", { class: "quiet" }, `waits for ${task.waits_for.join(", ")}`) :
        repos[task.repo].read_only ? null : button("Start", "start", { repo: task.repo, task: task.task }, { class: "small" })))) :
    el("p", { class: "quiet" }, "No task is ready."));
}

function sessionsSection() {
  return section("sessions", "Sessions", known.sessions.length, known.sessions.length ?
    el("ul", { class: "plain" }, known.sessions.map((session) => el("li", { class: "row-of",
      "data-key": `${session.repo}-${session.id}` },
    el("span", {}, link(`#/${session.repo}/${session.id}`, session.id), " ", String(session.name ?? session.command ?? "")),
    stateOf(session.state)))) : el("p", { class: "quiet" }, "No session runs."));
}

function usageSection() {
  const known_ = known.usage, cost = (row) => (row.cost_usd === null ? "–" : `$${row.cost_usd.toFixed(2)}`);
  const { changes } = known;
  return section("usage", "Usage", null,
    el("div", { class: "group", role: "group", "aria-label": "usage by" }, groups.map((by) =>
      button(by, "usage-by", { by }, { "aria-pressed": by === known.by }))),
    changes && known.by === "change" ? el("p", {}, `A merged change costs ${changes.per_merged_usd === null ? "an unknown amount" :
      `$${changes.per_merged_usd.toFixed(2)}`} (${count(changes.merged)} of ${count(changes.dispatched)} merged).`) : null,
    known_.length ? el("div", { class: "table", tabindex: 0, role: "region", "aria-label": "usage" }, el("table", {},
      el("thead", {}, el("tr", {}, [known.by, "tokens", "cost"].map((head, i) =>
        el("th", { scope: "col", class: i ? "numbers" : null }, head)))),
      el("tbody", {}, known_.slice(0, 30).map((row) => el("tr", {}, el("td", {}, String(row.group ?? "–")),
        el("td", { class: "numbers" }, count(row.total_tokens)), el("td", { class: "numbers" }, cost(row))))))) :
      el("p", { class: "quiet" }, "Nothing was used yet."));
}

function draw() {
  if (!container) return;
  const now = Date.now();
  show(container, el("div", { class: "column", "data-key": "first" }, inboxSection(), liveSection(now), runsSection(now)),
    el("div", { class: "column side", "data-key": "second" }, queueSection(), sessionsSection(), usageSection()));
}

/** Draws only the live runs, which change many times a second. */
function drawLive() {
  const old = container && container.querySelector('[data-key="running"]');
  if (old) patchNode(old, liveSection(Date.now()));
}

async function loadRuns(isMore) {
  const lists = await Promise.all(repos.map((_, repo) => {
    const last = isMore ? known.runs.filter((run) => run.repo === repo).pop() : null;
    const shown = known.runs.filter((run) => run.repo === repo).length;
    const limit = isMore ? pageSize : Math.min(mostReloaded, Math.max(pageSize, shown));
    return look("runs", { repo, limit, status: known.status, before: last ? last.id : "" });
  }));
  const runs = lists.flatMap(({ result }, repo) => result.runs.map((run) => ({ ...run, repo })));
  runs.sort((a, b) => String(b.started_at).localeCompare(String(a.started_at)));
  known.isMore = lists.some(({ result }) => result.runs.length > 0 && result.runs.length % pageSize === 0);
  known.runs = isMore ? [...known.runs, ...runs] : runs;
}

async function loadUsage() {
  const lists = await Promise.all(repos.map((_, repo) => look("usage", { repo, by: known.by })));
  known.usage = lists.flatMap(({ result }) => result.rows).reverse();
  known.changes = lists[0] ? lists[0].result.changes : null;
}

async function loadSessions() {
  const lists = await Promise.all(repos.map((_, repo) => look("sessions", { repo })));
  known.sessions = lists.flatMap(({ result }, repo) => result.sessions.map((session) => ({ ...session, repo })));
}

async function loadQueue() {
  const lists = await Promise.all(repos.map((_, repo) => look("queue", { repo })));
  known.queue = lists.flatMap(({ result }, repo) => result.queue.map((task) => ({ ...task, repo })));
}

async function load() {
  const inbox = gather(repos);
  await Promise.allSettled([loadRuns(), loadUsage(), loadSessions(), loadQueue()]);
  const { items, failure } = await inbox;
  known.items = items;
  known.failure = failure;
  dispatchEvent(new Event("moonlet-inbox"));
  draw();
}

/** Schedules a reload. Many changes in a row cause one reload. */
export function refresh() {
  isStale = true;
  if (pending) return;
  pending = setTimeout(async () => {
    isStale = false;
    await load().catch(() => {});
    pending = null;
    if (isStale) refresh();
  }, rest);
}

export const acts = {
  older: () => loadRuns(true).then(draw),
  "usage-by": async ({ by }) => {
    known.by = by;
    await loadUsage();
    draw();
  },
};

export const inputs = {
  words(value) {
    known.words = value.toLowerCase();
    draw();
  },
  async status(value) {
    known.status = value;
    known.runs = [];
    await loadRuns();
    draw();
  },
};

/** Sets the view up. Called once per page. */
export function begin(about) {
  repos = about;
  on("overview", (overview) => {
    known.live = overview.live.map((id) => overview.runs.get(id)).filter(Boolean);
    drawLive();
  });
  on("changed", refresh);
  setInterval(() => {
    if (container && !document.hidden && known.live.some((run) => run.state === "running")) drawLive();
  }, 1000);
  setInterval(() => {
    if (!document.hidden && known.sessions.length) loadSessions().then(draw, () => {});
  }, sessionsEvery);
  refresh();
}

export function enter(place) {
  container = place;
  container.className = "control";
  draw();
  return () => { container = null; };
}
