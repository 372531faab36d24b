--- Encodes values for the journal as JSON, even if they contain arbitrary bytes.
--- Each large value gets a file named by its hash.
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"

local M = {}

local null = core.json.null
local function write_value(...) return infrastructure_error.call(core.run.write_value, ...) end
local inline_cap = 64 * 1024
local value_cap = 256 << 20

local function is_plain(value) return type(value) ~= "table" or value == null end

local function is_wrapper(value)
  return value["$bytes"] ~= nil or value["$value"] ~= nil or value["$table"] ~= nil
    or value["$pairs"] ~= nil
    or value["$lost"] ~= nil or value["$infinite"] ~= nil
end

local function has_odd_key(value)
  for key in pairs(value) do
    if type(key) == "string" and not core.text.is_utf8(key) then return true end
  end
  return false
end

local function by_bytes(a, b) return a.key < b.key end

local function pack_pairs(value, pack)
  local list = core.json.array {}
  for key, item in pairs(value) do
    if type(key) ~= "string" then return nil end
    list[#list + 1] = { key = key, item = item }
  end
  table.sort(list, by_bytes)
  for i, pair in ipairs(list) do list[i] = core.json.array { pack(pair.key), pack(pair.item) } end
  return { ["$pairs"] = list }
end

local function pack(value)
  if type(value) == "string" then
    if core.text.is_utf8(value) then return value end
    local text = value:gsub("[\128-\255]", function(c) return utf8.char(c:byte()) end)
    return { ["$bytes"] = text }
  end
  if value == math.huge then return { ["$infinite"] = true } end
  if type(value) == "userdata" then
    local lost = core.lost.record(value)
    return lost and { ["$lost"] = pack(lost) } or value
  end
  if type(value) ~= "table" then return value end
  local odd = not core.json.is_array(value) and has_odd_key(value) and pack_pairs(value, pack)
  if odd then return odd end
  local copy = core.json.is_array(value) and core.json.array {} or {}
  for key, item in pairs(value) do copy[key] = pack(item) end
  return is_wrapper(value) and { ["$table"] = copy } or copy
end

local function unpack(value, inside)
  if is_plain(value) then return value end
  local bytes, whole, list = value["$bytes"], value["$table"], value["$pairs"]
  if not inside and bytes then
    return (bytes:gsub(utf8.charpattern, function(c) return string.char(utf8.codepoint(c)) end))
  end
  if not inside and value["$lost"] then return core.lost.new(unpack(value["$lost"])) end
  if not inside and value["$infinite"] then return math.huge end
  if not inside and whole then return unpack(whole, true) end
  if not inside and list then
    local copy = {}
    for _, pair in ipairs(list) do copy[unpack(pair[1])] = unpack(pair[2]) end
    return copy
  end
  for key, item in pairs(value) do value[key] = unpack(item) end
  return value
end

--- Encodes a value that JSON cannot represent without loss; nil for any other value.
function M.packed(value)
  return core.json.encode_record(value):find("\u{FFFD}", 1, true) and pack(value) or nil
end

function M.unpacked(packed) return unpack(packed) end

function M.text(value) return core.json.encode_record(pack(value)) end

function M.read(text) return unpack(core.json.decode_record(text)) end

function M.copy(value)
  if value == nil then return nil end
  return M.read(M.text(value))
end

--- Returns the stored form of a value: the name of a file if it is large.
---@param value any       JSON value whose strings may contain any bytes
---@param durable boolean  a large value's file is on disk when this returns
---@return integer[]? places  where secrets' names replaced secrets (core.secret.restore)
function M.put(value, durable)
  local packed = pack(value)
  local text, places = core.secret.hide(core.json.encode_record(packed))
  if #text <= inline_cap then return packed, places end
  if #text > value_cap then
    error({ kind = "limit",
      message = ("a value takes %d MB on record; %d can be kept"):format(#text >> 20,
      value_cap >> 20), hint = "store such data in a file, and pass the name of the file" }, 0)
  end
  local name = core.text.sha256(text)
  write_value(name, text, durable)
  return { ["$value"] = name, bytes = #text }, places
end

--- Returns a hash that reveals nothing without the run's key.
---@param key string?  key of another run; default: the current run's
function M.keyed(text, key)
  key = key or infrastructure_error.call(core.secret.key)
  return "keyed:" .. core.text.sha256(key .. core.text.sha256(key .. text))
end

function M.is(value, hash)
  if hash:find("^keyed:") then return M.keyed(M.text(value)) == hash end
  -- Old journals have plain hashes of redacted values.
  return core.text.sha256(core.run.redact(M.text(value))) == hash
end

--- Reads a value file during a forecast; else nil.
---@type (fun(name: string, cap: integer): string?)?
M.reader = nil

--- Returns nil if the file of the value is missing or damaged.
---@param read (fun(name: string, cap: integer): string?)?
function M.stored_text(stored, read)
  local name = not is_plain(stored) and stored["$value"]
  if not name then return core.json.encode_record(stored) end
  local text = (read or M.reader or core.run.read_value)(name, value_cap)
  return text and core.text.sha256(text) == name and text or nil
end

--- Returns a stored value, or nil if its file is missing or damaged.
---@param read (fun(name: string, cap: integer): string?)?  reads the value files of another run
function M.get(stored, read)
  if is_plain(stored) or not stored["$value"] then return unpack(stored) end
  local text = M.stored_text(stored, read)
  return text and M.read(text)
end

return M
