--- Values as a prompt prints them: records by field, lists with their length, long text folded, all of it capped.
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

--- A lost value, null and functions print as what they are.
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

--- The usage of an agent, and the folder with its artifacts.
local function agent_line(value)
  local usage = rawget(value, "usage")
  local dir = rawget(value, "dir")
  if type(usage) ~= "table" or type(dir) ~= "string" then return nil end
  local tokens = usage.total_tokens and usage.total_tokens ~= core.json.null
    and ("%s tokens"):format(usage.total_tokens) or "tokens unknown"
  local cost = usage.cost_usd and usage.cost_usd ~= core.json.null and (", $%s"):format(usage.cost_usd) or ""
  return ("-- an agent's answer: %s%s, %s"):format(tokens, cost, dir)
end

local function shown(value, indent, depth, seen)
  local simple = plain(value)
  if simple then return simple end
  if seen[value] then return "(above)" end
  local meta = getmetatable(value)
  -- A handle such as ctx has no fields of its own; a closed record has.
  if meta ~= nil and type(meta) ~= "table" and next(value) == nil then return tostring(value) end
  if depth > most_depth then return "{…}" end
  seen[value] = true
  local inner = indent .. "  "
  local lines, count = {}, rawlen(value)
  for i = 1, math.min(count, most_items) do lines[#lines + 1] = shown(value[i], inner, depth + 1, seen) end
  if count > most_items then lines[#lines + 1] = ("… %d more"):format(count - most_items) end
  local keys = keys_of(value)
  for i = 1, math.min(#keys, most_items) do
    lines[#lines + 1] = ("%s = %s"):format(key_text(keys[i]), shown(value[keys[i]], inner, depth + 1, seen))
  end
  if #keys > most_items then lines[#lines + 1] = ("… %d more"):format(#keys - most_items) end
  seen[value] = nil
  local head = count > 0 and ("list of %d "):format(count) or ""
  if #lines == 0 then return head .. "{}" end
  local one = table.concat(lines, ", ")
  if #one <= 70 and not one:find("\n", 1, true) then return ("%s{ %s }"):format(head, one) end
  return ("%s{\n%s%s\n%s}"):format(head, inner, table.concat(lines, ",\n" .. inner), indent)
end

--- A value as text. A text stands without quotes, in full up to 8,000 bytes.
---@param value any
---@return string
function M.text(value)
  if type(value) == "string" then
    value = value:gsub("\n$", "")
    local cut = core.text.cut(value, most_bytes)
    return #cut < #value and ("%s\n… (%d bytes)"):format(cut, #value) or cut
  end
  local text = core.text.cut(shown(value, "", 1, {}), most_bytes)
  local note = type(value) == "table" and not core.lost.record(value) and agent_line(value)
  return note and text .. "\n" .. note or text
end

return M
