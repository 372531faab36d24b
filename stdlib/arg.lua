--- Declares the typed arguments of presets, which the command line parses and `--help` lists.
local record = require "moonlet.record"

---@class moonlet.arg
local M = {}

---@class moonlet.ArgOptions
---@field default any        the value if the option is not given
---@field help string?       description in --help
---@field choices string[]?  the allowed values
---@field min number?        the least value, or the least length of a list
---@field max number?
---@field required boolean?
---@field positional boolean? may be given without its name: `moonlet run PRESET VALUE`; one per preset

---@class moonlet.PathArgOptions : moonlet.ArgOptions
---@field exists boolean?    the path must name a file or folder
---@field words boolean?     true: any text that is not an existing path is passed on unchanged

---@class moonlet.Arg : moonlet.PathArgOptions
---@field many boolean?      true for a list, which may be given several times
---@field type "string"|"integer"|"number"|"boolean"|"list"|"duration"|"path"|"paths"|"target"|"checks"

local fields = {
  default = "any", help = "string", choices = "list", min = "number", max = "number",
  required = "boolean", positional = "boolean",
}
local path_fields = { exists = "boolean", words = "boolean" }
for name, kind in pairs(fields) do path_fields[name] = kind end

local lists = { list = true, paths = true, checks = true }

local function converted_default(arg)
  local ok, value = pcall(M.convert, arg, arg.default, "default")
  if ok then return value end
  value.message = value.message:gsub("^%-%-default", ("the default of m.arg.%s"):format(arg.type))
  error(value, 0)
end

local function declare(kind)
  local own = (kind == "path" or kind == "paths") and path_fields or fields
  return function(options)
    options = record.check(options or {}, own, "m.arg." .. kind)
    local arg = { type = kind, many = lists[kind] }
    for key, value in pairs(options) do arg[key] = value end
    if arg.default ~= nil then arg.default = converted_default(arg) end
    return arg
  end
end

-- `--help` prints the first sentence about each kind of argument below.

--- A text.
--- Errors: `invalid` an unknown option, or a default of another type.
--- ```lua
--- m.arg.string { default = "HEAD", help = "what to review" }.type --> "string"
--- ```
---@type fun(options?: moonlet.ArgOptions): moonlet.Arg
M.string = declare "string"
--- A whole number.
--- Errors: `invalid` an unknown option, or a default of another type.
--- ```lua
--- m.arg.integer { default = 3, min = 1, max = 9, help = "how many agents" }.default --> 3
--- ```
---@type fun(options?: moonlet.ArgOptions): moonlet.Arg
M.integer = declare "integer"
--- A number.
--- Errors: `invalid` an unknown option, or a default of another type.
--- ```lua
--- m.arg.number { default = 0.5, min = 0, max = 1 }.max --> 1
--- ```
---@type fun(options?: moonlet.ArgOptions): moonlet.Arg
M.number = declare "number"
--- A switch: --name or --no-name.
--- Errors: `invalid` an unknown option, or a default of another type.
--- ```lua
--- m.arg.boolean { help = "review the tests too" }.type --> "boolean"
--- ```
---@type fun(options?: moonlet.ArgOptions): moonlet.Arg
M.boolean = declare "boolean"
--- Texts, comma separated or given several times.
--- Errors: `invalid` an unknown option, or a default of another type.
--- ```lua
--- m.arg.list { default = { "errors", "tests" }, choices = { "errors", "tests", "risks" } }.default[2] --> "tests"
--- ```
---@type fun(options?: moonlet.ArgOptions): moonlet.Arg
M.list = declare "list"
--- A duration such as "8m", or a number of seconds. The preset receives the value as it was given.
--- Errors: `invalid` an unknown option, or a default of another type.
--- ```lua
--- m.arg.duration { default = "8m" }.default --> "8m"
--- ```
---@type fun(options?: moonlet.ArgOptions): moonlet.Arg
M.duration = declare "duration"

--- A path of the repository.
--- On the command line the path is relative to the current folder.
--- The preset gets the path relative to the top of the work tree, as ctx:read expects.
--- A path outside the repository is rejected.
--- Errors: `invalid` an unknown option, or a default of another type.
--- ```lua
--- m.arg.path { required = true, exists = true, help = "the plan" }.type --> "path"
--- ```
---@type fun(options?: moonlet.PathArgOptions): moonlet.Arg
M.path = declare "path"
--- Paths, comma separated or given several times. Each path is converted as by m.arg.path.
--- Errors: `invalid` an unknown option, or a default of another type.
--- ```lua
--- m.arg.paths { default = { "src" }, min = 1, help = "what may change" }.default[1] --> "src"
--- ```
---@type fun(options?: moonlet.PathArgOptions): moonlet.Arg
M.paths = declare "paths"
--- A commit, A..B, staged, worktree, or a path or glob.
--- On the command line paths are relative to the current folder.
--- A target that names nothing is rejected before a run starts.
--- The preset passes the target to m.facts.git.
--- Errors: `invalid` an unknown option, or a default of another type.
--- ```lua
--- m.arg.target { default = "", help = "what to review" }.type --> "target"
--- ```
---@type fun(options?: moonlet.ArgOptions): moonlet.Arg
M.target = declare "target"

--- Commands for ctx:validate, such as test:make test; comma separated or given several times.
--- The user must accept the programs of the checks: on a terminal, or with `--allow needs`.
--- Errors: `invalid` an unknown option, or a default of another type.
--- ```lua
--- m.arg.checks { required = true, min = 1, help = "what must pass" }.type --> "checks"
--- ```
---@type fun(options?: moonlet.ArgOptions): moonlet.Arg
M.checks = declare "checks"

local function check_choice(arg, value, name)
  if not arg.choices then return value end
  for _, choice in ipairs(arg.choices) do
    if choice == value then return value end
  end
  record.refuse(("--%s cannot be '%s'"):format(name, value), record.suggest(value, arg.choices))
end

local function check_range(arg, number, name, noun)
  if arg.min and number < arg.min then
    record.refuse(("--%s must be at least %s%s"):format(name, arg.min, noun))
  end
  if arg.max and number > arg.max then
    record.refuse(("--%s must be at most %s%s"):format(name, arg.max, noun))
  end
  return number
end

local function wrong(name, value, wanted)
  record.refuse(("--%s must be %s, not '%s'"):format(name, wanted, tostring(value)))
end

local convert = {}

function convert.string(arg, value, name)
  if type(value) ~= "string" then wrong(name, value, "text") end
  return check_choice(arg, value, name)
end

function convert.integer(arg, value, name)
  local number = math.tointeger(tonumber(value))
  if not number then wrong(name, value, "a whole number") end
  return check_range(arg, number, name, "")
end

function convert.number(arg, value, name)
  local number = tonumber(value)
  if not number or number ~= number or math.abs(number) == math.huge then
    wrong(name, value, "a number")
  end
  return check_range(arg, number, name, "")
end

function convert.boolean(_, value, name)
  if value == true or value == "true" or value == "yes" or value == "1" then return true end
  if value == false or value == "false" or value == "no" or value == "0" then return false end
  wrong(name, value, "true or false")
end

function convert.list(arg, value, name)
  local list = {}
  if type(value) == "string" then
    for item in value:gmatch("[^,]+") do
      item = item:match("^%s*(.-)%s*$")
      if item ~= "" then list[#list + 1] = item end
    end
  elseif type(value) == "table" then
    for _, item in ipairs(value) do list[#list + 1] = item end
  else
    wrong(name, value, "a list")
  end
  for _, item in ipairs(list) do
    if type(item) ~= "string" then wrong(name, item, "a list of texts") end
    check_choice(arg, item, name)
  end
  check_range(arg, #list, name, " items long")
  return list
end

convert.path, convert.target = convert.string, convert.string
convert.paths, convert.checks = convert.list, convert.list

function convert.duration(_, value, name)
  require("moonlet.duration").ms(value, "--" .. name)
  return value
end

--- Converts a text of the command line, or a Lua value, to the type of its argument.
--- Errors: `invalid` a text that does not fit the argument.
--- ```lua
--- m.arg.convert(m.arg.list {}, "a, b", "lenses")[2] --> "b"
--- ```
---@param arg moonlet.Arg
---@param value any
---@param name string
---@return any
function M.convert(arg, value, name) return convert[arg.type](arg, value, name) end

--- Fills in the default of each argument that was not given.
--- Errors: `invalid` a required argument is missing.
--- ```lua
--- m.arg.complete({ need = m.arg.integer { default = 2 } }, {}).need --> 2
--- ```
---@param declared table<string, moonlet.Arg>
---@param given table<string, any>
---@return table<string, any>
function M.complete(declared, given)
  local values = {}
  for name, arg in pairs(declared) do
    local value = given[name]
    if value == nil then
      value = arg.default
      if type(value) == "table" then value = { table.unpack(value) } end
    end
    if value == nil and arg.required then
      record.refuse(arg.positional and ("%s is required (or --%s)"):format(name:upper(), name)
        or ("--%s is required"):format(name), arg.help)
    end
    if value == nil and arg.type == "boolean" then value = false end
    if value == nil and arg.many then value = {} end
    values[name] = value
  end
  return values
end

return M
