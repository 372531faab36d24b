// Shows the tree of a run as rows: phases, fan-outs and steps, each with its bar on one time scale.
// Only visible rows have elements.

import { el, state, duration, count, counted } from "./format.js";
import { nameOf } from "./model.js";

const rowHeight = 26, spare = 12, foldAbove = 12;

function node(label, depth) {
  return { label, depth, children: [], step: null, from: Infinity, to: -Infinity, folded: false, worst: null,
    critical: false, steps: 0, counts: {}, groups: new Map() };
}

/** Shortens "parallel#2/correctness/correctness" to the parts that a reader needs. */
function partsOf(key) {
  const parts = key.split("/");
  if (parts.length > 1 && /^(agent|exec)$/.test(parts[parts.length - 1])) parts.pop();
  if (parts.length > 1 && parts[parts.length - 1] === parts[parts.length - 2]) parts.pop();
  return parts.map(nameOf);
}

function add(parent, parts, step) {
  let at = parent;
  parts.slice(0, -1).forEach((part) => {
    let next = at.groups.get(part);
    if (!next) {
      next = node(part, 0);
      at.groups.set(part, next);
      at.children.push(next);
    }
    at = next;
  });
  const leaf = node(parts[parts.length - 1], 0);
  leaf.step = step;
  at.children.push(leaf);
}

const order = ["running", "failed", "cut off", "blocked", "timeout", "cancelled", "degraded"];

/** Adds up the times and states of a subtree, and merges each group with its only child. */
function settle(item, depth, path, folds) {
  item.depth = depth;
  item.path = path;
  while (!item.step && item.children.length === 1 && depth > 0 && item.label) {
    const only = item.children[0];
    item.label = item.label === only.label ? item.label : `${item.label} / ${only.label}`;
    item.children = only.children;
    item.step = only.step;
  }
  if (item.step) {
    item.from = item.step.from;
    item.to = item.step.to;
    item.steps = 1;
    item.critical = item.step.critical === true;
    item.worst = item.step.status;
    item.counts = { [item.worst]: 1 };
    return;
  }
  item.children.forEach((child, i) => {
    settle(child, depth + 1, `${path}/${child.step ? i : child.label}`, folds);
    item.from = Math.min(item.from, child.from);
    item.to = Math.max(item.to, child.to);
    item.steps += child.steps;
    for (const [word, number] of Object.entries(child.counts)) item.counts[word] = (item.counts[word] || 0) + number;
    item.critical = item.critical || child.critical;
    if (order.includes(child.worst) && item.worst !== "running") item.worst = child.worst;
  });
  item.worst = item.worst || "ok";
  item.folded = folds.has(path) ? folds.get(path) : item.children.length > foldAbove && depth > 0;
}

/** Builds the tree of a model. `folds` maps the path of a group to whether the reader has folded it. */
export function buildTree(model, folds = new Map()) {
  const root = node("", 0);
  const phases = new Map();
  for (const step of model.steps) {
    let parent = root;
    const inside = model.phases[step.phase];
    if (inside) {
      // A resumed run repeats its phases, so steps of equally named phases share one group.
      if (!phases.has(inside.name)) {
        const phase = node(inside.name, 1);
        phase.isPhase = true;
        phases.set(inside.name, phase);
        root.children.push(phase);
      }
      parent = phases.get(inside.name);
    }
    add(parent, partsOf(step.key), step);
  }
  settle(root, 0, "", folds);
  return root;
}

function visibleRows(root, matches) {
  const rows = [];
  function visit(item, siblings, place) {
    if (item !== root) {
      item.place = place;
      item.siblings = siblings;
      rows.push(item);
    }
    if (item !== root && item.folded && !matches) return;
    const children = matches ? item.children.filter((child) => holds(child, matches)) : item.children;
    children.forEach((child, i) => visit(child, children.length, i + 1));
  }
  visit(root, 1, 1);
  return rows;
}

function holds(item, matches) {
  return item.step ? matches(item.step) : item.children.some((child) => holds(child, matches));
}

function textOfRow(item) {
  if (item.step) return duration(item.step.took ?? item.to - item.from);
  const words = Object.entries(item.counts).filter(([word]) => word !== "ok").map(([word, number]) =>
    `, ${count(number)} ${word}`);
  return `${counted(item.steps, "step")}${words.join("")}`;
}

function bar(item, scale) {
  const shape = el("span", { class: `bar ${state(item.worst).kind}${item.critical ? " critical" : ""}` +
    `${item.step ? "" : " group"}` });
  const from = scale.at(item.from), to = scale.at(item.to);
  shape.style.left = `${(from * 100).toFixed(3)}%`;
  shape.style.width = `max(3px, ${((to - from) * 100).toFixed(3)}%)`;
  return shape;
}

function rowOf(item, index, scale, isCurrent) {
  const { sign, kind, word } = state(item.worst);
  const row = el("div", { class: `row${isCurrent ? " current" : ""}${item.isPhase ? " phase" : ""}`, role: "treeitem",
    id: `row-${index}`, "aria-level": item.depth, "aria-setsize": item.siblings, "aria-posinset": item.place,
    "aria-selected": isCurrent, "aria-expanded": item.step ? null : !item.folded },
  el("span", { class: "name" },
    el("span", { class: "fold", "aria-hidden": true }, item.step ? "" : item.folded ? "▸" : "▾"),
    el("span", { class: `sign ${kind}`, "aria-hidden": true }, sign),
    el("span", { class: "spoken" }, word),
    el("span", { class: "label" }, item.label),
    item.critical && item.step ? [el("span", { class: "mark", "aria-hidden": true }, "◆"),
      el("span", { class: "spoken" }, "on the critical path")] : null,
    el("span", { class: "took" }, textOfRow(item))),
  el("span", { class: "lane" }, bar(item, scale)));
  row.querySelector(".name").style.paddingLeft = `${(item.depth - 1) * 14 + 6}px`;
  row.dataset.index = index;
  return row;
}

function axis(model, scale) {
  const line = el("div", { class: "axis", "aria-hidden": true });
  for (const gap of scale.idle) {
    const shape = el("span", { class: "idle", title: `idle for ${duration(gap.to - gap.from)}` });
    shape.style.left = `${scale.at(gap.from) * 100}%`;
    shape.style.width = `${(scale.at(gap.to) - scale.at(gap.from)) * 100}%`;
    line.append(shape);
  }
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    let low = model.from, high = model.to;
    for (let i = 0; i < 40; i++) {
      const middle = (low + high) / 2;
      if (scale.at(middle) < part) low = middle; else high = middle;
    }
    const time = part === 0 ? 0 : low - model.from;
    const tick = el("span", { class: `tick${part === 0 || part === 1 ? "" : " inner"}` }, duration(time));
    tick.style.left = `${part * 100}%`;
    line.append(tick);
  }
  return line;
}

/** Makes the element of the tree. It calls `choose(step)` when a step becomes current. */
export function treeView(model, scale, choose) {
  const folds = new Map();
  let root = buildTree(model);
  let matches = null, rows = visibleRows(root, null), current = null;
  const space = el("div", { class: "space" });
  const scroller = el("div", { class: "rows", role: "tree", tabindex: 0, "aria-label": "steps of the run" }, space);
  const idle = el("div", { class: "gaps", "aria-hidden": true });

  function draw() {
    const first = Math.max(0, Math.floor(scroller.scrollTop / rowHeight) - spare);
    const last = Math.min(rows.length, first + Math.ceil((scroller.clientHeight || 900) / rowHeight) + 2 * spare);
    space.style.height = `${rows.length * rowHeight}px`;
    scroller.style.setProperty("--rows", `${rows.length * rowHeight + 2}px`);
    space.replaceChildren(...rows.slice(first, last).map((item, i) => {
      const row = rowOf(item, first + i, scale, item === current);
      row.style.top = `${(first + i) * rowHeight}px`;
      return row;
    }));
    const index = rows.indexOf(current);
    if (index >= first && index < last) scroller.setAttribute("aria-activedescendant", `row-${index}`);
    else scroller.removeAttribute("aria-activedescendant");
  }
  function redo() {
    rows = visibleRows(root, matches);
    draw();
  }
  function show(index) {
    const top = index * rowHeight;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + rowHeight > scroller.scrollTop + scroller.clientHeight) {
      scroller.scrollTop = top + rowHeight - scroller.clientHeight;
    }
  }
  function select(item) {
    current = item;
    show(rows.indexOf(item));
    draw();
    choose(item.step, item);
  }
  function setFolded(item, folded) {
    item.folded = folded;
    folds.set(item.path, folded);
  }
  function fold(item, folded) {
    setFolded(item, folded);
    redo();
  }
  scroller.addEventListener("scroll", draw, { passive: true });
  scroller.addEventListener("click", (event) => {
    const row = event.target.closest(".row");
    const item = row && rows[Number(row.dataset.index)];
    if (!item) return;
    if (!item.step) setFolded(item, !item.folded);
    redo();
    select(item);
  });
  scroller.addEventListener("keydown", (event) => {
    const index = rows.indexOf(current);
    const page = Math.max(1, Math.floor(scroller.clientHeight / rowHeight) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -rows.length, End: rows.length };
    if (event.key in moves && rows.length) {
      select(rows[Math.min(rows.length - 1, Math.max(0, index + moves[event.key]))]);
    } else if (event.key === "ArrowLeft" && current) {
      if (!current.step && !current.folded) fold(current, true);
      else {
        const parent = rows.slice(0, index).reverse().find((item) => item.depth < current.depth);
        if (parent) select(parent);
      }
    } else if ((event.key === "ArrowRight" || event.key === "Enter") && current && !current.step) {
      fold(current, event.key === "Enter" ? !current.folded : false);
    } else {
      return;
    }
    event.preventDefault();
  });
  new ResizeObserver(draw).observe(scroller);
  const head = el("div", { class: "head" }, el("span", { class: "name" }, "step"), axis(model, scale));
  const element = el("div", { class: "tree" }, head, idle, scroller);
  draw();
  return {
    element,
    /** Redraws the tree after the model has changed. Folded groups and the current row stay. */
    update(fresh) {
      scale = fresh;
      const { path, step } = current || {};
      root = buildTree(model, folds);
      rows = visibleRows(root, matches);
      current = current && rows.find((row) => (step ? row.step === step : row.path === path && !row.step)) || null;
      head.replaceChildren(head.firstChild, axis(model, scale));
      draw();
    },
    filter(fn) {
      matches = fn;
      scroller.scrollTop = 0;
      redo();
      return rows.filter((item) => item.step).length;
    },
    choose(step) {
      const item = rows.find((row) => row.step === step);
      if (item) select(item);
    },
  };
}
