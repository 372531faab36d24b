--- Parses a quota's reset time from messages of providers and their CLIs.
--- Examples: "try again in 3h 12m", "resets 3pm (Europe/Berlin)", "limit reached|1730000000".
--- The parser also accepts Retry-After in seconds, HTTP's three date formats, and ISO times.
--- The parser is pure: the caller passes the current time and the time zone.
local M = {}

local second, minute, hour, day = 1000, 60 * 1000, 3600 * 1000, 86400 * 1000
local furthest = 400 * day

local units = {
  ms = 1, millisecond = 1, milliseconds = 1, s = second, sec = second, secs = second,
  second = second, seconds = second, m = minute, min = minute, mins = minute, minute = minute,
  minutes = minute, h = hour, hr = hour, hrs = hour, hour = hour, hours = hour, d = day,
  day = day, days = day, w = 7 * day, week = 7 * day, weeks = 7 * day,
}
local months = { jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7, aug = 8, sep = 9,
  oct = 10, nov = 11, dec = 12 }
local weekdays = {}
for i, name in ipairs { "sunday", "monday", "tuesday", "wednesday", "thursday", "friday",
    "saturday" } do
  weekdays[name], weekdays[name:sub(1, 3)] = i - 1, i - 1
end

--- Converts days since 1970-01-01 to year, month and day.
local function date_of(days)
  local year, month, dom = core.clock.iso(days * day):match("^(%d+)-(%d+)-(%d+)")
  return tonumber(year), tonumber(month), tonumber(dom)
end

--- Converts a local time to ms since 1970. `offset` is the offset from UTC in minutes east, or a
--- function that returns this offset for a time.
local function moment(year, month, dom, hours, minutes, seconds, offset)
  local first = core.clock.parse(("%04d-%02d-01T00:00:00.000Z"):format(year, month))
  local at = first + (dom - 1) * day + hours * hour + minutes * minute + (seconds or 0) * second
  if type(offset) == "function" then
    local east = offset(at - offset(at) * minute)
    return at - east * minute
  end
  return at - offset * minute
end

--- Parses "1h 5m", "12h34m16.5s", "about 2 hours" or "an hour" to ms, or returns nil.
local function span(text)
  for _, word in ipairs { "about", "approximately", "around", "roughly", "another" } do
    text = text:match("^%s*" .. word .. "%s+(.*)$") or text
  end
  text = text:gsub("^%s*an?%s+(%a)", "1 %1")
  local total, at = nil, 1
  while true do
    local from, to, number, unit = text:find("^[%s,]*(%d+%.?%d*)%s*(%a+)", at)
    if not from then from, to, number, unit = text:find("^[%s,]*and%s+(%d+%.?%d*)%s*(%a+)", at) end
    local factor = unit and units[unit]
    if not factor then break end
    if #number > 15 then return nil end
    total = (total or 0) + tonumber(number) * factor
    at = to + 1
    if from > 200 then break end
  end
  return total and math.ceil(total) or nil
end

local function after(now, ms)
  if not ms or ms < 0 or ms > furthest then return nil end
  return { retry_after_ms = ms, reset_at = now + ms }
end

local function at(now, when)
  if not when or when < now - furthest or when > now + furthest then return nil end
  return { retry_after_ms = math.max(0, when - now), reset_at = when }
end

--- Parses a number as seconds or milliseconds since 1970.
local function epoch(now, digits)
  local value = tonumber(digits)
  if not value then return nil end
  if value < 1e11 then value = value * 1000 end
  return at(now, math.floor(value))
end

--- These zone names are unambiguous in providers' messages. Some have daylight saving time.
local abbreviations = { UTC = 0, GMT = 0, Z = 0, ["ETC/UTC"] = 0, PST = -480, PDT = -420,
  MST = -420, MDT = -360, CST = -360, CDT = -300, EST = -300, EDT = -240, CET = 60, CEST = 120,
  WET = 0, WEST = 60, EET = 120, EEST = 180, BST = 60, JST = 540, KST = 540, AEST = 600, AEDT = 660,
  PT = "America/Los_Angeles", MT = "America/Denver", CT = "America/Chicago",
  ET = "America/New_York" }

--- Returns the offset in minutes east of UTC of a zone: "GMT-3", "+02:00", "Etc/GMT+5", "PST", or a
--- name that `zones` knows.
local function zone_of(name, zones)
  local upper = name:upper()
  local known = abbreviations[upper]
  if type(known) == "number" then return known end
  local from, sign, hours, minutes = upper:match("^(%a*/?%a*)([+-])(%d%d?):?(%d*)$")
  if from == "" or from == "UTC" or from == "GMT" or from == "ETC/GMT" then
    local east = tonumber(hours) * 60 + (tonumber(minutes) or 0)
    -- In names such as Etc/GMT+5, a plus sign means west of UTC.
    return (sign == "-") ~= (from == "ETC/GMT") and -east or east
  end
  return zones and zones(known or name) or nil
end

--- Parses "3pm", "15:04", "03:00:00 pm" or "noon" at position `from` of a lower-case text.
--- Returns the hours, the minutes, the position after the time, and the seconds if there are any.
local function clock(text, from)
  local named, named_stop = text:match("^%s*(%a+)()", from)
  if named == "midnight" or named == "noon" then
    return named == "noon" and 12 or 0, 0, named_stop
  end
  local h, mm, ss, stop = text:match("^%s*(%d%d?):(%d%d)%f[%D]:?(%d*)()", from)
  if not h then h, stop = text:match("^%s*(%d%d?)()", from) end
  if not h then return nil end
  local seconds = mm and tonumber(ss)
  stop = seconds and text:match("^[.,]%d+()", stop) or stop
  local half, half_stop = text:match("^%s*([ap])%.?m%f[%A]%.?()", stop)
  local hours, minutes = tonumber(h), tonumber(mm or "0")
  if half then
    if hours < 1 or hours > 12 then return nil end
    hours, stop = hours % 12 + (half == "p" and 12 or 0), half_stop
  end
  if hours > 23 or minutes > 59 or not (half or mm) then return nil end
  return hours, minutes, stop, seconds
end

--- Returns the time zone that follows a clock time, such as "(Europe/Berlin)", "UTC" or "PST".
--- Returns `offset` if no zone follows, and nil for an unknown zone.
local function zone_after(text, from, offset, zones)
  local rest = text:sub(from, from + 60)
  local bracket = rest:match("^[^%w(]*%(([%w/_+:-]+)%)")
  local name = bracket or rest:match("^%s*([uU][tT][cC][+-]?[%d:]*)%f[%A]")
    or rest:match("^%s*([gG][mM][tT][+-]?[%d:]*)") or rest:match("^%s*([+-]%d%d:?%d%d)")
    or rest:match("^%s*([zZ])%f[%W]") or rest:match("^%s+(%u%u%u?%u?)%f[%W]")
  if not name then return offset end
  local zone = zone_of(name, zones)
  if zone then return zone end
  -- A word such as "(local)", in parentheses and without "/", names no zone: use the default one.
  if bracket and not bracket:find("/", 1, true) then return offset end
  return nil
end

--- Parses the date at the start of a text. Returns a list of { year?, month, day }, with two items
--- if the date is ambiguous, such as 10/11/2026.
local function day_of(lower)
  local year, month, dom, stop = lower:match("^%s*(%d%d%d%d)%-(%d%d)%-(%d%d)%f[%D]()")
  if year then return { { tonumber(year), tonumber(month), tonumber(dom) } }, stop end
  local a, b
  a, b, year, stop = lower:match("^%s*(%d%d?)/(%d%d?)/(%d%d%d%d)%f[%D]()")
  if year then
    a, b, year = tonumber(a), tonumber(b), tonumber(year)
    return { { year, a, b }, { year, b, a } }, stop
  end
  local named, number
  named, number, stop = lower:match("^%s*(%a%a%a)%a*%.?%s+(%d%d?)%a*()")
  if not (named and months[named]) then
    number, named, stop = lower:match("^%s*(%d%d?)[%s.-]+d?e?%s*(%a%a%a)%a*%.?()")
  end
  if not (named and months[named]) then return nil end
  local found, next_at = lower:match("^[%s,-]*d?e?%s*(%d%d%d%d)%f[^%d:]()", stop)
  if not found then
    found, next_at = lower:match("^%-(%d%d)%f[%D]()", stop)   -- RFC 850
    found = found and "20" .. found
  end
  return { { found and tonumber(found), months[named], tonumber(number) } }, next_at or stop
end

local function time_after(lower, from)
  from = lower:match("^[%s,]*at%s+()", from) or lower:match("^t()", from)
    or lower:match("^[%s,]+()", from) or from
  local hours, minutes, stop, seconds = clock(lower, from)
  return hours, minutes, stop or from, seconds
end

--- Returns the timestamp for a date and the clock time after it, or midnight if there is none.
local function on_day(text, lower, days, from, now, offset, zones)
  local hours, minutes, stop, seconds = time_after(lower, from)
  local late_year, late_stop = lower:match("^%s+(%d%d%d%d)%f[%D]()", hours and stop or #lower + 1)   -- asctime
  local zone = zone_after(text, late_stop or stop, offset, zones)
  if not zone then return nil end
  local best
  for _, item in ipairs(days) do
    local year, month, dom = item[1] or tonumber(late_year), item[2], item[3]
    if month >= 1 and month <= 12 and dom >= 1 and dom <= 31 then
      local is_told = year ~= nil
      year = year or (date_of(now // day))
      local when = moment(year, month, dom, hours or 0, minutes or 0, seconds or 0, zone)
      -- A date without a year is in this year, or in the next if it passed more than 30 days ago.
      if not is_told and when < now - 30 * day then
        when = moment(year + 1, month, dom, hours or 0, minutes or 0, seconds or 0, zone)
      end
      -- An ambiguous date has two possible times. Take the next one in the future, to retry early.
      if not best or (when > now and (best <= now or when < best)) then best = when end
    end
  end
  return best, not seconds
end

--- Parses a date at the start of a text. Also returns true if the text has no seconds.
--- Formats: ISO, RFC 1123, RFC 850, asctime, "Oct 9th, 2025 3:05 PM", "Oct 9, 5pm", "3pm",
--- "10 Oct 2026, 11:52", "11/23/2026 3 PM", "Monday 3pm", "tomorrow at 3pm".
local function date(text, now, offset, zones)
  local lower = text:lower()
  local word, word_stop = lower:match("^%s*(%a+)()")
  local weekday = weekdays[word or ""]
  local date_from = weekday and lower:match("^[%s,]+()", word_stop) or 1
  local days, stop = day_of(lower:sub(date_from))
  if days then return on_day(text, lower, days, date_from + stop - 1, now, offset, zones) end
  local ahead = word == "tomorrow" and 1 or 0
  local from = (weekday or word == "tomorrow" or word == "today") and word_stop or 1
  local hours, minutes, stop_at, seconds = time_after(lower, from)
  if not hours and not weekday and ahead == 0 then return nil end
  local zone = zone_after(text, stop_at, offset, zones)
  if not zone then return nil end
  local east = type(zone) == "function" and zone(now) or zone
  local today = (now + east * minute) // day
  if weekday then ahead = (weekday - (today + 4)) % 7 end
  local when
  repeat
    local a, b, c = date_of(today + ahead)
    when = moment(a, b, c, hours or 0, minutes or 0, seconds or 0, zone)
    ahead = ahead + (weekday and 7 or 1)
  until when > now - 10 * minute  -- keep a time that passed less than 10 minutes ago
  return when, not seconds
end

local lead_spans = {
  "try again in%s+()", "retry in%s+()", "retry after%s+()", "retrying in%s+()", "reset after%s+()",
  "resets in%s+()", "reset in%s+()", "available in%s+()", "wait%s+()", "again after%s+()",
  "suggested retry after%s+()", "retry%-after:%s*()",
}
local lead_dates = {
  "try again at%s+()", "try again after%s+()", "try again on%s+()", "access on%s+()",
  "resets at%s+()", "reset at%s+()", "resets on%s+()", "reset on%s+()", "resets%s+()",
  "available at%s+()", "available again at%s+()", "resets:%s*()", "reset:%s*()", "until%s+()",
  "retry%-after:%s*()", "retry after%s+()",
}

--- Returns the time at which a provider's message allows another request, or nil if it names none.
---@param now integer  ms since 1970
---@param zone (integer | fun(at: integer): integer)?  default zone, in minutes east of UTC (0)
---@param zones (fun(name: string): (integer | fun(at: integer): integer)?)?  offsets of named zones
---@return {retry_after_ms: integer, reset_at: integer, coarse: boolean?}?  coarse: without seconds
function M.parse(text, now, zone, zones)
  if type(text) ~= "string" then return nil end
  text = text:sub(1, 4000)
  local offset = zone or 0
  local lower = text:lower()
  local digits = lower:match("limit reached[^|]*|%s*(%d%d%d%d%d%d%d%d%d%d+)")
    or lower:match("resets?_?_?at\"?%s*[:=]%s*\"?(%d%d%d%d%d%d%d%d%d%d+)")
    or lower:match("resets at (%d%d%d%d%d%d%d%d%d%d+)")
  local found = digits and #digits <= 13 and epoch(now, digits)
  if found then return found end
  local ms = lower:match("retry[-_ ]after[-_]ms\"?%s*[:=]%s*\"?(%d+)")
  if ms and #ms < 13 then return after(now, tonumber(ms)) end
  local seconds = lower:match("retry[-_ ]after\"?%s*[:=]%s*\"?(%d+%.?%d*)%s*[\"}),;]")
    or lower:match("retry[-_ ]after\"?%s*[:=]%s*\"?(%d+%.?%d*)%s*$")
    or lower:match("resets_in_seconds\"?%s*[:=]%s*\"?(%d+%.?%d*)")
  if seconds and #seconds < 13 then return after(now, math.ceil(tonumber(seconds) * 1000)) end
  local delay = lower:match("retrydelay\"?%s*[:=]%s*\"?([%d.]+%s*%a+)")
  found = delay and after(now, span(delay))
  if found then return found end
  for _, lead in ipairs(lead_spans) do
    local from = lower:match(lead)
    found = from and after(now, span(lower:sub(from, from + 120)))
    if found then return found end
  end
  for _, lead in ipairs(lead_dates) do
    local from = lower:match(lead)
    if from then
      local when, coarse = date(text:sub(from, from + 120), now, offset, zones)
      found = at(now, when)
      if found then
        found.coarse = coarse
        return found
      end
    end
  end
  return nil
end

--- Parses a Retry-After header: seconds, or a date.
---@return {retry_after_ms: integer, reset_at: integer}?
function M.header(value, now)
  if type(value) == "number" then return after(now, math.ceil(value * 1000)) end
  if type(value) ~= "string" or #value > 100 then return nil end
  if value:match("^%s*%d+%.?%d*%s*$") then return after(now, math.ceil(tonumber(value) * 1000)) end
  return at(now, date(value, now, 0))
end

--- Parses seconds or milliseconds since 1970, or a date.
---@return {retry_after_ms: integer, reset_at: integer}?
function M.moment(value, now)
  if type(value) == "number" then return epoch(now, value) end
  if type(value) ~= "string" or #value > 100 then return nil end
  if value:match("^%d+$") then return epoch(now, value) end
  return at(now, date(value, now, 0))
end

return M
