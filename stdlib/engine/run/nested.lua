--- Implements ctx:preset, which runs a preset inside the run of another preset.
local arg = require "moonlet.arg"
local budget = require "moonlet.prompt.budget"
local class = require "moonlet.engine.run.class"
local closed = require "moonlet.engine.context.closed"
local grants = require "moonlet.engine.context.grants"
local look = require "moonlet.engine.run.look"
local loader = require "moonlet.engine.load.loader"
local record = require "moonlet.record"
local scope = require "moonlet.engine.context.scope"

local M = {}

local function declared_in(run, name)
  if type(name) ~= "string" then
    record.refuse("ctx:preset needs the name of a preset", 'ctx:preset("triangulated-review", {})')
  end
  local nested = run.source and run.source.nested or {}
  if nested[name] then return nested[name] end
  local shown = core.text.printable(name, 60)
  local names = {}
  for declared in pairs(nested) do names[#names + 1] = declared end
  local near = record.nearest(name, names)
  local there, missing = pcall(loader.find, run.home, name, run.source)
  if not there then
    record.refuse(missing.message, near and ("did you mean '%s'?"):format(near) or missing.hint)
  end
  error({ kind = "denied", at = core.text.place(),
    message = ("not declared: the preset '%s'"):format(shown),
    hint = run.preset and ("declare it: needs = { presets = { \"%s\" } }"):format(shown)
      or "a script declares nothing: write a preset (moonlet preset new NAME)" }, 0)
end

--- Calls a function. Its error names the preset's argument instead of a command-line option.
local function converted(preset, fn, ...)
  local ok, value = pcall(fn, ...)
  if ok then return value end
  if type(value) == "table" and value.message then
    value.message = ("preset %s: %s"):format(preset.name,
      (value.message:gsub("^%-%-", "argument ")))
  end
  error(value, 0)
end

local function arguments(preset, given)
  if type(given) ~= "table" then
    record.refuse(("ctx:preset(\"%s\") takes a table of arguments"):format(preset.name))
  end
  local values = {}
  for name, value in pairs(given) do
    local declared = preset.args[name]
    if not declared then
      record.refuse(("preset %s has no argument '%s'"):format(preset.name,
        core.text.printable(tostring(name), 60)), record.hint(tostring(name), preset.args))
    end
    core.lost.refuse(value)
    values[name] = converted(preset, arg.convert, declared, value, name)
  end
  return converted(preset, arg.complete, preset.args, values)
end

---@class moonlet.NestedCall
---@field preset moonlet.Preset
---@field input table                       input of the nested preset's step
---@field part fun(key: string): moonlet.Run  makes the run object for the nested preset
---@field body fun(ctx: moonlet.Ctx): any

---@return moonlet.NestedCall
function M.of(run, name, given)
  local found = declared_in(run, name)
  local preset = found.preset
  local args = arguments(preset, given or {})
  local own = run.grants.all and run.grants or grants.from_needs(preset.needs)
  own.seen = run.grants.seen
  grants.are_declared[own] = not found.source.builtin or nil
  local prompt_tokens = budget.least(run.prompt_tokens, preset.prompt_tokens)
  local seen = look(run.home, own, run.inputs or {}, run.options.reason, prompt_tokens)
  if preset.check then preset.check(seen, closed.args(args, preset.args)) end
  return {
    preset = preset,
    input = { verb = "preset", preset = name, text = found.source.opened, args = args },
    part = function(key)
      local artifacts = run.step_directory(key)
      return class.part(run, { source = found.source, preset = preset, grants = own,
        artifacts = artifacts, prompt_tokens = prompt_tokens })
    end,
    body = function(ctx)
      local without_agent = run.runner.none and preset.offline
      return scope.with_place(without_agent or preset.run, ctx, closed.args(args, preset.args))
    end,
  }
end

return M
