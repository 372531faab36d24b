--- Computes time zone offsets from the zone files of the operating system.
local M = {}

local folders = { "/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/var/db/timezone/zoneinfo" }
local cache = {}

local function read(bytes)
  if bytes:sub(1, 4) ~= "TZif" then return nil end
  local function header(at)
    local isutc, isstd, leap, times, types, chars = string.unpack(">I4I4I4I4I4I4", bytes, at + 20)
    return { isutc = isutc, isstd = isstd, leap = leap, times = times, types = types, chars = chars,
      data = at + 44 }
  end
  local head, width, format = header(1), 4, ">i4"
  if bytes:byte(5) >= 50 then  -- since version 2, the file repeats its data with 64-bit times
    head = header(head.data + head.times * 5 + head.types * 6 + head.chars + head.leap * 8
      + head.isstd + head.isutc)
    width, format = 8, ">i8"
  end
  if head.times > 10000 or head.types == 0 or head.types > 256 then return nil end
  local kinds, steps = {}, {}
  local indexes = head.data + head.times * width
  local infos = indexes + head.times
  for i = 1, head.types do kinds[i] = string.unpack(">i4", bytes, infos + (i - 1) * 6) // 60 end
  for i = 1, head.times do
    steps[i] = { string.unpack(format, bytes, head.data + (i - 1) * width),
      kinds[bytes:byte(indexes + i - 1) + 1] }
  end
  return { first = kinds[1], steps = steps }
end

--- Parses a TZif file into { first = minutes, steps = { {from seconds, minutes}, … } }, or nil.
function M.read(bytes)
  local ok, zone = pcall(read, bytes)
  return ok and zone or nil
end

local function offset_at(zone, at)
  local low, high = 1, #zone.steps
  local seconds = at // 1000
  while low <= high do
    local middle = (low + high) // 2
    if zone.steps[middle][1] <= seconds then low = middle + 1 else high = middle - 1 end
  end
  return high == 0 and zone.first or zone.steps[high][2]
end

local function load_zone(folder, name)
  local root = core.file.root(folder)
  local bytes = root and core.file.read(root, name, 256 * 1024)
  if not bytes then return nil end
  return M.read(bytes)
end

--- Returns a function from a time in ms to minutes east of UTC, or nil for an unknown zone.
---@param name string  "Europe/Berlin"
---@return (fun(at: integer): integer)?
function M.named(name)
  if not name:match("^%a[%w/_+-]*$") or #name > 60 then return nil end
  if cache[name] == nil then
    cache[name] = false
    for _, folder in ipairs(folders) do
      local zone = load_zone(folder, name)
      if zone then
        cache[name] = function(at) return offset_at(zone, at) end
        break
      end
    end
  end
  return cache[name] or nil
end

--- Returns a function that maps a time in ms to this machine's offset from UTC, in minutes east. The
--- variable TZ has priority. An unknown zone counts as UTC.
---@return fun(at: integer): integer
function M.here()
  local tz = core.system.env "TZ"
  local zone = tz and tz ~= "" and M.named((tz:gsub("^:", "")))
  if zone then return zone end
  local target = not (tz and tz ~= "") and core.system.real_path "/etc/localtime"
  local folder, name = (target or ""):match("^(.*)/([^/]+)$")
  local loaded = folder and load_zone(folder, name)
  if loaded then return function(at) return offset_at(loaded, at) end end
  return function() return 0 end
end

return M
