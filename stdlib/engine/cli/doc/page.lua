--- Formats the reference as one entry for a terminal, a list of all entries, or Markdown.
local reference = require "moonlet.engine.cli.doc.reference"
local wrap = require("moonlet.engine.base.page").wrap

local M = {}

local function indent(text, by) return (by .. text:gsub("\n", "\n" .. by)):gsub("[ ]+\n", "\n") end

local function wrapped(text, by) return by .. table.concat(wrap(text, 101 - #by), "\n" .. by) end

local function value_lines(values, by)
  local width, lines = 0, {}
  for _, value in ipairs(values) do width = math.max(width, #value.name) end
  for i, value in ipairs(values) do
    local name = value.name .. (" "):rep(width - #value.name)
    lines[i] = ("%s%s%s%s%s"):format(by, name, value.name ~= "" and "  " or "", value.type,
      value.text ~= "" and "  " .. value.text or "")
  end
  return table.concat(lines, "\n")
end

--- Returns the sections of a reference entry in order, each as {title, text}.
local function sections(entry, by)
  local list = {}
  local function add(title, text) list[#list + 1] = { title, text } end
  if entry.type and entry.kind ~= "function" then add("type", by .. entry.type) end
  if #entry.params > 0 then add("takes", value_lines(entry.params, by)) end
  if entry.kind == "type" then
    local fields = reference.fields(entry.name)
    if #fields > 0 then add("fields", value_lines(fields, by)) end
  else
    for _, record in ipairs(reference.records(entry)) do
      add(record.name, value_lines(record.fields, by))
    end
  end
  if #entry.returns > 0 then add("returns", value_lines(entry.returns, by)) end
  if entry.kind == "function" then add("errors", wrapped(entry.errors or "none of its own", by)) end
  if entry.example then add("example", indent(entry.example, by)) end
  return list
end

function M.page(entry)
  local lines = { reference.signature(entry) }
  if entry.text ~= "" then lines[#lines + 1] = indent(entry.text, "  ") end
  for _, section in ipairs(sections(entry, "  ")) do
    lines[#lines + 1] = "\n" .. section[1] .. ":\n" .. section[2]
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Returns the part of the library that an entry belongs to: "ctx", "m", "m.findings", "types".
function M.group(entry)
  if entry.kind == "type" then return "types" end
  return entry.name:match "^(.*)[.:]" or "globals"
end

--- Groups entries in the order of the reference: ctx and m first, types last.
local function groups(entries)
  local found, names = {}, {}
  for _, entry in ipairs(entries) do
    local group = M.group(entry)
    -- Primitives of `core` are listed only by name, because no script can reach them.
    if group == "types" and entry.name:find "^core" and #entries > 100 then goto next end
    if not found[group] then
      found[group] = {}
      names[#names + 1] = group
    end
    table.insert(found[group], entry)
    ::next::
  end
  local function rank(name)
    return name == "globals" and 0 or name == "ctx" and 1 or name:find "^ctx" and 2
      or not name:find "^[mt]" and 3
      or name == "m" and 4 or name:find "^m%." and 5 or name == "types" and 7 or 6
  end
  table.sort(names, function(a, b)
    if rank(a) ~= rank(b) then return rank(a) < rank(b) end
    return a < b
  end)
  return names, found
end

function M.list(entries)
  local names, found = groups(entries)
  local lines = {}
  for _, name in ipairs(names) do
    lines[#lines + 1] = (#lines > 0 and "\n" or "") .. name
    for _, entry in ipairs(found[name]) do
      -- In a list of entries, print a summary only up to its colon or semicolon.
      lines[#lines + 1] = ("  %-30s %s"):format(entry.name,
        entry.summary:match "^(..........-)[;:] " or entry.summary)
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

local function item(value)
  return ("- %s%s%s"):format(value.name ~= "" and "`" .. value.name .. "`" or "",
    value.type ~= "" and (value.name ~= "" and " " or "") .. "`" .. value.type .. "`" or "",
    value.text ~= "" and ": " .. value.text or "")
end

local function returned(values)
  local list = {}
  for i, value in ipairs(values) do
    list[i] = ("%s`%s`%s"):format(value.name ~= "" and "`" .. value.name .. "` " or "", value.type,
      value.text ~= "" and " (" .. value.text .. ")" or "")
  end
  return "Returns " .. table.concat(list, ", ") .. "."
end

local function as_markdown(entry)
  local lines = { "### " .. reference.signature(entry), entry.text ~= "" and entry.text or nil }
  local function add(text) lines[#lines + 1] = text end
  if entry.type and entry.kind ~= "function" then add("Type: `" .. entry.type .. "`") end
  local values = entry.kind == "type" and entry.fields or entry.params
  if #values > 0 and #lines > 1 then add "" end
  for _, value in ipairs(values) do add(item(value)) end
  if #values > 0 and (#entry.returns > 0 or entry.errors) then add "" end
  if #entry.returns > 0 then add(returned(entry.returns)) end
  if entry.errors then add("Errors: " .. entry.errors) end
  if entry.example then add("```lua\n" .. entry.example .. "\n```") end
  return table.concat(lines, "\n") .. "\n"
end

local head = [[
# The reference of ctx and m

The tests run the examples. An example's `--> value` is the value of its line. The examples run in a repository with
`src/a.lua` and `src/b.lua`.
]]

local function events()
  local lines = { [[
## Events

`events.jsonl`, `--events` and an embedder get one JSON object for each event: `number`, `type`, `ts`, `run`, `step` and
`data`. `number` counts the events of a run from 1, also across resumed hosts. `step` is the key of a step. `data` has
the fields below, where `?` marks optional ones. Events only inform; the journal is the record of a run.
]] }
  for _, kind in ipairs(core.event.kinds().kinds) do
    lines[#lines + 1] = ("### %s\n\n%s\n"):format(kind.name, kind.about)
    for name, text in pairs(kind.fields) do
      lines[#lines + 1] = ("- `%s`: %s"):format(name, text)
    end
    lines[#lines + 1] = ""
  end
  return table.concat(lines, "\n")
end

function M.markdown()
  local read = reference.read()
  local names, found = groups(read.entries)
  local lines = { head }
  for _, name in ipairs(names) do
    lines[#lines + 1] = ("## %s\n"):format(name)
    if read.modules[name] then lines[#lines + 1] = read.modules[name] .. "\n" end
    for _, entry in ipairs(found[name]) do lines[#lines + 1] = as_markdown(entry) end
  end
  lines[#lines + 1] = events()
  return table.concat(lines, "\n")
end

return M
