--- Provides ctx.budget for scripts, which read its numbers one at a time.
local budget = require "moonlet.engine.budget.budget"
local record = require "moonlet.record"

local M = {}

local readers = setmetatable({}, { __mode = "k" })

local methods = {}

local function read(view, verb, kind)
  local reader = readers[view]
  if not reader then
    error(record.invalid(("ctx.budget:%s is called with a colon"):format(verb),
      ('write ctx.budget:%s("tokens")'):format(verb)), 0)
  end
  if not budget.fields[kind] then
    error(record.invalid(("no budget counts '%s'"):format(core.text.printable(tostring(kind), 60)),
      record.hint(tostring(kind), budget.fields)), 0)
  end
  return reader(verb, kind)
end

--- Returns what is left of the tightest enclosing budget, minus what siblings have reserved. It is
--- at least 0, and math.huge without a limit. Wall time is in seconds.
---@param kind moonlet.BudgetKind
---@return number
function methods:left(kind) return read(self, "left", kind) end

--- Returns what the run, or the innermost scope with a budget, has used so far. It is at least 0.
---@param kind moonlet.BudgetKind
---@return number
function methods:used(kind) return read(self, "used", kind) end

--- Returns the smallest enclosing limit, or math.huge without a limit.
---@param kind moonlet.BudgetKind
---@return number
function methods:limit(kind) return read(self, "limit", kind) end

local metatable = {
  __index = function(_, name)
    if methods[name] then return core.frames.keep(methods[name]) end
    error(record.invalid(("ctx.budget has no '%s'"):format(tostring(name)), record.hint(tostring(name), methods)), 0)
  end,
  __newindex = function() error({ kind = "denied", message = "ctx.budget is read-only" }, 0) end,
  __metatable = false,
  __name = "ctx.budget",
}

--- Returns a view whose numbers come from `reader(verb, kind)`.
---@param reader fun(verb: string, kind: string): number
---@return moonlet.BudgetView
function M.new(reader)
  local view = setmetatable({}, metatable)
  readers[view] = reader
  return view
end

return M
