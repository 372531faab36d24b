// Shows a session: its screen, the reason for its state, and a line to type into it.

import { el, badge } from "../format.js";
import { look } from "./api.js";
import { show } from "./patch.js";
import { button, lines } from "./parts.js";

const every = 1500;

/** Shows a session. Returns a function that closes it. */
export function enter(head, main, { repo, run: session }, about) {
  let isOver = false, timer = null;
  main.className = "plain session";
  async function load() {
    const [screen, why] = await Promise.all([look("screen", { repo, session }), look("explain", { repo, session })]);
    if (isOver) return;
    const { state } = why.result;
    show(head, el("div", { class: "title" }, el("h1", {}, session), badge(state)));
    show(main, el("section", { class: "card", "data-key": "screen" }, el("h2", {}, "Screen"),
      el("pre", { class: "screen", tabindex: 0, role: "region", "aria-label": "screen" }, screen.result.lines.join("\n").trimEnd())),
    state === "ended" || about.read_only ? null : el("div", { class: "acts item", "data-key": "type" },
      el("input", { type: "text", class: "reply", "aria-label": "text to type", placeholder: "type a line; empty presses Enter",
        "data-enter": "" }), button("Submit", "submit", { repo, session, field: "true" }, { class: "main" })),
    el("section", { class: "card", "data-key": "why" }, el("h2", {}, "Why this state"),
      el("p", {}, [why.result.evidence].flat().filter(Boolean).map(String).join("; "), " ",
        el("code", { class: "quiet" }, String(why.result.rule ?? ""))),
      lines(JSON.stringify(why.result.facts, null, 2), "all facts")));
  }
  async function loop() {
    if (!document.hidden) await load().catch((error) => show(main, el("p", { class: "error" }, error.message)));
    if (!isOver) timer = setTimeout(loop, every);
  }
  loop();
  return () => {
    isOver = true;
    clearTimeout(timer);
  };
}
