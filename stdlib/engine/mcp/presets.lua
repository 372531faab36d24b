--- Defines a tool for each preset that the client may run, with a schema of the preset's arguments.
local command = require "moonlet.engine.mcp.command"
local sorted_keys = require "moonlet.engine.base.sorted_keys"

local M = {}

local lists = { list = true, paths = true, checks = true }
local kinds = { integer = "integer", number = "number", boolean = "boolean" }
local abouts = { path = "a path of the repository", paths = "paths of the repository",
  target = "a commit, A..B, staged, worktree, or a path or glob", duration = "such as 8m",
  checks = "KIND:COMMAND, as in test:make test" }

local function schema_of(arg)
  local about = abouts[arg.type]
  local help = type(arg.help) == "string" and arg.help or nil
  local schema = { description = help and about and ("%s (%s)"):format(help, about)
    or help or about }
  if arg.default ~= nil and arg.default ~= core.json.null then schema.default = arg.default end
  local choices = type(arg.choices) == "table" and arg.choices or nil
  if lists[arg.type] then
    schema.type, schema.items = "array", { type = "string", enum = choices }
    schema.minItems, schema.maxItems = arg.min, arg.max
  else
    schema.type, schema.enum = kinds[arg.type] or "string", choices
    if kinds[arg.type] then schema.minimum, schema.maximum = arg.min, arg.max end
  end
  return schema
end

--- Describes a preset like `moonlet preset show`. Returns nil and an error if it cannot be loaded.
---@return table? preset
---@return table? err
function M.describe(home, name)
  local ok, envelope = pcall(command.run, { "preset", "show", name, "--repo", home.top })
  if ok then return envelope.result end
  core.task.check()
  return nil, envelope
end

--- Returns the schemas of a preset's arguments, and the names of required ones.
local function arguments_of(preset)
  local properties, args = {}, type(preset.args) == "table" and preset.args or {}
  for name, arg in pairs(args) do properties[name] = schema_of(arg) end
  return properties, sorted_keys(args, function(arg) return arg.required end)
end

function M.words(arguments)
  local words = {}
  for _, name in ipairs(sorted_keys(arguments)) do
    local option, value = name:gsub("_", "-"), arguments[name]
    if type(value) == "boolean" then
      words[#words + 1] = (value and "--" or "--no-") .. option
    else
      for _, item in ipairs(type(value) == "table" and value or { value }) do
        words[#words + 1] = ("--%s=%s"):format(option,
          math.type(item) == "float" and ("%.14g"):format(item)
          or tostring(item))
      end
    end
  end
  return words
end

--- Raises an error if the arguments do not fit the preset.
---@return table preset
function M.check(home, name, arguments)
  local preset, err = M.describe(home, name)
  if not preset then error(err, 0) end
  local properties, required = arguments_of(preset)
  local wrong = core.json.validate({ type = "object", properties = properties,
    required = core.json.array(required), additionalProperties = false }, arguments)
  if wrong then
    wrong = wrong:gsub("^%- ", "")
    error({ kind = "invalid", message = ("arguments of %s: %s"):format(name,
      core.text.printable(wrong, 400)),
      hint = "it takes " .. (next(properties) and table.concat(sorted_keys(properties), ", ")
        or "none") }, 0)
  end
  return preset
end

function M.tool_name(name) return "preset_" .. (name:gsub("-", "_")) end

--- Builds the tool of a preset. Returns nil if the preset cannot be loaded; the tool run_preset reports
--- the reason.
---@param server moonlet.McpServer
---@return moonlet.McpTool?
function M.tool(server, name)
  local preset = M.describe(server.places:find(), name)
  if not preset then return nil end
  local properties, required = arguments_of(preset)
  return { name = M.tool_name(name), title = name,
    description = ("%s Answers within a minute, with the result or with the run's id for "
      .. "run_wait."):format(
      preset.summary), properties = properties, required = #required > 0 and required or nil,
    run = function(call)
      local arguments = {}
      for key, value in pairs(call.arguments) do
        if key ~= "repo" or properties.repo then arguments[key] = value end
      end
      return require("moonlet.engine.mcp.runs").start(call, name, { args = arguments })
    end }
end

return M
