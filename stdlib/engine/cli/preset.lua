--- `moonlet preset list`, `show NAME`, `test NAME`, `new NAME` and `check FILE`.
local home_module = require "moonlet.engine.run.repository"
local options = require "moonlet.engine.cli.options"
local record = require "moonlet.record"
local presets = require "moonlet.engine.load.loader"
local grants = require "moonlet.engine.context.grants"

local M = {}

local known = {
  repo = { value = "DIR", help = "the repository or folder whose presets count (default: here)" },
  json = { help = "print one JSON envelope and nothing else" },
  record = { help = "with test: make the cassettes anew first" },
  allow = { value = "GRANT", many = true,
    help = "with test: needs (what the preset declares, for these tests alone), agents (tests start programs), all" },
  source = { help = "with show: print the Lua text" },
  pattern = { value = "P", help = "with new: begin as this built-in preset" },
  help = { help = "this text" },
}

local usage_text = [[
usage: moonlet preset list [options]
       moonlet preset show NAME [options]
       moonlet preset test NAME [PART OF A TEST'S NAME] [options]
       moonlet preset new NAME [--pattern P]
       moonlet preset check NAME | FILE.lua

options:
]]

local function describe(source)
  local ok, preset = pcall(presets.preset, source)
  if not ok then
    local err = require("moonlet.engine.run.manifest").error(preset)
    return { name = source.name, origin = source.origin, summary = core.json.null, error = err }
  end
  return { name = preset.name, origin = source.origin, summary = preset.summary, preset = preset }
end

local function list(home)
  local found, names = presets.all(home)
  local rows, lines = {}, {}
  for i, name in ipairs(names) do
    local row = describe(found[name])
    lines[i] = ("%-26s %s  [%s]"):format(name, row.preset and row.summary or "broken: " .. row.error.message,
      row.origin)
    row.preset = nil
    rows[i] = row
  end
  return core.json.array(rows), table.concat(lines, "\n") .. "\n"
end

local function arg_records(preset)
  local records = {}
  for name, arg in pairs(preset.args) do
    records[name] = { type = arg.type, default = arg.default, help = arg.help, min = arg.min,
      max = arg.max, choices = arg.choices and core.json.array(arg.choices), required = arg.required }
  end
  return records
end

local function show(home, name, with_source)
  local source = presets.find(home, name)
  local preset = presets.preset(source)
  local result = { name = preset.name, summary = preset.summary, origin = source.origin,
    sha256 = core.text.sha256(source.text), args = arg_records(preset), needs = preset.needs,
    budget = preset.budget, task_type = preset.task_type }
  if with_source then return result, source.text end
  local lines = { preset.name, "  " .. preset.summary, "", "from: " .. source.origin }
  lines[#lines + 1] = "sha256: " .. result.sha256
  lines[#lines + 1] = "may: " .. table.concat(grants.describe(grants.from_needs(preset.needs)), "; ")
  if preset.task_type then lines[#lines + 1] = "task type: " .. core.text.printable(preset.task_type, 100) end
  if preset.budget.wall then lines[#lines + 1] = "wall budget: " .. tostring(preset.budget.wall) end
  lines[#lines + 1] = ""
  lines[#lines + 1] = ("arguments: moonlet run %s --help"):format(preset.name)
  return result, table.concat(lines, "\n") .. "\n"
end

---@param words string[]
---@return table? envelope, integer exit_code, string? text
function M.main(words)
  local found, rest = options.parse(words, known, 2)
  if found.help then
    options.print_help(usage_text .. options.help(known) .. "\n", found.json)
    return nil, 0
  end
  local verb = rest[1]
  local folder = home_module.folder(found.repo)
  local home = core.run.home(folder)
  local result, text
  local code = 0
  if verb == "list" and not rest[2] then
    result, text = list(home)
  elseif verb == "show" and rest[2] and not rest[3] then
    result, text = show(home, rest[2], found.source)
  elseif verb == "new" and rest[2] and not rest[3] then
    result, text = require("moonlet.engine.cli.preset_new").new(home, rest[2], found.pattern)
  elseif verb == "check" and rest[2] and not rest[3] then
    local passed
    result, text, passed = require("moonlet.engine.cli.preset_check").check(home_module.open(found.repo), rest[2])
    code = passed and 0 or 2
  elseif verb == "test" and rest[2] and not rest[4] then
    local passed
    result, text, passed = require("moonlet.engine.cli.preset_test").test(home, rest[2], rest[3], found.record,
      found.allow, function(line) if not found.json then core.system.print(1, line .. "\n") end end)
    code = passed and 0 or 1
  else
    error(options.usage(verb and ("moonlet preset %s is not understood"):format(core.text.printable(verb, 40))
      or "moonlet preset needs a command", record.suggest(verb or "", { "list", "show", "test", "new", "check" })), 0)
  end
  return { ok = code == 0, command = "preset " .. verb, run = core.json.null, result = result,
    error = core.json.null }, code, text
end

return M
