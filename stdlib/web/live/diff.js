// Shows a patch as files with numbered lines, on which a reader can comment.

import { el, count } from "../format.js";

const mostLines = 20000;

/** Parses a git patch into [{ name, rows: [{ kind, text, line }], added, removed }]. */
export function readPatch(text) {
  const files = [];
  let file = null, line = 0, inHunk = false, oldLeft = 0, newLeft = 0;
  for (const row of text.split("\n").slice(0, mostLines)) {
    if (!inHunk && row.startsWith("diff ")) {
      const found = / b\/(.*)$/.exec(row);
      file = { name: found ? found[1] : row, rows: [], added: 0, removed: 0 };
      files.push(file);
    }
    if (!file) continue;
    const hunk = /^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(row);
    if (!inHunk && hunk) {
      oldLeft = Number(hunk[1] ?? 1);
      newLeft = Number(hunk[3] ?? 1);
      line = Number(hunk[2]);
      inHunk = oldLeft + newLeft > 0;
      file.rows.push({ kind: "hunk", text: row, line: 0 });
    } else if (!inHunk) {
      const to = /^\+\+\+ b\/(.*)$/.exec(row);
      if (to) file.name = to[1];
      if (!/^(diff |index |---|\+\+\+)/.test(row) && row) file.rows.push({ kind: "meta", text: row, line: 0 });
    } else {
      const kind = { "+": "plus", "-": "minus" }[row[0]] || "same";
      file.rows.push({ kind, text: row, line: kind === "minus" ? 0 : line });
      if (row[0] === "\\") continue;
      if (kind !== "minus") {
        line += 1;
        newLeft -= 1;
      }
      if (kind !== "plus") oldLeft -= 1;
      if (kind === "plus") file.added += 1;
      if (kind === "minus") file.removed += 1;
      inHunk = oldLeft > 0 || newLeft > 0;
    }
  }
  return files;
}

function commentView(comment) {
  return el("div", { class: `comment${comment.outdated ? " outdated" : ""}` },
    el("p", { class: "quiet" }, el("b", {}, String(comment.by ?? "")), ` ${String(comment.at ?? "").slice(0, 16).replace("T", " ")}`,
      comment.run ? ` · ${comment.run}` : "",
      comment.outdated ? ` · outdated: line ${comment.line} of ${comment.file} is gone` : ""),
    el("p", {}, String(comment.text ?? "")),
    comment.outdated && comment.content ? el("pre", {}, String(comment.content)) : null);
}

/** Draws the files of a patch. `write(file, line)` starts a comment on a line; null forbids comments. */
export function patchView(text, comments, write) {
  const files = readPatch(text);
  const left = new Set(comments);
  const at = (file, line) => comments.filter((comment) => !comment.outdated && comment.file === file && comment.place === line);
  const views = files.map((file) => {
    const rows = el("div", { class: "code", tabindex: 0, role: "region", "aria-label": `changes of ${file.name}` });
    for (const { kind, text: row, line } of file.rows) {
      const number = line && write ? el("button", { type: "button", class: "line", "data-do": "comment-at", "data-file": file.name,
        "data-line": line, "aria-label": `comment on line ${line} of ${file.name}` }, String(line)) :
        el("span", { class: "line" }, line ? String(line) : "");
      rows.append(el("div", { class: `code-line ${kind}`, "data-place": line ? `${file.name}:${line}` : null }, number,
        el("span", { class: "text" }, row)));
      for (const comment of line ? at(file.name, line) : []) {
        left.delete(comment);
        rows.append(commentView(comment));
      }
    }
    return el("details", { open: true, class: "file" }, el("summary", {}, el("code", {}, file.name),
      el("span", { class: "quiet" }, ` +${count(file.added)} −${count(file.removed)}`)), rows);
  });
  return el("div", { class: "patch-view" }, views,
    left.size ? el("section", { class: "outdated-list" }, el("h3", {}, "Comments whose line is gone"),
      [...left].map((comment) => commentView({ ...comment, outdated: true }))) : null);
}
