--- Manages a run's W3C traceparent, of which its agents' spans are children.
local M = {}

---@class moonlet.TraceContext
---@field trace string    32 hex digits
---@field parent string?  the enclosing span, 16 hex digits
---@field span string     the run's own span

---@return string? trace, string? parent
function M.parse(text)
  if type(text) ~= "string" or text:find "%u" then return nil end
  local trace, parent = text:match "^00%-(%x+)%-(%x+)%-%x%x$"
  local is_valid = trace and #trace == 32 and #parent == 16 and trace:find "[^0]"
    and parent:find "[^0]"
  if is_valid then return trace, parent end
end

--- Returns the traceparent of a recorded run, or of the environment for a new run.
---@param rec table?  the record of an earlier start
function M.given(rec)
  local text = rec and rec.traceparent or not rec and core.system.env "TRACEPARENT"
  return M.parse(text) and text or nil
end

function M.id(run, text, digits)
  return core.text.sha256(table.concat({ run.id, run.task_id, run.started_at, text }, "\0")):sub(1,
    digits)
end

---@return moonlet.TraceContext
function M.of(run)
  local trace, parent = M.parse(run.traceparent)
  return { trace = trace or M.id(run, "trace", 32), parent = parent, span = M.id(run, "run", 16) }
end

--- Returns the traceparent of a run's children, or nil if nobody collects spans.
function M.of_children(run)
  if not run.traceparent and not core.system.env "MOONLET_OTLP_DIR" then return nil end
  local context = M.of { id = run.id, task_id = run.task_id, traceparent = run.traceparent,
    started_at = run.started_at or core.clock.iso(run.started_wall) }
  return ("00-%s-%s-01"):format(context.trace, context.span)
end

return M
