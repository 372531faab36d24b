--- Answers that are too long to keep: their head and their tail stay, with a note of how much is missing between them.
--- Such an answer is no success unless its call allows it.
local stream = require "moonlet.engine.runner.stream"
local outcome = require "moonlet.engine.runner.outcome"

local M = {}

local margin = 64 << 10 -- longer than any secret that lies across the place of the cut
local encoded_cap = 12 << 20 -- bytes of an answer as JSON, where a byte that is no text takes six

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

--- Shortens the answer to the limit of the journal. `cut` is the original size, nil or false when nothing was cut.
---@param whole string
---@param cut integer|false|nil  the size of the whole, if `whole` is a part already
---@return string text
---@return integer|false|nil cut
function M.bound(whole, cut)
  local text, size = whole, core.text.json_size(whole)
  if size <= encoded_cap then return whole, cut end
  local kept = #whole
  while size > encoded_cap do
    kept = math.min(kept * encoded_cap // size, kept * 7 // 8)
    text = stream.ends(whole:sub(1, kept // 2), whole:sub(-(kept // 2)), #whole)
    size = core.text.json_size(text)
  end
  return text, cut or #whole
end

---@class moonlet.CutReport
---@field error table?          an answer that is not whole is no success
---@field warnings string[]?    of the runner, and of a cut that the call allows

--- Reports an answer that is not whole: it fails, or is a warning if the call allows it.
---@param job moonlet.Execution
---@param status string   of the answer
---@param cut integer|false|nil
---@param warnings string[]?  of the runner
---@return moonlet.CutReport
function M.check(job, status, cut, warnings)
  if not cut then return { warnings = warnings } end
  local text = ("the answer was cut: of its %d bytes only the head and the tail are kept"):format(cut)
  if status == "ok" and job.call.cut ~= "allow" then
    return { warnings = warnings, error = outcome.error("invalid-output", text,
      { hint = "ask for less, or for files; an agent call with cut = \"allow\" takes such an answer" }) }
  end
  job.run.emit("warning", { step = job.key, text = text })
  local all = core.json.array { text }
  table.move(warnings or {}, 1, #(warnings or {}), 2, all)
  return { warnings = all }
end

return M
