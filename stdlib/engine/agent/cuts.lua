--- Truncates long answers: keeps their head and tail, with a note about the missing bytes.
--- A truncated answer fails its call unless the call allows it.
local stream = require "moonlet.engine.runner.stream"
local outcome = require "moonlet.engine.runner.outcome"

local M = {}

local margin = 64 << 10  -- longer than any secret, so that redaction sees each secret whole
local encoded_cap = 12 << 20  -- size as JSON, where an invalid byte takes six bytes

--- Returns the head and tail of a file. Redacts the file first, because a cut could split a secret.
---@param bytes integer  size of the whole file
function M.ends(run, path, cap, bytes)
  local half = cap // 2
  local head = core.run.redact(run.read_artifact(path, half + margin) or ""):sub(1, half)
  local tail = core.run.redact(core.run.read_tail(path, half + margin) or ""):sub(-half)
  return stream.ends(head, tail, bytes)
end

--- Truncates an answer to the journal's limit. If it is cut, also returns its original size.
---@param cut integer|false|nil  original size, if `whole` is already truncated
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
---@field error table?          set if the truncation fails the call
---@field warnings string[]?    the runner's warnings, and a warning about an allowed truncation

--- Returns an error for a truncated answer, or a warning if the call allows truncation.
---@param status string   status of the answer
---@param warnings string[]?  warnings of the runner
---@return moonlet.CutReport
function M.check(job, status, cut, warnings)
  if not cut then return { warnings = warnings } end
  local text = ("the answer was cut: of its %d bytes only the head and the tail are kept"):format(
    cut)
  if status == "ok" and job.call.cut ~= "allow" then
    return { warnings = warnings, error = outcome.error("invalid-output", text,
      { hint = "ask for less, or for files; an agent call with cut = \"allow\" takes such "
        .. "an answer" }) }
  end
  job.run.emit("warning", { step = job.key, text = text })
  local all = core.json.array { text }
  table.move(warnings or {}, 1, #(warnings or {}), 2, all)
  return { warnings = all }
end

return M
