--- Notes that are kept as data: the texts in JSON, YAML and TOML, each with its line and the keys above it. It is no
--- parser: it passes over text that it does not understand.
local m = require "moonlet"

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower, string.match, string.sub
local concat = table.concat

local M = {}

local entry_limit = 4000
local depth_limit = 64

---@class personalization.Entry
---@field text string   the value
---@field line integer
---@field keys string[] from the outside in
---@field item boolean? one of a list

-- "category": "health" describes its neighbours.
local KINDS = { category = true, topic = true, type = true, kind = true, tag = true, class = true, area = true,
  section = true, group = true }
local PRIVATE = { personal = true, private = true, health = true, medical = true, family = true, people = true,
  contact = true, contacts = true, secret = true, secrets = true, credentials = true, hr = true, finance = true }

local function breaks_in(text)
  return select(2, gsub(text, "\n", ""))
end

--- The texts of a JSON document in their order, also of one that is broken or has comments.
---@param text string
---@return personalization.Entry[]
function M.json(text)
  local entries, stack, pos, line, counted = {}, {}, 1, 1, 1
  while #entries < entry_limit do
    local at = find(text, '["{}%[%],]', pos)
    if not at then break end
    local char = sub(text, at, at)
    pos = at + 1
    if char == "{" or char == "[" then
      if #stack >= depth_limit then break end
      stack[#stack + 1] = { object = char == "{" }
    elseif char == "}" or char == "]" then
      stack[#stack] = nil
      if #stack > 0 then stack[#stack].key = stack[#stack].object and stack[#stack].key or nil end
    elseif char == "," then
      if #stack > 0 then stack[#stack].key = nil end
    else
      local stop = at + 1
      while true do
        local mark = find(text, '[\\"]', stop)
        if not mark then return entries end
        stop = mark + 1
        if sub(text, mark, mark) == '"' then break end
        stop = mark + 2
      end
      local good, value = pcall(m.json.decode, sub(text, at, stop - 1))
      pos = stop
      local top = stack[#stack]
      if good and type(value) == "string" then
        if top and top.object and not top.key then
          top.key = value
        else
          line, counted = line + breaks_in(sub(text, counted, at)), at + 1
          local keys = {}
          for _, level in ipairs(stack) do keys[#keys + 1] = level.key end
          if top and PRIVATE[lower(value)] and KINDS[top.key] then top.private = true end
          entries[#entries + 1] = { text = value, line = line, keys = keys, item = top and not top.object, of = top }
        end
      end
    end
  end
  return entries
end

local function unquoted(value)
  local inner = match(value, '^"(.*)"%s*$')
  if inner then return (gsub(gsub(inner, '\\"', '"'), "\\\\", "\\")) end
  inner = match(value, "^'(.*)'%s*$")
  if inner then return (gsub(inner, "''", "'")) end
  return (gsub(gsub(value, "%s+#%s.*$", ""), "%s+$", ""))
end

--- The texts of a YAML document.
---@param lines {text: string, line: integer}[]
---@return personalization.Entry[]
function M.yaml(lines)
  local entries, open, block = {}, {}, nil
  local last
  local function keys_above(indent)
    local keys = {}
    for _, level in ipairs(open) do
      if level.indent < indent then keys[#keys + 1] = level.key end
    end
    return keys
  end
  local function add(value, line, keys, item)
    value = unquoted(value)
    last = nil
    if value ~= "" and #entries < entry_limit then
      last = { text = value, line = line, keys = keys, item = item }
      entries[#entries + 1] = last
    end
  end
  for _, entry in ipairs(lines) do
    local indent = #match(entry.text, "^ *")
    local text = sub(entry.text, indent + 1)
    if block and (indent > block.indent or text == "") then
      if text ~= "" then
        local item = match(text, "^[%-%*]%s+(.*)$")
        if item or not block.entry or block.gap then
          add(item or text, entry.line, block.keys, true)
          block.entry = last
        else
          block.entry.text = block.entry.text .. " " .. text
        end
      end
      block.gap = text == ""
    elseif text ~= "" and not find(text, "^#") and not find(text, "^%-%-%-") then
      block = nil
      local dashes = match(text, "^[%-%s]*%- +") or match(text, "^%-$")
      local column = indent
      if dashes then
        column = indent + #dashes
        text = sub(text, #dashes + 1)
      end
      while #open > 0 and open[#open].indent >= column do open[#open] = nil end
      local key, value = match(text, "^[\"']?([%a_\128-\255][%w_%-%. \128-\255]*)[\"']?:%s*(.*)$")
      if key and not find(value, "^//") and #key <= 60 then
        local keys = keys_above(column)
        keys[#keys + 1] = key
        if find(value, "^[|>][%+%-%d]*%s*$") then
          block = { indent = column, keys = keys }
        elseif value == "" or find(value, "^#") then
          if #open < depth_limit then open[#open + 1] = { indent = column, key = key } end
        elseif find(value, "^%[.*%]%s*$") then
          for item in string.gmatch(sub(match(value, "^(.*%])"), 2, -2), "[^,]+") do
            add(match(item, "^%s*(.-)%s*$"), entry.line, keys, true)
          end
        else
          add(value, entry.line, keys)
        end
      elseif dashes or not last then
        add(text, entry.line, keys_above(column), true)
      else
        last.text = last.text .. " " .. unquoted(text)
      end
    end
  end
  return entries
end

--- The texts of a TOML document, and of files in its manner (ini, editorconfig).
---@param lines {text: string, line: integer}[]
---@return personalization.Entry[]
function M.toml(lines)
  local entries, section, list = {}, {}, nil
  local function add(value, line, key, item)
    local keys = { table.unpack(section) }
    keys[#keys + 1] = key
    value = unquoted(value)
    if value ~= "" and #entries < entry_limit then
      entries[#entries + 1] = { text = value, line = line, keys = keys, item = item }
    end
  end
  local function add_items(text, line, key)
    for item in string.gmatch(text, '"([^"]*)"') do add(item, line, key, true) end
    for item in string.gmatch(gsub(text, '"[^"]*"', ""), "'([^']*)'") do add(item, line, key, true) end
  end
  for _, entry in ipairs(lines) do
    local text = match(entry.text, "^%s*(.-)%s*$")
    local head = match(text, "^%[%[?([^%]]+)%]%]?%s*#?")
    local key, value = match(text, "^[\"']?([%w_%-%.]+)[\"']?%s*=%s*(.*)$")
    if list then
      add_items(text, entry.line, list)
      if find(text, "^%]") or find(text, "%]%s*$") then list = nil end
    elseif find(text, "^[#;]") then
      list = nil
    elseif head then
      section = {}
      for part in string.gmatch(head, "[^%.]+") do section[#section + 1] = gsub(part, "[\"'%s]", "") end
    elseif key and find(value, "^%[") then
      add_items(value, entry.line, key)
      if not find(value, "%]") then list = key end
    elseif key then
      add(value, entry.line, key)
    end
  end
  return entries
end

local NO_WISH = {}
for word in string.gmatch([[name description summary license version url homepage repository scripts script command
  cmd dependencies devdependencies image ports volumes path file error message title id type status state created
  updated timestamp date email phone author sha hash example examples alternatives rejected tags topic category
  source]],
  "%S+") do
  NO_WISH[word] = true
end

--- The words of an entry as a sentence, and the keys above as a heading; nil if the keys show that it is no note.
---@param entry personalization.Entry
---@return string? text, string heading
function M.told(entry)
  local keys = {}
  for i, key in ipairs(entry.keys) do keys[i] = lower(gsub(gsub(key, "(%l)(%u)", "%1 %2"), "[_%-%.]", " ")) end
  local last = keys[#keys]
  local heading = concat(keys, " / ")
  if last and NO_WISH[gsub(last, " ", "")] then return nil, heading end
  local words = breaks_in(gsub(entry.text, "%S+", "\n"))
  -- A sentence speaks for itself; a word needs its key.
  if last and not entry.item and words <= 4 and not find(last, "^%l+%s?%d+$")
    and not find(entry.text, "^%u%l+ .+%.$") then
    return last .. ": " .. entry.text, heading
  end
  return entry.text, heading
end

return M
