// Elements that several views use.

import { el, badge, count, duration } from "../format.js";

export const linkOf = (repo, run, rest = "") => `#/${repo}/${run}${rest}`;

export function link(href, text, attributes = {}) {
  return el("a", { href, ...attributes }, text);
}

/** Makes a button whose `data-do` names its action. One listener of the page serves all buttons. */
export function button(text, act, values = {}, attributes = {}) {
  const data = Object.fromEntries(Object.entries(values).map(([name, value]) => [`data-${name}`, value]));
  return el("button", { type: "button", "data-do": act, ...data, ...attributes }, text);
}

export function ago(time, now = Date.now()) {
  const ms = now - time;
  if (isNaN(ms)) return "–";
  if (ms < 45000) return "just now";
  const units = [[60000, "min"], [3600000, "h"], [86400000, "d"]];
  let text = "";
  for (const [size, unit] of units) if (ms >= size * 0.75) text = `${Math.max(1, Math.round(ms / size))} ${unit} ago`;
  return text;
}

/** Draws what is used and left of a budget: numbers and a bar. Running agents have reserved a part. */
export function meter(label, used, left, say = count) {
  const share = used + left > 0 ? used / (used + left) : 0;
  const bar = el("span", { class: `meter${share > 0.9 ? " full" : ""}`, "aria-hidden": true }, el("span", {}));
  bar.firstChild.style.width = `${(share * 100).toFixed(1)}%`;
  return el("span", { class: "spent" }, el("span", { class: "quiet" }, `${label} `),
    `${say(used)}, ${say(left)} left`, bar);
}

export function section(name, title, number, ...children) {
  return el("section", { class: `card ${name}`, "data-key": name, "aria-labelledby": `${name}-title` },
    el("h2", { id: `${name}-title` }, title, number === null || number === undefined ? null :
      el("span", { class: "number" }, count(number))), ...children);
}

export const stateOf = (word) => badge(word === "needs-human" ? "needs-human" : word);
export const took = (ms) => (ms === null || ms === undefined ? "–" : duration(ms));

/** Puts a long text, cut to 100,000 characters, into a part that the reader can open. */
export function lines(text, label, isOpen = false) {
  const value = String(text ?? "");
  if (!value) return null;
  return el("details", { open: isOpen }, el("summary", {}, label),
    el("pre", { tabindex: 0, role: "region", "aria-label": label }, value.slice(0, 100000)));
}

/** Shows a short message at the bottom of the page. Screen readers announce it. */
export function toast(text, isBad = false) {
  const place = document.getElementById("toasts");
  const item = el("div", { class: `toast ${isBad ? "bad" : "good"}` }, isBad ? "✕ " : "✓ ", text);
  place.append(item);
  setTimeout(() => item.remove(), isBad ? 12000 : 6000);
}
