// Builds the model of a run from the files of its record: phases, steps, and their times.

import { jsonOf, textOf } from "./archive.js";

function eventsOf(files) {
  const events = [];
  for (const line of textOf(files, "sidecar/events.jsonl").split("\n")) {
    if (!line) continue;
    try {
      events.push(JSON.parse(line));
    } catch {
      // A killed host may leave an incomplete line.
    }
  }
  return events;
}

/** Returns the key of a step with its names unescaped. */
export function nameOf(key) {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

function closeStep(step, data, at) {
  step.to = Math.max(at, step.from);
  step.status = data.status || "ok";
  step.exitCode = data.exit_code ?? null;
  step.error = data.error ?? null;
  step.attempts = data.attempts ?? step.attempts;
  step.usage = data.usage ?? step.usage;
  step.runner = data.runner ?? step.runner;
}

/** Applies an event to the model. A step that was repeated after a kill has several spans. */
export function applyEvent(model, event) {
  const at = Date.parse(event.ts), data = event.data || {}, { open } = model;
  if (isNaN(at)) return;
  model.from = Math.min(model.from, at);
  model.to = Math.max(model.to, at);
  if (event.type === "phase") {
    if (model.phases.length) model.phases[model.phases.length - 1].to = at;
    model.phases.push({ name: String(data.name), from: at, to: at });
  } else if (event.type === "run.resumed") {
    for (const step of open.values()) {
      step.to = step.seen;
      step.status = "cut off";
    }
    open.clear();
    model.resumes.push(at);
  } else if (event.type === "step.started") {
    const step = { key: event.step, kind: data.kind || "step", runner: data.runner || null,
      status: model.openStatus, from: at, to: at, seen: at, phase: model.phases.length - 1, messages: [],
      error: null, usage: null, attempts: null, generation: model.resumes.length };
    model.steps.push(step);
    open.set(event.step, step);
    if (model.known) model.known.add(event.step);
  } else if (model.known && event.type === "step.finished" && !model.known.has(event.step)) {
    // A replayed step has an end event but no start event.
    const step = { key: event.step, kind: data.kind || "step", from: at, phase: model.phases.length - 1, messages: [],
      cached: true, attempts: null, generation: model.resumes.length };
    closeStep(step, data, at);
    model.steps.push(step);
    model.known.add(event.step);
  } else if (event.type === "warning" && data.text) {
    model.warnings.push(data.text);
  } else if (open.has(event.step)) {
    const step = open.get(event.step);
    step.seen = at;
    if (event.type === "step.finished") {
      closeStep(step, data, at);
      open.delete(event.step);
    } else if (event.type === "agent.message" || event.type === "agent.tool" || event.type === "step.retried") {
      step.messages.push({ at, type: event.type, data });
    }
  }
}

function readTimes(model, events) {
  for (const event of events) applyEvent(model, event);
  if (model.phases.length) model.phases[model.phases.length - 1].to = model.to;
}

/** Adds the data of run.json and of the step folders to the steps. */
function addDetails(model, files) {
  const byKey = new Map();
  for (const step of model.steps) byKey.set(step.key, step);
  for (const entry of Array.isArray(model.run.steps) ? model.run.steps : []) {
    let step = byKey.get(entry.key);
    if (!step) {
      // A replayed step took no time.
      step = { key: entry.key, kind: entry.kind, from: model.from, to: model.from, phase: -1, messages: [] };
      model.steps.push(step);
      byKey.set(entry.key, step);
    }
    step.status = entry.status;
    step.runner = entry.runner || step.runner;
    step.on = entry.on || step.on;
    step.queued = entry.queue_ms ?? null;
    step.usage = entry.usage || step.usage;
    step.cached = entry.cached === true;
    step.took = step.cached ? null : entry.duration_ms;
    step.error = (entry.error && entry.error.message) || step.error;
  }
  for (const name of files.keys()) {
    const folder = /^(sidecar\/(?:steps\/[^/]+\/)?)model\.json$/.exec(name);
    const about = folder && jsonOf(files, name);
    const step = about && byKey.get(about.step);
    if (!step) continue;
    step.folder = folder[1];
    step.about = about;
  }
}

/** Marks the critical path: backwards from the end, each step that was the last to finish. */
export function markCriticalPath(model) {
  for (const step of model.steps) step.critical = false;
  const byEnd = model.steps.filter((step) => step.to > step.from).sort((a, b) => b.to - a.to);
  let before = Infinity;
  for (const step of byEnd) {
    if (step.to > before) continue;
    step.critical = true;
    before = step.from;
  }
}

/** Builds the model of a run from the files of its record and the checked journal. */
export function readRun(files, journal) {
  const run = jsonOf(files, "run.json") || {};
  const from = Date.parse(run.started_at) || 0;
  const model = { run, from: from || Infinity, to: Date.parse(run.ended_at) || from, phases: [], steps: [], resumes: [],
    warnings: [], findings: [], records: new Map(), open: new Map(), openStatus: "cut off" };
  readTimes(model, eventsOf(files));
  if (!isFinite(model.from)) model.from = 0;
  model.to = Math.max(model.to, model.from + 1);
  addDetails(model, files);
  markCriticalPath(model);
  const findings = jsonOf(files, "sidecar/findings.json");
  model.findings = ["findings", "unverified"].flatMap((name) => (findings && Array.isArray(findings[name]) ?
    findings[name] : []));
  journal.bodies.forEach((body, i) => {
    if (typeof body.key !== "string") return;
    const list = model.records.get(body.key) || [];
    list.push({ line: i + 1, body });
    model.records.set(body.key, list);
  });
  return model;
}

/** Builds a model from the server's table of steps. Later events are applied to it. */
export function readTable(table, isLive) {
  const { from } = table;
  const model = { run: {}, from: from || Infinity, to: table.to || from, phases: [], steps: [], resumes: table.resumes,
    warnings: table.warnings, findings: [], records: new Map(), open: new Map(),
    openStatus: isLive ? "running" : "cut off", known: new Set(table.steps.map(([key]) => key)) };
  table.phases.forEach(([name, at], i) => model.phases.push({ name, from: at,
    to: i + 1 < table.phases.length ? table.phases[i + 1][1] : table.to }));
  for (const [key, kind, runner, status, begin, end, phase, generation, isOpen, cached, attempts, exitCode, tokens, usd,
    isEstimate, error] of table.steps) {
    const step = { key, kind, runner: runner || null, status: status || (isOpen ? model.openStatus : "cut off"),
      from: from + begin, to: from + end, seen: from + end, phase, generation, cached: cached === 1, attempts,
      exitCode, error, messages: [], usage: tokens === null && usd === null ? null :
        { total_tokens: tokens, cost_usd: usd, cost_is: isEstimate ? "estimate" : "reported" } };
    model.steps.push(step);
    if (isOpen) model.open.set(key, step);
  }
  return model;
}

/** Maps times to a scale from 0 to 1 that shortens long idle gaps between steps. */
export function scaleOf(model) {
  const spans = model.steps.filter((step) => step.to > step.from).map((step) => [step.from, step.to])
    .sort((a, b) => a[0] - b[0]);
  const least = Math.max(1000, (model.to - model.from) / 25);
  const idle = [];
  let busyTo = model.from;
  for (const [from, to] of [...spans, [model.to, model.to]]) {
    if (from - busyTo > least) idle.push({ from: busyTo, to: from });
    busyTo = Math.max(busyTo, to);
  }
  const idleTime = idle.reduce((sum, gap) => sum + gap.to - gap.from, 0);
  const share = 0.03, busy = Math.max(model.to - model.from - idleTime, 1);
  const perMs = (1 - share * Math.min(idle.length, 10)) / busy;
  const shareOfGap = idle.length ? (share * Math.min(idle.length, 10)) / idle.length : 0;
  function at(time) {
    let x = (Math.min(time, model.to) - model.from) * perMs;
    for (const gap of idle) {
      if (time <= gap.from) break;
      const inside = Math.min(time, gap.to) - gap.from;
      x += (inside / (gap.to - gap.from)) * shareOfGap - inside * perMs;
    }
    return Math.min(Math.max(x, 0), 1);
  }
  return { at, idle };
}
