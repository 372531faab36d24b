// The review shows the changes of a packet's run with evidence and comments, and takes the decision.
// The decision applies only to the shown changes, by their hash.

import { el, badge, duration } from "../format.js";
import { act, look } from "./api.js";
import { patchView } from "./diff.js";
import { button, link, linkOf, toast } from "./parts.js";

function evidence(checks) {
  return checks.length ? el("ul", { class: "plain" }, checks.map((check) => el("li", { class: "row-of" },
    el("span", {}, badge(check.status), " ", el("b", {}, check.kind), " ", el("code", {}, String(check.command ?? ""))),
    el("span", { class: "quiet" }, duration(check.duration_ms))))) :
    el("p", { class: "quiet" }, "No check ran on this change.");
}

function decision(repo, run, result, isReadOnly) {
  if (result.state !== "pending") {
    return el("p", {}, badge(result.state), result.reviewed_by ? ` by ${result.reviewed_by}` : "", result.note ?
      el("span", { class: "quiet" }, `: ${result.note}`) : null);
  }
  if (isReadOnly) return el("p", { class: "quiet" }, "This work tree is read-only.");
  const values = { repo, run, sha: result.sha256 ?? "" };
  return el("div", { class: "acts item" },
    el("input", { type: "text", class: "note", placeholder: "note for the record", "aria-label": "note for the record" }),
    button("Approve and merge", "approve", values, { class: "main" }), button("Reject", "reject", values));
}

function commentForm(repo, run, sha, file, line, done) {
  const text = el("textarea", { rows: 3, "aria-label": `comment on line ${line} of ${file}` });
  const form = el("div", { class: "comment form" }, text);
  async function send() {
    if (!text.value.trim()) return;
    try {
      await act("comment", { repo, run, place: `${file}:${line}`, text: text.value.trim(), sha });
      toast(`comment on ${file}:${line} is recorded`);
      done();
    } catch (error) {
      toast(`${error.message} ${error.hint || ""}`, true);
    }
  }
  form.append(el("div", { class: "acts" }, el("button", { type: "button", class: "main", on: { click: send } }, "Comment"),
    el("button", { type: "button", on: { click: () => form.remove() } }, "Cancel")));
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send();
    if (event.key === "Escape") form.remove();
  });
  return form;
}

/** Shows the review of a run. Returns a function that closes it. */
export function enter(head, main, { repo, run }, about) {
  let isOver = false;
  main.className = "plain review";
  async function load() {
    const { result, run: record } = await look("review", { repo, run });
    if (isOver) return;
    const canWrite = !about.read_only && Boolean(result.sha256);
    head.replaceChildren(el("div", { class: "title" }, el("h1", {}, "Review of ", link(linkOf(repo, run), run), " ",
      el("span", {}, String(record.preset ?? ""))), badge(result.state)),
    el("p", { class: "quiet" }, "bound to ", el("code", { class: "hash" }, String(result.sha256 ?? "no hash"))));
    main.replaceChildren(
      result.patch_is_current === false ? el("p", { class: "error", role: "alert" },
        "✕ changes.patch was altered after the run: it no longer shows what would be merged.") : null,
      el("section", { class: "card" }, el("h2", {}, "Decision"), decision(repo, run, result, about.read_only)),
      el("section", { class: "card" }, el("h2", {}, "Evidence"), evidence(record.validation || [])),
      el("section", { class: "card" }, el("h2", {}, "Changes"), result.patch ?
        patchView(result.patch, result.comments || [], canWrite) : el("p", { class: "quiet" }, "It changes no file.")));
    for (const child of [...main.childNodes]) if (child.nodeType === 3) child.remove();
    main.onclick = (event) => {
      const place = event.target.closest('[data-do="comment-at"]');
      if (!place) return;
      const { file, line } = place.dataset;
      const form = commentForm(repo, run, result.sha256, file, line, load);
      place.closest(".code-line").after(form);
      form.querySelector("textarea").focus();
    };
  }
  const fail = (error) => main.replaceChildren(el("p", { class: "error" }, error.message));
  load().catch(fail);
  const again = () => load().catch(fail);
  addEventListener("moonlet-acted", again);
  return () => {
    isOver = true;
    main.onclick = null;
    removeEventListener("moonlet-acted", again);
  };
}
