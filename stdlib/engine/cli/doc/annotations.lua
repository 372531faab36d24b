--- Parses the LuaCATS annotations of the public library: one entry per function, value and type.
local M = {}

---@class moonlet.doc.Value      a parameter, a result or a field
---@field name string
---@field type string
---@field text string

---@class moonlet.doc.Entry
---@field name string            "ctx:agent", "m.arg.string", "moonlet.AgentCall"
---@field kind "function"|"value"|"type"|"module"
---@field file string
---@field summary string         first sentence of the description
---@field text string            the whole description
---@field type string?           set for a value or an alias
---@field parent string?         type whose fields are inherited
---@field generic string?
---@field params moonlet.doc.Value[]
---@field returns moonlet.doc.Value[]
---@field fields moonlet.doc.Value[]
---@field errors string?
---@field example string?

local closing = { ["("] = ")", ["{"] = "}", ["["] = "]", ["<"] = ">" }

--- Returns the position after a bracketed or quoted part that starts at `at`.
local function past_part(text, at)
  local char = text:sub(at, at)
  if char == '"' or char == "'" then return (text:find(char, at + 1, true) or #text) + 1 end
  local close = closing[char]
  if not close then return at + 1 end
  at = at + 1
  while at <= #text and text:sub(at, at) ~= close do at = past_part(text, at) end
  return at + 1
end

--- Splits a type from the text after it: "fun(a: string): boolean  does it" gives two parts.
function M.split_type(text)
  text = text:match "^%s*(.-)%s*$"
  local at = 1
  while at <= #text do
    if text:find("^%s", at) then
      -- The type continues if the space is beside a union's "|" or before a function's results.
      if not text:find("^%s+|", at) and not text:sub(1, at - 1):find "[|,:]$" then break end
      at = text:find("%S", at)
    elseif text:find("^,%s", at) and not text:sub(1, at - 1):find "%)%s*:[^,]*$" then
      break
    else
      at = past_part(text, at)
    end
  end
  return text:sub(1, at - 1), (text:sub(at):gsub("^%s+", ""))
end

local function named_value(text)
  local name, optional, rest = text:match "^([%w_.]+)(%??)%s+(.*)$"
  if not name then return { name = text, type = "any", text = "" } end
  local kind, said = M.split_type(rest)
  return { name = name, type = kind .. (optional ~= "" and kind:sub(-1) ~= "?" and "?" or ""),
    text = said }
end

--- Parses a @return line: "string? text, table? err" are two results.
local function returned_values(text)
  local list = {}
  repeat
    local kind, rest = M.split_type(text)
    local name, said = rest:match "^([%a_][%w_]*)%f[%s,\0](.*)$"
    local more = (said or rest):match "^%s*,%s*(.+)$"
    local named = name and (more or said == "" or said:find "^%s%s")
    list[#list + 1] = { name = named and name or "", type = kind,
      text = more and "" or ((named and said or rest):gsub("^[%s#]+", "")) }
    text = more
  until not text
  return list
end

--- Parses a function type such as "fun(options?: moonlet.ArgOptions): moonlet.Arg".
local function of_function_type(entry, kind)
  local inside, after = kind:match "^fun(%b())%s*:?%s*(.*)$"
  if not inside then return end
  entry.kind = "function"
  local text = inside:sub(2, -2)
  while text:find "%S" do
    local name, optional, rest = text:match "^%s*([%w_.]+)(%??)%s*:%s*(.*)$"
    if not name then break end
    local one, more = M.split_type(rest)
    entry.params[#entry.params + 1] = { name = name, type = one .. optional, text = "" }
    text = more:gsub("^%s*,", "")
  end
  if after ~= "" then entry.returns = returned_values(after) end
end

local tags = {}

function tags.param(entry, text)
  entry.params[#entry.params + 1] = named_value(text)
  return entry.params[#entry.params]
end

tags["return"] = function(entry, text)
  for _, value in ipairs(returned_values(text)) do entry.returns[#entry.returns + 1] = value end
  return entry.returns[#entry.returns]
end

function tags.field(entry, text)
  entry.fields[#entry.fields + 1] = named_value(text:gsub("^public%s+", ""))
  return entry.fields[#entry.fields]
end

function tags.class(entry, text)
  local name, parent, said = text:match "^([%w_.]+)%s*:%s*([%w_.]+)%s*(.*)$"
  if not name then name, said = text:match "^([%w_.]+)%s*(.*)$" end
  entry.class, entry.parent = name, parent
  if said ~= "" then entry.lines[#entry.lines + 1] = said end
  return nil
end

function tags.alias(entry, text)
  local name, rest = text:match "^([%w_.]+)%s*(.*)$"
  local kind, said = M.split_type(rest)
  entry.class, entry.type = name, kind
  if said ~= "" then entry.lines[#entry.lines + 1] = said end
end

function tags.type(entry, text) entry.type = M.split_type(text) end
function tags.generic(entry, text) entry.generic = text end

local function new_entry(file)
  return { file = file, lines = {}, params = {}, returns = {}, fields = {} }
end

--- Moves the example and the errors from a description to their own fields.
local function settle_text(entry)
  local said, errors, example, where = {}, {}, {}, "text"
  for _, line in ipairs(entry.lines) do
    local fence = line:match "^```(%w*)"
    if fence then
      where = where == "example" and "text" or "example"
    elseif where == "example" then
      example[#example + 1] = line
    elseif line:find "^Errors: " then
      where = "errors"
      errors[1] = line:sub(9)
    elseif not line:find "%S" then
      where = "text"
      if #said > 0 and said[#said] ~= "" then said[#said + 1] = "" end
    elseif where == "errors" then
      errors[#errors + 1] = line
    else
      said[#said + 1] = line
    end
  end
  entry.text = table.concat(said, "\n"):gsub("%s+$", "")
  entry.errors = #errors > 0 and table.concat(errors, " ") or nil
  entry.example = #example > 0 and table.concat(example, "\n") or nil
  local first = entry.text:match "^(.-)\n\n" or entry.text
  first = first:gsub("%s*\n%s*", " ")
  entry.summary = first:match "^(.-[.:!?])%s+[%u`]" or first
  entry.lines = nil
end

--- Sets the name and the kind of an entry from the line of code below its comment.
--- Returns nil if the name is not public.
local function name_by_code(entry, code, prefix_of)
  local base, name, params = code:match "^function ([%w_.]+[.:])([%w_]+)%s*%(([^)]*)%)"
  if not base then base, name = code:match "^([%w_.]+%.)([%w_]+)%s*=" end
  if not base then return nil end
  local prefix = prefix_of(entry.file, base:match "^[%w_]+", name)
  if not prefix then return nil end
  entry.name = prefix .. base:match "^[%w_]+(.*)$" .. name
  entry.kind = (params or entry.type and entry.type:find "^fun%(") and "function" or "value"
  if entry.kind == "value" and not entry.type and #entry.params > 0 then entry.kind = "function" end
  if entry.type and not params then of_function_type(entry, entry.type) end
  return entry
end

--- Parses the blocks of one file and calls add(entry) for each.
--- `prefix_of(file, base, name)` returns the public name of a local variable of the file.
function M.read(file, text, prefix_of, add)
  local entry, last
  local first = true
  local function close(code)
    settle_text(entry)
    local own_class = entry.class
    if own_class then
      entry.kind = "type"
      entry.name = own_class
      add(entry)
    elseif name_by_code(entry, code, prefix_of) then
      add(entry)
    elseif first and entry.text ~= "" then
      entry.kind, entry.name = "module", file
      add(entry)
    end
    entry, last, first = nil, nil, false
  end
  for line in (text .. "\n"):gmatch "(.-)\n" do
    local note = line:match "^%-%-%-(.*)$"
    if note then
      local tag, rest = note:match "^@(%l+)%s*(.*)$"
      entry = entry or new_entry(file)
      if tag == "class" or tag == "alias" then
        -- A block of annotations may declare several types.
        if entry.class then close "" end
        entry = entry or new_entry(file)
      end
      if tag then
        last = tags[tag] and tags[tag](entry, rest)
      elseif note:find "^|" then
        local value, said = M.split_type(note:sub(2))
        entry.type = entry.type ~= "" and entry.type .. "|" .. value or value
        entry.fields[#entry.fields + 1] = { name = value, type = "",
          text = (said:gsub("^[#%s]+", "")) }
      elseif last then
        last.text = last.text .. (last.text ~= "" and " " or "") .. note:match "^%s*(.-)%s*$"
      else
        entry.lines[#entry.lines + 1] = note:gsub("^ ", "")
      end
    elseif entry then
      close(line)
    end
  end
  if entry then close "" end
end

return M
