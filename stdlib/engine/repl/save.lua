--- Writes the lines that worked as a preset: steps get names, variables become locals, the last value is the result.
local input = require "moonlet.engine.repl.input"
local record = require "moonlet.record"

local M = {}

local named_verbs = { agent = true, gate = true, question = true }

--- Gives the calls of a line that have none a name of their own.
local function with_names(text, count)
  return (text:gsub("(ctx:(%a+)%s*%(?%s*{)(%s*)([^}]*)", function(call, verb, space, rest)
    if not named_verbs[verb] or rest:find("%f[%w]name%s*=") then return nil end
    count[verb] = (count[verb] or 0) + 1
    return ("%s name = \"%s-%d\",%s%s"):format(call, verb, count[verb], space == "" and " " or space, rest)
  end))
end

local function assigned_names(session)
  local names = {}
  for name in pairs(session.environment) do
    if type(name) == "string" and not session.own_names[name] then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function list_text(names)
  local quoted = {}
  for i, name in ipairs(names) do quoted[i] = ("%q"):format(name) end
  return #quoted > 0 and ("{ %s }"):format(table.concat(quoted, ", ")) or nil
end

--- The needs that the preset has to declare: the rights of this run, as far as a preset can have them.
local function needs_text(session, text)
  local grants, parts = session.run.grants, {}
  local programs, seen = {}, {}
  local function add(name)
    if not seen[name] and not name:find("/", 1, true) then
      seen[name] = true
      programs[#programs + 1] = name
    end
  end
  for name in pairs(grants.run) do add(name) end
  for name in text:gmatch("ctx:exec%s*%(?%s*{%s*[\"']([^\"']+)[\"']") do add(name) end
  table.sort(programs)
  if #programs > 0 then parts[#parts + 1] = "programs = " .. list_text(programs) end
  if text:find("ctx:agent", 1, true) then parts[#parts + 1] = "agents = true" end
  local read = grants.all and text:find("ctx:read", 1, true) and { "." } or grants.read
  if #read > 0 then parts[#parts + 1] = "read = " .. list_text(read) end
  if #grants.write > 0 then parts[#parts + 1] = "write = " .. list_text(grants.write) end
  return #parts > 0 and ("  needs = { %s },\n"):format(table.concat(parts, ", ")) or ""
end

local function body_text(session)
  local good = {}
  for _, line in ipairs(session.lines) do
    if line.ok then good[#good + 1] = line end
  end
  local lines, count = {}, {}
  for i, line in ipairs(good) do
    local text = with_names(line.text, count)
    if not input.is_expression(session.environment, line.text) then
      lines[#lines + 1] = input.without_local(text)
    elseif i == #good then
      lines[#lines + 1] = "return " .. text
    elseif text:find("%)%s*$") or text:find("}%s*$") then
      lines[#lines + 1] = text:match("^[%a_][%w_.:]*[%s]*[%({]") and text or nil
    end
  end
  local last = good[#good]
  if last and not input.is_expression(session.environment, last.text) then
    local name = input.without_local(last.text):match("^%s*([%a_][%w_]*)%s*=[^=]")
    if name then lines[#lines + 1] = "return " .. name end
  end
  local names = assigned_names(session)
  if #names > 0 then table.insert(lines, 1, "local " .. table.concat(names, ", ")) end
  return table.concat(lines, "\n")
end

--- Writes presets/NAME.lua in the repository.
---@param session moonlet.Repl
---@param name string
---@return string  a text for the person
function M.write(session, name)
  if not name:match("^%l[%l%d-]*$") then
    error(record.invalid(":save needs a name of small letters, digits and -", ":save panel"), 0)
  end
  local body = body_text(session)
  local text = ('local m = require "moonlet"\n\nreturn m.preset {\n  name = "%s",\n  summary = "Tried in %s.",\n%s\n'
    .. "  run = function(ctx)\n    %s\n  end,\n}\n"):format(name, session.run.id, needs_text(session, body),
    body:gsub("\n", "\n    "))
  local path = "presets/" .. name .. ".lua"
  local root = session.run.home.root
  if core.file.stat(root, path) then error(record.invalid(path .. " exists already", "choose another name"), 0) end
  local folder, err = core.file.make_root(session.run.home.top .. "/presets")
  if not folder then error(err, 0) end
  local written
  written, err = core.file.write(folder, name .. ".lua", text)
  if not written then error(err, 0) end
  return ("%s is written; moonlet run %s --allow needs"):format(path, name)
end

return M
