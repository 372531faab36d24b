--- Provides `ctx.budget`, with which a script reads what is spent and left, such as tokens.
local budget = require "moonlet.engine.budget.budget"
local record = require "moonlet.record"

local M = {}

local readers = setmetatable({}, { __mode = "k" })

local methods = {}

local function read(view, verb, kind)
  local reader = readers[view]
  if not reader then
    record.refuse(("ctx.budget:%s is called with a colon"):format(verb),
      ('write ctx.budget:%s("tokens")'):format(verb))
  end
  if not budget.fields[kind] then
    record.refuse(("no budget counts '%s'"):format(core.text.printable(tostring(kind), 60)),
      record.hint(tostring(kind), budget.fields))
  end
  return reader(verb, kind)
end

---@param kind moonlet.BudgetKind
function methods:left(kind) return read(self, "left", kind) end

---@param kind moonlet.BudgetKind
function methods:used(kind) return read(self, "used", kind) end

---@param kind moonlet.BudgetKind
function methods:limit(kind) return read(self, "limit", kind) end

local metatable = {
  __index = function(_, name)
    if methods[name] then return core.frames.keep(methods[name]) end
    record.refuse(("ctx.budget has no '%s'"):format(tostring(name)), record.hint(tostring(name), methods))
  end,
  __newindex = function() error({ kind = "denied", message = "ctx.budget is read-only" }, 0) end,
  __metatable = false,
  __name = "ctx.budget",
}

---@param reader fun(verb: string, kind: string): number
---@return moonlet.BudgetView
function M.new(reader)
  local view = setmetatable({}, metatable)
  readers[view] = reader
  return view
end

return M
