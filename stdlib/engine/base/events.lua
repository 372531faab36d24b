--- Lists every event of a run with its fields. The list documents events.jsonl, --events and an
--- embedder's on_event. tests/house/events.py compares it with the events that the code emits.
---
--- Each line is `{ number, type, ts, run, step?, data }`. `number` counts the events of a run from
--- 1, also across resumed hosts. `step` is the key of a step. `data` has the fields below, where
--- `?` marks optional ones. Events only inform; the journal is the record of a run.

---@class moonlet.EventKind
---@field name string
---@field about string
---@field fields table<string, string>  name -> its meaning

--- The version increases when an event or field is removed or changes its meaning.
local M = { version = 1 }

---@type moonlet.EventKind[]
M.list = {
  { name = "run.started", about = "A run begins.", fields = {
    preset = "the name of the preset or script", ["runner?"] = "the runner of the run",
    task_id = "the name of its sidecar",
    dir = "the path of its sidecar", ["unconfined?"] = "the reason why no kernel sandbox confines its agents",
    ["offline?"] = "true: no agent is asked, the preset gives its answer without one" } },
  { name = "run.resumed", about = "A host goes on with a run that another one began.", fields = {
    preset = "as in run.started", ["runner?"] = "as in run.started", task_id = "as in run.started",
    dir = "as in run.started", ["unconfined?"] = "as in run.started", ["offline?"] = "as in run.started" } },
  { name = "run.parked", about = "The run stops with nothing running, until it is resumed; run.finished follows.",
    fields = { reason = "person or quota", points = "the gates and questions that wait: { key, kind, text }",
      ["until_ms?"] = "ms since 1970: when a provider can be asked again" } },
  { name = "run.finished", about = "The host has brought the run to an end, or to a point where it parks.", fields = {
    verdict = "the verdict", exit_code = "the exit code of the verdict", duration_ms = "the time it was driven",
    ["error?"] = "the message of its error", ["message?"] = "the same, for the line of people" } },
  { name = "phase", about = "The script names the phase that begins.", fields = {
    name = "its name", ["planned?"] = "the number of steps in it" } },
  { name = "plan", about = "The script makes its plan, or goes on to the next step of it.", fields = {
    steps = "the steps in order: { step, status }, where status is done, in_progress or pending" } },
  { name = "step.started", about = "A step is executed, not replayed.", fields = {
    kind = "agent, exec, validation, require, gate, question or function", ["runner?"] = "the runner of an agent" } },
  { name = "step.retried", about = "Another attempt follows one that came to nothing.", fields = {
    attempt = "the number of the attempt that follows", kind = "retry or repair", reason = "why",
    ["wait_ms?"] = "the time until it begins" } },
  { name = "step.finished", about = "A step is over, or was replayed.", fields = {
    kind = "as in step.started", status = "ok, failed, cancelled, parked or prepared", duration_ms = "its time",
    ["cached?"] = "true if it was replayed", ["exit_code?"] = "the exit code of a command",
    ["error?"] = "the message of its error", ["error_kind?"] = "the kind of its error", ["runner?"] = "of an agent",
    ["usage?"] = "the tokens and cost of all attempts", ["attempts?"] = "their number",
    ["taken_over?"] = "true if another host had started it" } },
  { name = "agent.message", about = "An agent says something; at most 500 events of an attempt.", fields = {
    text = "the text, cut at 2,000 bytes", ["left_out?"] = "how many messages and tools more the attempt had" } },
  { name = "agent.tool", about = "An agent uses a tool.", fields = {
    name = "the tool", status = "running, ok, failed or denied", ["detail?"] = "one line: the command, the file",
    ["exit_code?"] = "the exit code of a command" } },
  { name = "progress", about = "A count of branches, or the present work of a step.", fields = {
    ["name?"] = "the key of a fan-out", ["planned?"] = "its branches",
    ["ended?"] = "the branches that have ended", ["doing?"] = "the present work of an agent",
    ["limit_ms?"] = "the time that its attempt may take",
    ["tokens?"] = "its tokens so far" } },
  { name = "usage", about = "An attempt of an agent is over: what it used.", fields = {
    attempt = "its number", used = "the amounts that count for the budgets",
    ["usage?"] = "the tokens and cost that the runner reported" } },
  { name = "budget", about = "The rest of a budget of the run has changed.", fields = {
    left = "kind -> the rest", ["wall_left_ms?"] = "the rest of its time" } },
  { name = "quota", about = "A provider refuses an account for a while.", fields = {
    runner = "the runner", class = "quota or rate", message = "the provider's words",
    ["until_ms?"] = "ms since 1970: when it can be asked again" } },
  { name = "gate", about = "A gate waits for a person, or has its answer.", fields = {
    state = "waiting, answered or expired", text = "the action", ["value?"] = "approve or reject",
    ["by?"] = "the one who answered", ["until_ms?"] = "ms since 1970: the end of its time" } },
  { name = "question", about = "A question waits for a person, or has its answer.", fields = {
    state = "waiting, answered or expired", text = "the question", ["value?"] = "the answer",
    ["by?"] = "the one who answered", ["until_ms?"] = "ms since 1970: the end of its time" } },
  { name = "validation", about = "A check of the repository is over, or was replayed.", fields = {
    kind = "typecheck, lint, test, build, custom, require or verdict", command = "the command, or the verifier",
    status = "passed, failed, timeout or skipped",
    required = "true if its failure blocks the run", ["exit_code?"] = "its exit code",
    ["duration_ms?"] = "its time" } },
  { name = "review", about = "The run of a packet waits for a review, or has one.", fields = {
    state = "pending, approved or rejected", sha256 = "the hash of what is reviewed",
    ["reviewed_by?"] = "the one who has reviewed it", ["note?"] = "the reviewer's words" } },
  { name = "session.state", about = "A session of the run is in another state.", fields = {
    session = "its id",
    state = "working, waiting-for-input, waiting-for-quota, looping, slow, suspect, hung, ended or lost",
    ["waits?"] = "the kind of input that it waits for", why = "the evidence" } },
  { name = "intervention", about = "Somebody else than the script acts on a session of the run.", fields = {
    session = "its id", act = "input, poke, answer, ask, kill, resume, attached, detached or killed",
    ["by?"] = "user or rule", ["why?"] = "the reason" } },
  { name = "artifact", about = "A file for people is written in the sidecar.", fields = {
    path = "its path below .agent", bytes = "its size" } },
  { name = "log", about = "A line of the script or the host.", fields = {
    text = "the line", ["taken_over?"] = "true if it is about a process of another host",
    ["reported?"] = "true where the report of the run says it too" } },
  { name = "warning", about = "A line that a person should see.", fields = {
    text = "the line", ["loop?"] = "the evidence of a circle: { name, detail, count, bytes, among }",
    ["retry_in_ms?"] = "the time until the next attempt",
    ["reported?"] = "true where the report of the run says it too" } },
}

return M
