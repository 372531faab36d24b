// Dialogs for actions that need more input than a click: a replay, a decision.

import { el } from "../format.js";

function ask(title, fields, word) {
  return new Promise((done) => {
    const inputs = fields.map(({ name, label, value = "", choices }) => [name, choices ?
      el("select", { id: `ask-${name}` }, choices.map((choice) => el("option", { value: choice }, choice))) :
      el("input", { id: `ask-${name}`, type: "text", value }), label]);
    const dialog = el("dialog", { "aria-labelledby": "ask-title" }, el("h2", { id: "ask-title" }, title),
      inputs.map(([name, input, label]) => el("p", {}, el("label", { for: `ask-${name}` }, label), input)),
      el("div", { class: "acts" }, el("button", { type: "button", class: "main", value: "yes" }, word),
        el("button", { type: "button" }, "Cancel")));
    function end(isYes) {
      const values = Object.fromEntries(inputs.map(([name, input]) => [name, input.value.trim()]).filter(([, value]) => value));
      dialog.remove();
      done(isYes ? values : null);
    }
    dialog.addEventListener("click", (event) => {
      const pressed = event.target.closest("button");
      if (pressed) end(pressed.value === "yes");
    });
    dialog.addEventListener("cancel", () => end(false));
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.tagName === "INPUT") end(true);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export const askReplay = (run, runner) => ask(`Replay ${run}`, [{ name: "reason", label: "Why, for the record" },
  { name: "runner", label: "Runner (empty: that of the run)", value: "" },
  { name: "model", label: "Model (empty: that of the run)" }].map((field) => (field.name === "runner" && runner ?
  { ...field, label: `Runner (empty: ${runner})` } : field)), "Replay");

export const askDecision = (run) => ask(`Decide about ${run}`, [{ name: "value", label: "Decision",
  choices: ["take", "take-with-changes", "leave"] }, { name: "why", label: "Why, for the record" }], "Decide");
