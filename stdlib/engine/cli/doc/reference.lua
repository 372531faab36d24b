--- Reads the library's public names and annotations for `moonlet doc`, --help and the reference.
local annotations = require "moonlet.engine.cli.doc.annotations"
local sorted_keys = require "moonlet.engine.base.sorted_keys"

local M = {}

--- Returns a function that maps a file to its public prefix: "m." or the name that scripts require.
local function prefixes(notes)
  local on_m = {}
  annotations.read("init.lua", notes["init.lua"], function() return nil end, function(entry)
    for _, field in ipairs(entry.name == "moonlet.m" and entry.fields or {}) do
      on_m[field.name] = true
    end
  end)
  return function(file, base)
    if file:find "^meta/" then return base == "budget" and "ctx.budget" or base end
    if base ~= "M" then return nil end
    local module = file:match "^([%l_]+)"
    if module == "init" or module == "preset" then return "m" end
    return (on_m[module] and "m." or "moonlet.") .. module
  end
end

local function by_name(a, b)
  local one, other = a.name:lower(), b.name:lower()
  return one < other or one == other and a.name < b.name
end

---@class moonlet.doc.Reference
---@field entries moonlet.doc.Entry[]            sorted: functions and values, then types
---@field named table<string, moonlet.doc.Entry>
---@field modules table<string, string>          head comment of each file, by public name

local function mentions(values, name)
  for _, value in ipairs(values) do
    if value.type:find(name .. "%f[^%w_.]") then return true end
  end
  return false
end

--- Describes a type without a summary by its first use: parameter, result, field or base.
local function use_of(name, entries)
  for _, use in ipairs { { "params", "taken by " }, { "returns", "the result of " },
      { "fields", "a part of " } } do
    for _, entry in ipairs(entries) do
      if entry.name ~= name and mentions(entry[use[1]], name) then return use[2] .. entry.name end
    end
  end
  for _, entry in ipairs(entries) do
    local held = entry.parent == name or entry.type and entry.type:find(name, 1, true)
    if held then return "the base of " .. entry.name end
  end
  return ""
end

local read

function M.read()
  if read then return read end
  local notes = core.script.notes()
  local prefix_of = prefixes(notes)
  local named, entries, modules = {}, {}, {}
  for _, file in ipairs(sorted_keys(notes)) do
    -- The files in the top folder and in meta/ are public. The files in git/ and patterns/ are also
    -- public, because m.git and m.patterns export their functions. All other files are internal.
    local public = file:find "^[%l_]+%.lua$" or file:find "^meta/" or file:find "^git/"
      or file:find "^patterns/"
    annotations.read(file, notes[file], prefix_of, function(entry)
      if entry.kind == "module" then
        local whole = public and not file:find "^git/" and not file:find "^patterns/"
        if whole then modules[prefix_of(file, "M", "") or file] = entry.text end
      elseif entry.kind == "type" and named[entry.name] then
        table.move(entry.fields, 1, #entry.fields, #named[entry.name].fields + 1,
          named[entry.name].fields)
      elseif entry.kind == "type" and entry.name:find "^moonlet%.%l+$" then
        -- Skip the type of a module's table, because its fields have entries of their own.
        return
      elseif public or entry.kind == "type" then
        named[entry.name] = entry
        entries[#entries + 1] = entry
      end
    end)
  end
  table.sort(entries, by_name)
  for _, entry in ipairs(entries) do
    if entry.kind == "type" and entry.summary == "" then
      entry.summary = use_of(entry.name, entries)
    end
  end
  read = { entries = entries, named = named, modules = modules }
  return read
end

--- Returns the fields of a type and of its parents.
function M.fields(name)
  local entry = M.read().named[name]
  if not entry then return {} end
  local fields = entry.parent and M.fields(entry.parent) or {}
  return table.move(entry.fields, 1, #entry.fields, #fields + 1, fields)
end

--- Returns the types with fields, such as options tables, that a function takes or returns.
function M.records(entry)
  local found, seen = {}, {}
  for _, group in ipairs { entry.params, entry.returns } do
    for _, value in ipairs(group) do
      for name in value.type:gmatch "moonlet[%w_.]+" do
        if not seen[name] and #M.fields(name) > 0 and name ~= "moonlet.Ctx" then
          seen[name] = true
          found[#found + 1] = { is_taken = group == entry.params, name = name,
            fields = M.fields(name) }
        end
      end
    end
  end
  return found
end

--- Formats the signature of an entry, such as "ctx:agent(call) -> answer".
function M.signature(entry)
  if entry.kind == "type" then
    return entry.name .. (entry.parent and " : " .. entry.parent or "")
  end
  if entry.kind == "value" then return entry.name end
  local names = {}
  for i, param in ipairs(entry.params) do
    names[i] = param.name .. (param.type:sub(-1) == "?" and "?" or "")
  end
  local results = {}
  for i, value in ipairs(entry.returns) do
    results[i] = value.name ~= "" and value.name or value.type
  end
  return ("%s(%s)%s"):format(entry.name, table.concat(names, ", "),
    #results > 0 and " -> " .. table.concat(results, ", ") or "")
end

function M.kind_of_argument(kind)
  local entry = M.read().named["m.arg." .. kind]
  return entry and entry.summary
end

return M
