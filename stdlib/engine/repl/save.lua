--- Writes the successful lines of a prompt as a preset.
--- Steps get names, variables become locals, and the last value is the result.
local input = require "moonlet.engine.repl.input"
local record = require "moonlet.record"
local sorted_keys = require "moonlet.engine.base.sorted_keys"

local M = {}

local named_verbs = { agent = true, gate = true, question = true }

--- Adds the option `name` to each agent, gate and question call that lacks it.
local function with_names(text, count)
  return (text:gsub("(ctx:(%a+)%s*%(?%s*{)(%s*)([^}]*)", function(call, verb, space, rest)
    if not named_verbs[verb] or rest:find("%f[%w]name%s*=") then return nil end
    count[verb] = (count[verb] or 0) + 1
    return ("%s name = \"%s-%d\",%s%s"):format(call, verb, count[verb],
      space == "" and " " or space, rest)
  end))
end

local function assigned_names(session)
  return sorted_keys(session.environment, function(_, name)
    return type(name) == "string" and not session.own_names[name]
  end)
end

local function list_text(names)
  local quoted = {}
  for i, name in ipairs(names) do quoted[i] = ("%q"):format(name) end
  return ("{ %s }"):format(table.concat(quoted, ", "))
end

--- Returns the text of the field `needs`: all rights that were used by lines without an error.
local function needs_text(session)
  local used = { run = {}, read = {}, write = {}, env = {}, agents = {} }
  for _, line in ipairs(session.lines) do
    for _, right in ipairs(line.ok and line.rights or {}) do used[right.kind][right.name] = true end
  end
  local parts = {}
  local function add(field, kind, name_of)
    local names = {}
    for name in pairs(used[kind]) do names[name_of and name_of(name) or name] = true end
    if next(names) then
      parts[#parts + 1] = ("%s = %s"):format(field, list_text(sorted_keys(names)))
    end
  end
  add("programs", "run", function(name) return name:match("[^/]+$") end)
  if next(used.agents) then parts[#parts + 1] = "agents = true" end
  add("read", "read")
  add("write", "write")
  add("env", "env")
  return #parts > 0 and ("  needs = { %s },\n"):format(table.concat(parts, ", ")) or ""
end

--- Returns the `return` statement of a preset whose last line is not an expression.
--- The statement returns all variables except functions and tasks.
local function result_text(session, names)
  local fields = {}
  for _, name in ipairs(names) do
    local value = rawget(session.environment, name)
    local is_handle = type(value) == "table" and getmetatable(value) == false and next(value) == nil
    if type(value) ~= "function" and not is_handle then fields[#fields + 1] = name end
  end
  if #fields <= 1 then return fields[1] and "return " .. fields[1] end
  for i, name in ipairs(fields) do fields[i] = ("%s = %s"):format(name, name) end
  return ("return { %s }"):format(table.concat(fields, ", "))
end

--- Converts a line to statements of the preset. Returns nil for an expression that calls nothing.
local function statement_text(session, line, text)
  local value = text:match("^%s*return%f[^%w_]%s*(.*)$") or text
  if input.is_expression(session.environment, value) then
    local is_call = (value:find("%)%s*$") or value:find("}%s*$"))
      and value:match("^[%a_][%w_.:]*[%s]*[%({]")
    return is_call and value or nil
  end
  text = input.without_local(text)
  if line.results.n == 0 and not input.ends_in_return(session.environment, text) then
    return text
  end
  -- The line returns a value, and a `return` here would end the preset, so wrap it in a function.
  return ("local function line_%d()\n  %s\nend\nline_%d()"):format(line.number,
    text:gsub("\n", "\n  "), line.number)
end

local function body_text(session)
  local good = {}
  for _, line in ipairs(session.lines) do
    if line.ok then good[#good + 1] = line end
  end
  local last = good[#good]
  if not last then
    record.refuse("nothing to save: no line has worked yet", "type one, then :save NAME")
  end
  local lines, count, names = {}, {}, assigned_names(session)
  for i, line in ipairs(good) do
    local text = with_names(line.text, count)
    if i < #good then
      lines[#lines + 1] = statement_text(session, line, text)
    elseif input.is_expression(session.environment, line.text) then
      lines[#lines + 1] = "return " .. text
    else
      text = input.without_local(text)
      lines[#lines + 1] = text
      if not input.ends_in_return(session.environment, text) then
        lines[#lines + 1] = result_text(session, names)
      end
    end
  end
  if #names > 0 then table.insert(lines, 1, "local " .. table.concat(names, ", ")) end
  return table.concat(lines, "\n")
end

---@param words string   the name, and --force to replace an existing file
---@return string  message for the user
function M.write(session, words)
  local name, force = words:match("^(%S*)%s+(%-%-force)$")
  name = name or words
  if not name:match("^%l[%l%d-]*$") then
    record.refuse(":save needs a name of small letters, digits and -", ":save panel")
  end
  local body = body_text(session)
  local text = ('local m = require "moonlet"\n\n'
    .. 'return m.preset {\n  name = "%s",\n  summary = "Tried in %s.",\n%s\n'
    .. "  run = function(ctx)\n    %s\n  end,\n}\n"):format(name, session.run.id,
    needs_text(session), body:gsub("\n", "\n    "))
  local path = "presets/" .. name .. ".lua"
  local root = session.run.home.root
  if core.file.stat(root, path) and not force then
    record.refuse(path .. " exists already", (":save %s --force replaces it"):format(name))
  end
  local folder, err = core.file.make_root(session.run.home.top .. "/presets")
  if not folder then error(err, 0) end
  local written
  written, err = core.file.write(folder, name .. ".lua", text)
  if not written then error(err, 0) end
  return ("%s is written; moonlet run %s --allow needs"):format(path, name)
end

return M
