// Lists the events of a run, newest first, in pages.

import { el, count } from "../format.js";
import { nameOf } from "../model.js";
import { get } from "./api.js";

const pageSize = 200, mostShown = 1000;

function textOf(event) {
  const { data = {} } = event;
  const text = data.text ?? data.message ?? data.name ?? data.verdict ?? data.status ?? data.state ?? data.doing ?? "";
  const more = data.detail ?? data.error ?? data.reason ?? "";
  return [text, more].filter(Boolean).map(String).join(": ");
}

function row(event) {
  return el("li", { "data-number": event.number }, el("span", { class: "quiet numbers" }, count(event.number)),
    el("time", { class: "quiet", datetime: event.ts }, String(event.ts).slice(11, 23)),
    el("span", { class: "kind" }, event.type), el("span", { class: "said" }, event.step ? el("code", {}, nameOf(event.step)) :
      null, " ", textOf(event)));
}

/** Makes the list. Its add(event) inserts a new event. */
export function eventsView(repo, run) {
  const list = el("ol", { class: "events", "aria-label": "events, the newest first" });
  const older = el("button", { type: "button" }, "older events");
  const search = el("input", { type: "search", placeholder: "find in events", "aria-label": "find in events" });
  let first = 0, last = 0, words = "";
  async function load(before) {
    const { events } = await get("events", { repo, run, before, limit: pageSize, words });
    if (!before) list.replaceChildren();
    const shown = events.filter((event) => !before || event.number < before).reverse();
    list.append(...shown.map(row));
    if (events.length) {
      first = events[0].number;
      if (!before) last = events[events.length - 1].number;
    }
    older.hidden = events.length < pageSize;
    while (list.children.length > mostShown && before) list.firstChild.remove();
  }
  older.addEventListener("click", () => load(first));
  search.addEventListener("input", () => {
    words = search.value;
    load(0);
  });
  load(0);
  return {
    element: el("div", { class: "event-list", tabindex: 0, role: "region", "aria-label": "events" },
      el("div", { class: "bar-of-filters" }, search), list, older),
    add(event) {
      if (event.number <= last || words) return;
      last = event.number;
      list.prepend(row(event));
      while (list.children.length > mostShown) list.lastChild.remove();
    },
  };
}
