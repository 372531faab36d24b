--- Implements ctx.host.NAME{ … }: functions that the embedding program provides.
--- A result is journaled, so a resumed run does not call the function again.
--- A function with side effects is recorded before the call.
--- If the process died during the call, a person decides whether to call the function again.
local context = require "moonlet.engine.context.context"
local dry_run = require "moonlet.engine.effects.dry_run"
local gate = require "moonlet.engine.effects.gate"
local grants = require "moonlet.engine.context.grants"
local journal = require "moonlet.engine.journal.journal"
local record = require "moonlet.record"
local values = require "moonlet.engine.journal.values"

local M = {}

local verb_prefix = "host."

local function provided(name)
  local functions = core.host.functions()
  if functions[name] then return functions[name] end
  record.refuse(("this program provides no function '%s'"):format(core.text.printable(name, 60)),
    next(functions) and record.hint(name, functions)
      or "the moonlet command provides none: run it by the program that does")
end

local function act(run, key, name, args, last, hash)
  local number = 1
  if last then
    gate.done_before(run, key, last.attempt, { "ctx.host." .. name, core.json.encode(args) },
      "its host died before it ended: it may or may not have happened")
    number = last.attempt + 1
  end
  if run.journal then journal.begin(run, key, number, hash, { once = true, host = name }) end
  return core.host.call(name, args, key)
end

local function call(state, name, args)
  local run = state.run
  grants.check_host(run.grants, name)
  local fault = args ~= nil and type(args) ~= "table" and "they are not a table"
    or record.fault(args, "its argument")
  if fault then
    record.refuse(("ctx.host.%s takes one table of arguments: %s"):format(name, fault),
      ("ctx.host.%s { text = \"…\" }"):format(name))
  end
  args = values.copy(args or {})
  if run.checking then dry_run.check_function(run, "ctx.host." .. name) end
  local acts = provided(name).effect == "act"
  if acts then dry_run.check_function(run, "ctx.host." .. name) end
  if run.cancels then run.end_cancelled() end
  local key = context.key(state, verb_prefix .. name)
  local value, step = run.step(key, "host", nil, { verb = verb_prefix .. name, arguments = args },
    { once = acts or nil, paid = acts or nil, tells = true }, function(last, hash)
      context.check_spent(state)
      if acts then return act(run, key, name, args, last, hash) end
      return core.host.call(name, args, key)
    end)
  run.end_step(step, "ok", {})
  if type(value) == "table" then return values.copy(value) end
  return value
end

--- Returns ctx.host, a read-only table whose fields are the functions.
function M.view(state)
  return setmetatable({}, {
    __index = function(_, name)
      if type(name) ~= "string" then record.refuse("ctx.host is a table of functions by name") end
      return core.frames.keep(function(args, ...)
        if select("#", ...) > 0 then
          record.refuse(("ctx.host.%s got too many arguments"):format(name),
            "call it with a dot and one table")
        end
        if not state.open then context.refuse_ended() end
        return call(state, name, args)
      end)
    end,
    __newindex = function() error({ kind = "denied", message = "ctx.host is read-only" }, 0) end,
    __metatable = false,
  })
end

--- Raises an error if the embedding program lacks a function that the run may call or has called before.
---@param granted table<string, boolean>?
---@param recorded moonlet.Journal?
function M.check_provided(granted, recorded)
  local functions, missing = core.host.functions(), {}
  for name in pairs(granted or {}) do missing[name] = not functions[name] or nil end
  for _, list in ipairs { recorded and recorded.ends or {}, recorded and recorded.begins or {} } do
    for _, item in pairs(list) do
      local name = item.host or type(item.verb) == "string" and item.verb:match "^host%.([%w_]+)$"
      if name and not functions[name] then missing[name] = true end
    end
  end
  local names = {}
  for name in pairs(missing) do names[#names + 1] = name end
  if #names == 0 then return end
  table.sort(names)
  error({ kind = "invalid", usage = true,
    message = ("this program does not provide what the run calls: ctx.host.%s"):format(
      core.text.printable(table.concat(names, ", ctx.host."), 200)),
    hint = "run or resume it by the program that provides it" }, 0)
end

return M
