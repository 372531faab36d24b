// The live page: signs in, keeps the event stream open, and shows the view that the URL names.

import { el, count } from "../format.js";
import { act, get, login } from "./api.js";
import * as control from "./control.js";
import * as runDetail from "./run.js";
import * as review from "./review.js";
import * as session from "./session.js";
import * as compare from "./compare.js";
import { askReplay, askDecision } from "./dialog.js";
import { on, start, stream } from "./stream.js";
import { toast } from "./parts.js";

let about = null, leave = null;
const page = document.getElementById("page");
const head = el("div", { id: "head" }), main = el("main", { id: "view", tabindex: -1 });
const live = el("span", { class: "stream", role: "status" });
const badge = el("span", { class: "number" });

/** Exchanges the token in the URL for a cookie, and removes it from the URL and the history. */
async function signIn() {
  const found = /^#token=([0-9a-f]+)$/.exec(location.hash);
  if (!found) return;
  history.replaceState(null, "", "/#/");
  await login(found[1]);
}

function route() {
  const parts = location.hash.replace(/^#\/?/, "").split("/");
  const repo = Number(parts[0]);
  if (!/^\d+$/.test(parts[0]) || !about.repos[repo] || !/^[RS]-\d+$/.test(parts[1] || "")) return { view: "control" };
  const place = { repo, run: parts[1] };
  if (parts[1][0] === "S") return { view: "session", ...place };
  if (parts[2] === "review") return { view: "review", ...place };
  if (parts[2] === "diff" && /^R-\d+$/.test(parts[3] || "")) return { view: "compare", ...place, other: parts[3] };
  return { view: "run", ...place };
}

const views = { run: runDetail, review, session, compare };

function setTitle() {
  const number = control.waiting(), where = route();
  const name = where.view === "control" ? "Mission Control · moonlet" : document.title.replace(/^\(\d+\) /, "");
  document.title = (number ? `(${number}) ` : "") + name;
  badge.textContent = number ? count(number) : "";
  badge.hidden = !number;
}

function navigate() {
  if (leave) leave();
  const where = route();
  head.replaceChildren();
  main.replaceChildren();
  main.onclick = null;
  document.body.dataset.view = where.view;
  if (where.view === "control") {
    leave = control.enter(main);
    document.title = "Mission Control · moonlet";
  } else {
    document.title = `${where.run} · moonlet`;
    leave = views[where.view].enter(head, main, where, about.repos[where.repo]);
  }
  setTitle();
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
}

const words = { answer: "answered", approve: "approved and merged", reject: "rejected", cancel: "cancelled", resume: "resumed",
  start: "started", submit: "typed", replay: "replayed", decide: "decided" };

/** Collects the arguments of a button's command from its data attributes and the fields beside it. */
async function valuesOf(button) {
  const { do: name, field, repo, point, ...values } = button.dataset;
  const around = button.closest(".item, .acts");
  const note = around && around.querySelector(".note"), reply = around && around.querySelector(".reply");
  delete values.key;
  const all = { ...values, repo: Number(repo) };
  if (point) all.key = point;
  if (field) all[name === "submit" ? "text" : "value"] = reply.value;
  if (field && name !== "submit" && !reply.value.trim()) return null;
  if (note && note.value.trim() && /^(answer|approve|reject)$/.test(name)) all.note = note.value.trim();
  if (name === "replay" || name === "decide") {
    const { runner } = all;
    delete all.runner;
    const asked = name === "replay" ? await askReplay(all.run, runner) : await askDecision(all.run);
    return asked && { ...all, ...asked };
  }
  return all;
}

async function doAct(button) {
  const name = button.dataset.do;
  const values = await valuesOf(button);
  if (!values) return;
  button.disabled = true;
  try {
    const { run } = await act(name, values);
    const id = values.run || values.task || values.session;
    toast(`${id} is ${words[name]}${name === "replay" && run ? ` as ${run.id}` : ""}`);
    if (name === "replay" && run) location.hash = `#/${values.repo}/${run.id}`;
    const reply = button.closest(".item, .acts").querySelector(".reply");
    if (reply) reply.value = "";
  } catch (error) {
    toast([error.message, error.hint].filter(Boolean).join(": "), true);
  }
  button.disabled = false;
  control.refresh();
  // Changes of background commands arrive a moment later through the event stream.
  dispatchEvent(new Event("moonlet-acted"));
}

function listen() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (!button || button.dataset.do === "comment-at") return;
    const own = control.acts[button.dataset.do];
    if (own) own({ ...button.dataset }); else doAct(button);
  });
  document.addEventListener("input", ({ target }) => {
    const fn = control.inputs[target.dataset && target.dataset.input];
    if (fn) fn(target.value);
  });
  document.addEventListener("keydown", (event) => {
    const { target } = event;
    if (event.key === "Enter" && target.matches && target.matches("[data-enter]")) {
      const button = target.closest(".acts").querySelector("button");
      if (button) doAct(button);
    }
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.nodeName) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "g") location.hash = "#/";
    if (event.key === "/") {
      const search = document.querySelector('input[type="search"]');
      if (search) search.focus();
      event.preventDefault();
    }
  });
  addEventListener("hashchange", navigate);
  addEventListener("moonlet-inbox", setTitle);
}

function frame() {
  const names = about.repos.map((repo) => repo.name + (repo.read_only ? " (read-only)" : "")).join(" · ");
  page.replaceChildren(
    el("header", { class: "top" }, el("a", { href: "#/", class: "home" }, "moonlet"), badge,
      el("span", { class: "quiet where" }, names), live),
    head, main, el("div", { id: "toasts", role: "status" }));
  const text = { live: "live", connecting: "connecting", waiting: "the server does not answer" };
  function showState() {
    live.textContent = text[stream.state] || stream.state;
    live.dataset.state = stream.state;
  }
  on("state", showState);
  showState();
}

async function main_() {
  try {
    await signIn();
    about = await get("about");
  } catch (error) {
    page.replaceChildren(el("p", { class: "loading", role: "alert" }, error.status === 401 ?
      "This page needs the address that `moonlet web` has printed, with its token." : `✕ ${error.message}`));
    document.documentElement.dataset.ready = "";
    return;
  }
  frame();
  listen();
  control.begin(about.repos);
  start();
  navigate();
  Object.defineProperty(document, "moonlet", { value: stream });
  document.documentElement.dataset.ready = "";
}

main_();
