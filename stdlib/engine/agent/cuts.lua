--- Answers that are too long to keep: their head and their tail stay, with a note of how much is missing between them.
--- Such an answer is no success unless its call allows it.
local stream = require "moonlet.engine.runner.stream"
local truth = require "moonlet.engine.runner.outcome"

local M = {}

local margin = 64 << 10 -- longer than any secret that lies across the place of the cut
local encoded_cap = 12 << 20 -- of an answer as JSON: bytes that are no text take six times their size there

--- The head and the tail of a file that is longer than `cap`. Secrets are replaced before the cut, which would split
--- them.
---@param run table
---@param path string
---@param cap integer
---@param bytes integer  the size of the whole
---@return string
function M.ends(run, path, cap, bytes)
  local half = cap // 2
  local head = core.run.redact(run.read_artifact(path, half + margin) or ""):sub(1, half)
  local tail = core.run.redact(core.run.read_tail(path, half + margin) or ""):sub(-half)
  return stream.ends(head, tail, bytes)
end

--- Cuts an answer that would be too large in the journal.
local function bound(result)
  local whole = result.text
  local text, size = whole, core.text.json_size(whole)
  if size <= encoded_cap then return end
  local kept = #whole
  while size > encoded_cap do
    kept = math.min(kept * encoded_cap // size, kept * 7 // 8)
    text = stream.ends(whole:sub(1, kept // 2), whole:sub(-(kept // 2)), #whole)
    size = core.text.json_size(text)
  end
  result.text, result.cut = text, result.cut or #whole
end

--- Bounds the answer of an attempt. One that is not whole fails, or is a warning where the call allows it.
---@param job moonlet.Job
---@param result moonlet.RunnerResult
function M.check(job, result)
  bound(result)
  if not result.cut then return end
  local text = ("the answer was cut: of its %d bytes only the head and the tail are kept"):format(result.cut)
  if result.status == "ok" and job.call.cut ~= "allow" then
    result.status, result.class = "failed", "invalid-output"
    result.error = truth.error("invalid-output", text,
      { hint = "ask for less, or for files; an agent call with cut = \"allow\" takes such an answer" })
    return
  end
  job.run.emit("warning", { step = job.step.key, text = text })
  local warnings = core.json.array { text }
  table.move(result.warnings or {}, 1, #(result.warnings or {}), 2, warnings)
  result.warnings = warnings
end

return M
