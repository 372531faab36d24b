--- The trace context of a run: the W3C traceparent that moonlet was started with, and the one that agents get, so that
--- their spans hang below the run's.
local M = {}

---@class moonlet.TraceContext
---@field trace string    32 hex digits
---@field parent string?  the span around the run, 16 hex digits
---@field span string     the run's own

--- Parses a traceparent of version 00; nil for any other text.
---@param text any
---@return string? trace, string? parent
function M.parse(text)
  if type(text) ~= "string" or text:find "%u" then return nil end
  local trace, parent = text:match "^00%-(%x+)%-(%x+)%-%x%x$"
  local is_valid = trace and #trace == 32 and #parent == 16 and trace:find "[^0]" and parent:find "[^0]"
  if is_valid then return trace, parent end
end

--- The traceparent of a run: the one it was started with, or that of the environment for a new run.
---@param rec table?  its record, for a run that was started before
---@return string?
function M.given(rec)
  local text = rec and rec.traceparent or not rec and core.system.env "TRACEPARENT"
  return M.parse(text) and text or nil
end

--- An id that is the same each time for the same run and text.
---@param run {id: string, task_id: string, started_at: string}
---@param text string
---@param digits integer
---@return string
function M.id(run, text, digits)
  return core.text.sha256(table.concat({ run.id, run.task_id, run.started_at, text }, "\0")):sub(1, digits)
end

---@param run {id: string, task_id: string, started_at: string, traceparent: string?}
---@return moonlet.TraceContext
function M.of(run)
  local trace, parent = M.parse(run.traceparent)
  return { trace = trace or M.id(run, "trace", 32), parent = parent, span = M.id(run, "run", 16) }
end

--- The traceparent of a run's children; nil where nobody collects spans.
---@param run moonlet.Run
---@return string?
function M.of_children(run)
  if not run.traceparent and not core.system.env "MOONLET_OTLP_DIR" then return nil end
  local context = M.of { id = run.id, task_id = run.task_id, traceparent = run.traceparent,
    started_at = run.started_at or core.clock.iso(run.started_wall) }
  return ("00-%s-%s-01"):format(context.trace, context.span)
end

return M
