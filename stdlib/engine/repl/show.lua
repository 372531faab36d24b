--- Formats values for the prompt: records, lists and long texts, all truncated.
local duration = require "moonlet.duration"

local M = {}

local most_items, most_depth, longest_text, most_bytes = 20, 4, 400, 8000

local function text_of(value)
  local folded = core.text.cut(value, longest_text)
  local shown = ("%q"):format(folded):gsub("\\\n", "\\n"):gsub("\\9", "\\t")
  if #value > #folded then shown = ("%s (%d bytes)"):format(shown, #value) end
  return shown
end

local function key_text(key)
  if type(key) == "string" and key:match("^[%a_][%w_]*$") then return key end
  return ("[%s]"):format(type(key) == "string" and text_of(key) or tostring(key))
end

local function plain(value)
  if value == core.json.null then return "null" end
  if core.lost.record(value) then return tostring(value) end
  local kind = type(value)
  if kind == "string" then return text_of(value) end
  if kind ~= "table" then return tostring(value) end
end

local function keys_of(value)
  local keys = {}
  for key in pairs(value) do
    if math.type(key) ~= "integer" or key < 1 or key > rawlen(value) then keys[#keys + 1] = key end
  end
  return keys
end

--- Describes the duration, tokens, cost and folder of an agent's answer; nil for other values.
local function agent_line(value)
  local attempts, dir = rawget(value, "attempts"), rawget(value, "dir")
  if type(attempts) ~= "table" or type(dir) ~= "string" then return nil end
  local usage, ms = rawget(value, "usage"), 0
  usage = type(usage) == "table" and usage or {}
  for _, attempt in ipairs(attempts) do ms = ms + (math.tointeger(attempt.duration_ms) or 0) end
  local parts = { "-- an agent's answer", duration.text(ms) }
  if #attempts > 1 then parts[#parts + 1] = ("%d attempts"):format(#attempts) end
  local total, cost = usage.total_tokens, usage.cost_usd
  parts[#parts + 1] = total and total ~= core.json.null and ("%s tokens"):format(total)
    or "tokens unknown"
  if cost and cost ~= core.json.null then parts[#parts + 1] = ("$%s"):format(cost) end
  return table.concat(parts, ", ") .. "\n-- " .. dir
end

local function shown(value, indent, depth, seen)
  local simple = plain(value)
  if simple then return simple end
  if seen[value] then return "(above)" end
  local meta = getmetatable(value)
  -- A handle such as ctx has a hidden metatable and no fields, so print only its name.
  if meta ~= nil and type(meta) ~= "table" and next(value) == nil then
    local name = tostring(value):gsub(": %w+$", "")
    return name == "moonlet.array" and "list of 0 {}" or ("(%s)"):format(name)
  end
  if depth > most_depth then return "{…}" end
  seen[value] = true
  local inner = indent .. "  "
  local lines, count = {}, rawlen(value)
  for i = 1, math.min(count, most_items) do
    lines[#lines + 1] = shown(value[i], inner, depth + 1, seen)
  end
  if count > most_items then lines[#lines + 1] = ("… %d more"):format(count - most_items) end
  local keys = keys_of(value)
  for i = 1, math.min(#keys, most_items) do
    lines[#lines + 1] = ("%s = %s"):format(key_text(keys[i]),
      shown(value[keys[i]], inner, depth + 1, seen))
  end
  if #keys > most_items then lines[#lines + 1] = ("… %d more"):format(#keys - most_items) end
  seen[value] = nil
  local head = count > 0 and ("list of %d "):format(count) or ""
  if #lines == 0 then return head .. "{}" end
  local one = table.concat(lines, ", ")
  if #one <= 70 and not one:find("\n", 1, true) then return ("%s{ %s }"):format(head, one) end
  return ("%s{\n%s%s\n%s}"):format(head, inner, table.concat(lines, ",\n" .. inner), indent)
end

--- Formats a value as text. A string is printed without quotes, up to 8,000 bytes.
function M.text(value)
  if type(value) == "string" then
    value = value:gsub("\n$", "")
    local cut = core.text.cut(value, most_bytes)
    return #cut < #value and ("%s\n… (%d bytes)"):format(cut, #value) or cut
  end
  local note = type(value) == "table" and not core.lost.record(value) and agent_line(value)
  if not note then return core.text.cut(shown(value, "", 1, {}), most_bytes) end
  -- Print only the data or text of an answer; the user can ask for its other fields.
  local data = rawget(value, "data")
  return ("%s\n%s"):format(M.text(data ~= nil and data ~= core.json.null and data
    or rawget(value, "text")), note)
end

return M
