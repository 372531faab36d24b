// Formats numbers and times for people, and makes elements from plain text, never from HTML.

export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (Math.round(ms) < 1000) return `${Math.round(ms)}\u00a0ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)}\u00a0s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}\u00a0m\u00a0${String(Math.floor(seconds % 60)).padStart(2, "0")}\u00a0s`;
  return `${Math.floor(minutes / 60)}\u00a0h\u00a0${String(minutes % 60).padStart(2, "0")}\u00a0m`;
}

export function count(number) {
  return number === null || number === undefined ? "–" : Number(number).toLocaleString("en");
}

/** Formats a number with its noun, as in "2 files". */
export function counted(number, one, many = one + "s") {
  return `${count(number)} ${number === 1 ? one : many}`;
}

export function bytes(number) {
  if (number === null || number === undefined) return "–";
  if (number < 1024) return `${number}\u00a0B`;
  if (number < 1 << 20) return `${(number / 1024).toFixed(1)}\u00a0KB`;
  return `${(number / (1 << 20)).toFixed(1)}\u00a0MB`;
}

export function money(usage) {
  if (!usage || typeof usage.cost_usd !== "number") return "–";
  return `${usage.cost_is === "estimate" ? "~" : ""}$${usage.cost_usd.toFixed(usage.cost_usd < 1 ? 4 : 2)}`;
}

export function moment(text) {
  const time = new Date(text);
  return isNaN(time) ? String(text) : time.toISOString().replace("T", " ").slice(0, 19) + " UTC";
}

const signs = { ok: "✓", findings: "✓", passed: "✓", failed: "✕", "cut off": "✕", cancelled: "⊘",
  degraded: "!", blocked: "✕", "needs-human": "?", quota: "…", budget: "$", parked: "?", timeout: "✕",
  skipped: "–", prepared: "–", running: "●", approved: "✓", rejected: "✕", done: "✓", ended: "✓", working: "●",
  interrupted: "!", lost: "✕", hung: "!", open: "○" };
const kinds = { ok: "good", findings: "good", passed: "good", failed: "bad", "cut off": "bad", blocked: "bad",
  timeout: "bad", running: "accent", working: "accent", approved: "good", rejected: "bad", done: "good", lost: "bad",
  hung: "bad", ended: "quiet", cancelled: "quiet", skipped: "quiet", prepared: "quiet" };

/** Maps a state to a sign, a word and a CSS class. The sign makes it readable without colour. */
export function state(word) {
  return { sign: signs[word] || "·", word: String(word), kind: kinds[word] || "warn" };
}

/** Makes an element. Strings among the children become text nodes. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    if (typeof value === "boolean" && name.startsWith("aria-")) {
      element.setAttribute(name, String(value));
    } else if (value === false) {
      continue;
    } else if (name === "on") {
      for (const [event, fn] of Object.entries(value)) element.addEventListener(event, fn);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Makes the element of a state. */
export function badge(word) {
  const { sign, kind } = state(word);
  return el("span", { class: `badge ${kind}` }, el("span", { class: "sign", "aria-hidden": true }, sign), String(word));
}
