--- `moonlet doc [NAME]` prints the reference of what presets and scripts may use.
local options = require "moonlet.engine.cli.options"
local page = require "moonlet.engine.cli.doc.page"
local record = require "moonlet.record"
local reference = require "moonlet.engine.cli.doc.reference"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

M.known = {
  json = { help = "print one JSON envelope and nothing else" },
  markdown = { help = "print the whole reference as Markdown" },
  help = { help = "this text" },
}

local function plain(name) return (name:lower():gsub(":", "."):gsub("^moonlet%.", "")) end

local function fits(name, asked)
  name = plain(name)
  return name == asked or name:sub(-#asked - 1) == "." .. asked
end

--- Finds the entries for a name: exact matches, else all entries of a module with this name, else
--- entries whose names end with it.
local function find(name)
  local asked = plain(name):gsub("^c%.", "ctx.")
  local exact, ends, group, names = {}, {}, {}, {}
  for _, entry in ipairs(reference.read().entries) do
    local own = plain(page.group(entry))
    if plain(entry.name) == asked then exact[#exact + 1] = entry end
    if fits(entry.name, asked) then ends[#ends + 1] = entry end
    if own == asked or own == "m." .. asked then group[#group + 1] = entry end
    names[#names + 1] = entry.name
    names[#names + 1] = entry.name:match "[%w_]+$"
  end
  if #exact > 0 then return exact end
  if #group > 0 then return group, asked end
  if #ends > 0 then return ends end
  local near = record.nearest(name, names)
  options.refuse(("there is no public name '%s'"):format(core.text.printable(name, 60)),
    (near and ("did you mean '%s'? "):format(near) or "") .. "moonlet doc lists every name")
end

local function shown(entry)
  local result = { name = entry.name, kind = entry.kind, summary = entry.summary, text = entry.text,
    signature = reference.signature(entry), type = entry.type, parent = entry.parent,
    generic = entry.generic, file = "stdlib/" .. entry.file, errors = entry.errors,
    example = entry.example }
  for _, list in ipairs { "params", "returns", "fields" } do
    result[list] = core.json.array(entry[list])
  end
  return result
end

function M.main(words)
  local found, rest = verbs.read("doc", words, M.known)
  if rest[2] then options.refuse("moonlet doc takes one name", "moonlet doc ctx:agent") end
  local entries, group = reference.read().entries, nil
  if rest[1] then entries, group = find(rest[1]) end
  local result = { entries = core.json.array {} }
  for i, entry in ipairs(entries) do result.entries[i] = shown(entry) end
  local text
  if found.markdown then
    text = page.markdown()
  elseif #entries == 1 and rest[1] then
    text = page.page(entries[1])
  else
    local head = group and reference.read().modules[entries[1] and page.group(entries[1])]
    text = (head and head .. "\n\n" or "") .. page.list(entries)
    if not rest[1] then
      text = text .. "\nmoonlet doc NAME shows its fields, its errors and an example.\n"
    end
  end
  return options.envelope(result), 0, text
end

return M
