--- Provides `ctx.budget`, with which a script reads what is spent and left, such as tokens.
local budget = require "moonlet.engine.budget.budget"
local closed = require "moonlet.engine.context.closed"
local record = require "moonlet.record"

local M = {}

local readers = setmetatable({}, { __mode = "k" })

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

local methods = {}
for _, verb in ipairs { "left", "used", "limit" } do
  methods[verb] = function(view, kind) return read(view, verb, kind) end
end

local metatable = closed.object("ctx.budget", "ctx.budget", methods)

---@param reader fun(verb: string, kind: string): number
---@return moonlet.BudgetView
function M.new(reader)
  local view = setmetatable({}, metatable)
  readers[view] = reader
  return view
end

return M
