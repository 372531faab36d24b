--- Implements `moonlet preset list`, `show NAME`, `test NAME`, `new NAME` and `check FILE`.
local budget = require "moonlet.engine.budget.budget"
local repository = require "moonlet.engine.run.repository"
local options = require "moonlet.engine.cli.options"
local loader = require "moonlet.engine.load.loader"
local grants = require "moonlet.engine.context.grants"
local verbs = require "moonlet.engine.cli.verbs"
local page = require "moonlet.engine.base.page"

local M = {}

local function known(own)
  own.repo = { value = "DIR",
    help = "the repository or folder whose presets count (default: here)" }
  return options.with_common(own)
end

M.known_of = {
  list = known {}, check = known {},
  show = known { source = { help = "print the Lua text" } },
  new = known { pattern = { value = "P",
    help = "begin as a copy of a built-in pattern: vote, judge-panel, review-fix …" } },
  test = known {
    record = { help = "record the cassettes again first" },
    allow = { value = "GRANT", many = true,
      help = "needs (what the preset declares, only for these tests), agents (tests start "
        .. "programs), all" },
  },
}

local function describe(source)
  local ok, preset = loader.try(source)
  if not ok then
    local err = require("moonlet.engine.run.manifest").error(preset)
    return { name = source.name, origin = source.origin, summary = core.json.null, error = err }
  end
  return { name = preset.name, origin = source.origin, summary = preset.summary, preset = preset }
end

local function list(home)
  local found, names = loader.all(home)
  local rows, lines, out = {}, {}, page.out()
  for i, name in ipairs(names) do
    found[name].unhashed = true  -- skip the hash of its text, because a list executes no preset
    local row = describe(found[name])
    local about = ("%s  [%s]"):format(row.preset and row.summary
      or "broken: " .. row.error.message, row.origin)
    if out.terminal then
      page.row(lines, out, 0, name, 28, about)
    else
      lines[i] = ("%-26s %s"):format(name, about)
    end
    row.preset = nil
    rows[i] = row
  end
  return core.json.array(rows), table.concat(lines, "\n") .. "\n"
end

local function arg_records(preset)
  local records = {}
  for name, arg in pairs(preset.args) do
    records[name] = { type = arg.type, default = arg.default, help = arg.help, min = arg.min,
      max = arg.max, choices = arg.choices and core.json.array(arg.choices),
      required = arg.required }
  end
  return records
end

local function show(home, name, with_source)
  local source = loader.find(home, name)
  local preset = loader.preset(source)
  local result = { name = preset.name, summary = preset.summary, origin = source.origin,
    sha256 = core.text.sha256(source.text), args = arg_records(preset), needs = preset.needs,
    budget = preset.budget, prompt_tokens = preset.prompt_tokens, task_type = preset.task_type }
  if with_source then return result, source.text end
  local lines = { preset.name, "  " .. preset.summary, "", "from: " .. source.origin }
  lines[#lines + 1] = "sha256: " .. result.sha256
  lines[#lines + 1] = "may: "
    .. table.concat(grants.describe(grants.from_needs(preset.needs)), "; ")
  if preset.task_type then
    lines[#lines + 1] = "task type: " .. core.text.printable(preset.task_type, 100)
  end
  local limits = budget.text_of(preset)
  if limits ~= "" then lines[#lines + 1] = "budget: " .. limits end
  if preset.prompt_tokens then
    lines[#lines + 1] = ("prompts: at most %d tokens"):format(preset.prompt_tokens)
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = ("arguments: moonlet run %s --help"):format(preset.name)
  return result, table.concat(lines, "\n") .. "\n"
end

local function of_repository(home)
  local found, names = loader.all(home)
  local own = {}
  for _, name in ipairs(names) do
    if found[name].origin:find "^presets/" then own[#own + 1] = name end
  end
  if own[1] then return own end
  options.refuse(("there is no preset in %s/presets"):format(home.top),
    "moonlet preset new NAME makes one")
end

--- Calls `act` with the named preset, or with each preset of the repository.
--- If `act` raises an error for one of these presets, the other presets still follow.
--- Returns the results, the text that is still to be printed, and whether all passed.
local function each(home, name, tell, act)
  if name then return act(name) end
  local results, all_passed = core.json.array {}, true
  for i, one in ipairs(of_repository(home)) do
    local ok, result, text, passed = pcall(act, one)
    if not ok and type(result) == "table" and rawget(result, "has_no_tests") then
      result, text, passed = {}, one .. ": no tests", true
    elseif not ok then
      result = { error = require("moonlet.engine.run.manifest").error(result) }
      local hint = result.error.hint ~= core.json.null
        and "\n  " .. core.text.printable(result.error.hint, 2000) or ""
      text = ("%s: %s%s"):format(one, core.text.printable(result.error.message, 2000), hint)
    end
    result.name = one
    tell(text:gsub("\n$", ""))
    results[i], all_passed = result, all_passed and passed or false
  end
  return { presets = results }, "", all_passed
end

function M.main(words)
  local verb = words[2]
  local found, rest = verbs.read("preset " .. verb, words, M.known_of[verb])
  table.insert(rest, 1, verb)
  local folder = repository.folder(found.repo)
  local home = core.run.home(folder)
  local result, text, passed
  local code = 0
  local function tell(line) if not found.json then core.system.print(1, line .. "\n") end end
  if verb == "list" and not rest[2] then
    result, text = list(home)
  elseif verb == "show" and rest[2] and not rest[3] then
    result, text = show(home, rest[2], found.source)
  elseif verb == "new" and rest[2] and not rest[3] then
    result, text = require("moonlet.engine.cli.preset.new").new(home, rest[2], found.pattern)
  elseif verb == "check" and not rest[3] then
    home = repository.open(found.repo)
    result, text, passed = each(home, rest[2], tell, function(name)
      return require("moonlet.engine.cli.preset.check").check(home, name)
    end)
    code = passed and 0 or 2
  elseif verb == "test" and not rest[4] then
    result, text, passed = each(home, rest[2], tell, function(name)
      local tests, counts, good = require("moonlet.engine.cli.preset.test").test(home, name,
        rest[3], found.record, found.allow, tell)
      return tests, rest[2] and counts or ("%s: %s"):format(name, counts), good
    end)
    code = passed and 0 or 1
  else
    local count = #rest == 1 and "needs a name" or "got too many arguments"
    options.refuse(("moonlet preset %s %s"):format(verb, count),
      ("moonlet preset %s --help"):format(verb))
  end
  local envelope = options.envelope(result)
  envelope.ok = code == 0
  return envelope, code, text
end

return M
