--- A preset is a table with a `run` function and no unknown keys. Declaring a preset starts nothing.
local record = require "moonlet.record"

---@class moonlet.preset
local M = {}

---@class moonlet.PresetSpec
---@field name string             name on the command line, and name of the preset's file
---@field summary string          one sentence for `moonlet preset list`
---@field run fun(ctx: moonlet.Ctx, args: table): any  returns the run's result, a JSON value
---@field args table<string, moonlet.Arg>?
---@field needs moonlet.Needs?
---@field budget moonlet.Limits?
---@field prompt_tokens integer?  token budget of each agent's prompt; if several are set, the smallest applies
---@field task_type string?       kind of the preset's work, for the runner `route`
---@field private_inputs boolean? the journal keeps hashes of the inputs, not their text
---@field runner string?          default runner, if neither the user nor the config names one
---@field offline (fun(ctx: moonlet.Ctx, args: table): any)?  computes the answer without an agent
---@field check (fun(look: moonlet.Look, args: table))?  raises an error if the run would be useless

---@class moonlet.Needs    rights that a preset declares; the user accepts them once per version
---@field programs string[]?   programs for ctx:exec, ctx:validate and ctx:require
---@field optional string[]?   programs for ctx:exec that may be missing
---@field agents boolean|string[]|nil  true, or a list of the runners that agent calls choose from
---@field read string[]?       folders for ctx:read and ctx:list
---@field write string[]?      folders that the preset's agents may write
---@field env string[]?        environment variables that the preset's agents may see
---@field host string[]?       functions of the program that embeds moonlet, for ctx.host
---@field presets string[]?    presets for ctx:preset, which may not need more than this preset
---@field repository boolean?  true: the preset works only in a git repository

---@class moonlet.Look    the read-only view of the repository for `check`
---@field repo string
---@field git boolean      true in a work tree of git
---@field inputs moonlet.Input[]
---@field reason string?    text of --reason
---@field prompt_tokens integer?  smallest token budget for the run's prompts
---@field read fun(self: moonlet.Look, path: string, options: moonlet.ReadOptions?): string?, moonlet.Error?, boolean?

---@class moonlet.Preset : moonlet.PresetSpec

local fields = {
  name = "string!", summary = "string!", args = "table", needs = "table", budget = "table",
  prompt_tokens = "integer", check = "callable", run = "callable!", offline = "callable",
  runner = "string", private_inputs = "boolean", task_type = "string",
}
local needs_fields = {
  programs = "list", repository = "boolean", agents = "boolean|table", read = "list",
  write = "list", env = "list", presets = "list", optional = "list", host = "list",
}
local budget_fields = {
  tokens = "integer", usd = "number", wall = "duration", agents = "integer", processes = "integer",
}
local arg_types = {
  string = true, integer = true, number = true, boolean = true, list = true, duration = true,
  path = true, paths = true, target = true, checks = true,
}

--- `moonlet run` has subcommands with these names, so a preset must not use them.
local commands = {}
for _, name in ipairs { "list", "show", "resume", "wait", "cancel", "verify", "tree", "diff", "log",
    "attach", "replay",
  "queue", "start-ready", "prune", "export", "last" } do commands[name] = true end

local declared = setmetatable({}, { __mode = "k" })
local last, last_at

local function check_args(args, name)
  local positional
  for key, arg in pairs(args) do
    if type(key) ~= "string" or not key:match("^%l[%l%d_]*$") then
      record.refuse(("preset %s: argument name '%s' is malformed"):format(name, tostring(key)),
        "use lower-case letters, digits and _")
    end
    if type(arg) ~= "table" or not arg_types[arg.type] then
      record.refuse(("preset %s: args.%s is not declared with m.arg"):format(name, key),
        "write args = { " .. key .. " = m.arg.string { … } }")
    end
    if arg.positional and (positional or arg.type == "boolean") then
      record.refuse(positional
        and ("preset %s: the arguments '%s' and '%s' are both positional"):format(name,
          positional, key)
        or ("preset %s: the switch '%s' cannot be positional"):format(name, key),
        "one argument with a value may be given without its name")
    end
    positional = arg.positional and key or positional
  end
end

--- Declares a preset. The preset's file must return the result.
--- Errors: `invalid` an unknown key, a key that is missing, or a wrong value.
--- ```lua
--- return m.preset {
---   name = "ask",
---   summary = "Asks one agent one question.",
---   args = { question = m.arg.string { required = true, help = "the question" } },
---   needs = { agents = true },
---   run = function(c, given) return c:agent { prompt = given.question }.text end,
--- }
--- ```
---@param spec moonlet.PresetSpec
---@return moonlet.Preset
function M.preset(spec)
  record.check(spec, fields, "preset")
  if not spec.name:match("^%l[%l%d-]*$") or #spec.name > 40 then
    record.refuse(("preset name '%s' is malformed"):format(spec.name),
      "use at most 40 lower-case letters, digits and -")
  end
  if commands[spec.name] then
    record.refuse(("preset name '%s' is the name of a moonlet command"):format(spec.name),
      "choose another name: `moonlet run " .. spec.name .. "` would not reach it")
  end
  if spec.task_type and not spec.task_type:find("%S") then
    record.refuse(("preset %s: task_type is empty"):format(spec.name), "name one, or leave it out")
  end
  local preset = {
    name = spec.name, summary = spec.summary, check = spec.check, run = spec.run,
    runner = spec.runner, offline = spec.offline, private_inputs = spec.private_inputs or false,
    task_type = spec.task_type, prompt_tokens = spec.prompt_tokens,
    args = spec.args or {}, needs = spec.needs or {}, budget = spec.budget or {},
  }
  require("moonlet.prompt.budget").check_budget(spec.prompt_tokens, "prompt_tokens")
  record.check(preset.needs, needs_fields, "needs")
  for name, items in pairs(preset.needs) do
    for _, item in ipairs(type(items) == "table" and items or {}) do
      if type(item) ~= "string" then
        record.refuse(("needs.%s must be a list of texts"):format(name))
      end
    end
  end
  record.check(preset.budget, budget_fields, "budget")
  for key, value in pairs(preset.budget) do
    if type(value) == "number" and not (value > 0 and value < math.huge) then
      record.refuse(("budget.%s must be a positive number"):format(key))
    end
  end
  if preset.budget.wall then require("moonlet.duration").ms(preset.budget.wall, "budget.wall") end
  check_args(preset.args, preset.name)
  declared[preset] = true
  last, last_at = preset, core.text.place()
  return preset
end

-- Returns the last declared preset and the place of its declaration.
function M.last() return last, last_at end

-- Forgets the last declared preset before another file is loaded.
function M.forget() last, last_at = nil, nil end

-- Reports whether a value is a preset that m.preset returned.
function M.is(value) return type(value) == "table" and declared[value] == true end

return M
