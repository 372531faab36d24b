// The inbox lists questions, gates, reviews, sessions, interrupted runs and quotas, most urgent first.
// Each entry comes from the command that lists its kind.

import { el, counted } from "../format.js";
import { look } from "./api.js";
import { link, linkOf, button, lines, ago } from "./parts.js";

const mostAsked = 30;
const order = ["question", "gate", "review", "session", "interrupted", "look", "quota"];
const waitingSessions = { "waiting-for-input": "waits for input", hung: "hangs", suspect: "may hang",
  looping: "repeats itself in a loop", lost: "was lost" };

async function pointsOf(repo, run) {
  const { result, run: about } = await look("run", { repo, run: run.id });
  const points = (result && result.parked) || [];
  if (run.state === "quota") {
    return [{ kind: "quota", text: (about.error && about.error.message) || "a provider refuses for a while", run }];
  }
  if (!points.length) return [{ kind: "look", text: (result.record.error || {}).message || "needs a person", run }];
  return points.map((point) => ({ ...point, run }));
}

async function ofRepo(repo) {
  const items = [];
  const [parked, interrupted, reviews, sessions] = await Promise.all([
    look("runs", { repo, status: "parked", limit: mostAsked }), look("runs", { repo, status: "interrupted", limit: 10 }),
    look("reviews", { repo }), look("sessions", { repo })]);
  const asked = await Promise.allSettled(parked.result.runs.map((run) => pointsOf(repo, run)));
  for (const { value } of asked) items.push(...(value || []));
  for (const run of interrupted.result.runs) items.push({ kind: "interrupted", text: "its host is gone", run });
  for (const review of reviews.result.reviews) {
    items.push({ kind: "review", text: String(review.title ?? ""), review, run: { id: review.run, preset: review.task } });
  }
  for (const session of sessions.result.sessions) {
    if (waitingSessions[session.state]) items.push({ kind: "session", text: waitingSessions[session.state], session });
  }
  for (const item of items) item.repo = repo;
  return items;
}

/** Loads what waits for the user in all work trees. */
export async function gather(repos) {
  const found = await Promise.allSettled(repos.map((_, repo) => ofRepo(repo)));
  const items = found.flatMap(({ value }) => value || []);
  const failed = found.find(({ status }) => status === "rejected");
  items.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  return { items, failure: failed ? String(failed.reason.message) : null };
}

const titles = { question: "Question", gate: "Gate", review: "Review", session: "Session", interrupted: "Interrupted",
  look: "Look", quota: "Quota" };
const signs = { question: "?", gate: "◇", review: "±", session: "▭", interrupted: "!", look: "!", quota: "…" };

function bound(item) {
  return { repo: item.repo, run: item.run.id, point: item.key, sha: item.shown };
}

function answers(item) {
  if (item.kind === "gate") {
    return [button("Approve", "answer", { ...bound(item), value: "approve" }, { class: "main" }),
      button("Reject", "answer", { ...bound(item), value: "reject" })];
  }
  const options = Array.isArray(item.options) ? item.options : [];
  if (options.length) {
    return options.map((option) => button(String(option), "answer", { ...bound(item), value: String(option) }));
  }
  return [el("input", { type: "text", class: "reply", "aria-label": `answer to: ${item.text}`, placeholder: "your answer",
    "data-enter": "" }), button("Answer", "answer", { ...bound(item), field: "true" }, { class: "main" })];
}

function actions(item, isReadOnly) {
  if (item.kind === "review") {
    return [link(linkOf(item.repo, item.run.id, "/review"), "Review the change", { class: "button main" })];
  }
  if (item.kind === "session") {
    return [link(`#/${item.repo}/${item.session.id}`, "Open its screen", { class: "button main" })];
  }
  if (isReadOnly) return [];
  if (item.kind === "interrupted" || item.kind === "quota") {
    return [button("Resume", "resume", { repo: item.repo, run: item.run.id }, { class: "main" }),
      button("Cancel", "cancel", { repo: item.repo, run: item.run.id })];
  }
  if (item.kind === "look") return [link(linkOf(item.repo, item.run.id), "Open the run", { class: "button main" })];
  return [...answers(item), el("input", { type: "text", class: "note", placeholder: "note for the record",
    "aria-label": "note for the record" })];
}

/** Draws one item as a card. The view of a run omits the run's name on its own items. */
export function itemView(item, isReadOnly, isBesideRun = false) {
  const id = item.session ? item.session.id : item.run.id;
  const what = item.session ? (item.session.command || item.session.runner || "") : item.run.title || item.run.preset;
  return el("li", { class: `item ${item.kind}`, "data-key": `${item.repo}-${id}-${item.kind}-${item.key || ""}` },
    el("p", { class: "who" }, el("span", { class: "kind-of" }, el("span", { class: "sign", "aria-hidden": true },
      signs[item.kind]), titles[item.kind]), isBesideRun ? null : [link(`#/${item.repo}/${id}`, id), " ",
      el("span", { class: "quiet" }, String(what ?? "")), item.run && item.run.started_at ?
        el("span", { class: "quiet when" }, ago(Date.parse(item.run.started_at))) : null]),
    el("p", { class: "asks" }, String(item.text ?? "")),
    item.why ? el("p", { class: "quiet" }, String(item.why)) : null,
    item.review ? el("p", { class: "quiet" }, counted((item.review.files_changed || []).length, "file") + " changed") : null,
    lines(typeof item.show === "string" ? item.show : item.show && JSON.stringify(item.show, null, 2), "what it shows", true),
    el("div", { class: "acts" }, actions(item, isReadOnly)));
}

