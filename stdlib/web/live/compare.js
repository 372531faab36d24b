// Compares two runs: their outcomes, the first step that differs, and what only one of them has.

import { el, badge, count, duration } from "../format.js";
import { nameOf } from "../model.js";
import { look } from "./api.js";
import { link, linkOf } from "./parts.js";

const mostShown = 2000;

const names = { verdict: "outcome", runner: "runner", duration_ms: "took", tokens: "tokens", cost_usd: "cost" };

function cell(name, value) {
  if (value === null || value === undefined) return "–";
  if (name === "verdict") return badge(value);
  if (name === "duration_ms") return duration(value);
  if (name === "tokens") return count(value);
  return name === "cost_usd" ? `$${value.toFixed(4)}` : String(value);
}

function outcomes(result) {
  return el("table", {}, el("thead", {}, el("tr", {}, ["", ...result.runs].map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, Object.keys(names).map((name) => el("tr", {}, el("th", { scope: "row" }, names[name]),
      (result[name] || []).map((value) => el("td", {}, cell(name, value)))))));
}

const textOf = (item) => (typeof item === "string" ? item : JSON.stringify(item));

/** Lists the items of one kind, such as files, that only one of the runs has. */
function onlyIn(name, { only_first: first, only_second: second }, runs) {
  if (!first.length && !second.length) return el("p", { class: "quiet" }, `The ${name} is the same.`);
  return [[runs[0], first, "minus", "−"], [runs[1], second, "plus", "+"]].filter(([, list]) => list.length).map(([run, list, kind, sign]) =>
    el("details", { open: true }, el("summary", {}, `${name}: only ${run} has `, el("span", { class: "quiet" }, count(list.length))),
      el("pre", { class: "patch", tabindex: 0, role: "region", "aria-label": `${name} of ${run} alone` },
        list.slice(0, mostShown).map((item) => el("span", { class: kind }, `${sign} ${textOf(item)}\n`)))));
}

function parting(first) {
  if (!first) return el("p", { class: "quiet" }, "Their steps do not differ.");
  return el("p", {}, "They differ at ", el("code", {}, nameOf(String(first.step))), `: ${first.difference}`);
}

export function enter(head, main, { repo, run, other }) {
  main.className = "plain";
  head.replaceChildren(el("div", { class: "title" }, el("h1", {}, link(linkOf(repo, other), other), " and ",
    link(linkOf(repo, run), run))));
  look("diff", { repo, run: other, other: run }).then(({ result }) => {
    main.replaceChildren(el("section", { class: "card compare" }, el("h2", {}, "Outcomes"), el("div", { class: "table" }, outcomes(result)),
      parting(result.first_difference)),
    el("section", { class: "card" }, el("h2", {}, "What only one of them has"),
      ["prompt", "findings", "files"].map((name) => onlyIn(name, result[name], result.runs))));
  }, (error) => main.replaceChildren(el("p", { class: "error" }, error.message)));
  return () => {};
}
