--- When may one ask again? Reads it out of what providers and their CLIs print: "try again in 3h 12m",
--- "resets 3pm (Europe/Berlin)", "limit reached|1730000000", Retry-After in seconds, RFC dates, ISO times.
--- Pure: the moment and the zone are given.
local M = {}

local second, minute, hour, day = 1000, 60 * 1000, 3600 * 1000, 86400 * 1000
local furthest = 400 * day

local units = {
  ms = 1, millisecond = 1, milliseconds = 1, s = second, sec = second, secs = second, second = second,
  seconds = second, m = minute, min = minute, mins = minute, minute = minute, minutes = minute, h = hour, hr = hour,
  hrs = hour, hour = hour, hours = hour, d = day, day = day, days = day, w = 7 * day, week = 7 * day, weeks = 7 * day,
}
local months = { jan = 1, feb = 2, mar = 3, apr = 4, may = 5, jun = 6, jul = 7, aug = 8, sep = 9, oct = 10, nov = 11,
  dec = 12 }
local weekdays = { sun = 0, mon = 1, tue = 2, wed = 3, thu = 4, fri = 5, sat = 6 }

--- Days from 1970-01-01.
local function days_of(year, month, dom)
  if month <= 2 then year, month = year - 1, month + 12 end
  return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + dom - 719469
end

local function date_of(days)
  local z = days + 719468
  local era = z // 146097
  local doe = z - era * 146097
  local yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
  local doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
  local mp = (5 * doy + 2) // 153
  local month = mp < 10 and mp + 3 or mp - 9
  return yoe + era * 400 + (month <= 2 and 1 or 0), month, doy - (153 * mp + 2) // 5 + 1
end

--- The moment (ms since 1970) of a clock time in a zone. `offset` is minutes east of UTC, or a
--- function that gives them for a moment.
local function moment(year, month, dom, hours, minutes, seconds, offset)
  local at = days_of(year, month, dom) * day + hours * hour + minutes * minute + (seconds or 0) * second
  if type(offset) == "function" then
    local east = offset(at - offset(at) * minute)
    return at - east * minute
  end
  return at - offset * minute
end

--- "1h 5m", "3 days 4 hours", "12h34m16.5s", "34.07s" from the start of the text: ms, or nil.
local function span(text)
  local total, at = nil, 1
  while true do
    local from, to, number, unit = text:find("^[%s,]*(%d+%.?%d*)%s*(%a+)", at)
    if not from then
      from, to, number, unit = text:find("^[%s,]*and%s+(%d+%.?%d*)%s*(%a+)", at)
    end
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

--- A number that is a moment: seconds or milliseconds since 1970.
local function epoch(now, digits)
  local value = tonumber(digits)
  if not value then return nil end
  if value < 1e11 then value = value * 1000 end
  return at(now, math.floor(value))
end

--- Minutes east of UTC of a zone's name in a text: "UTC", "GMT-3", "+02:00", "Etc/GMT+5"; or what
--- `zones(name)` knows.
local function zone_of(name, zones)
  if not name then return nil end
  local upper = name:upper()
  if upper == "UTC" or upper == "GMT" or upper == "Z" or upper == "ETC/UTC" then return 0 end
  local sign, hours, minutes = upper:match("^UTC([+-])(%d%d?):?(%d*)$")
  if not sign then sign, hours, minutes = upper:match("^GMT([+-])(%d%d?):?(%d*)$") end
  if not sign then sign, hours, minutes = upper:match("^([+-])(%d%d):?(%d%d)$") end
  if sign then
    local east = tonumber(hours) * 60 + (tonumber(minutes) or 0)
    return sign == "-" and -east or east
  end
  sign, hours = upper:match("^ETC/GMT([+-])(%d%d?)$")   -- whose sign is the other way round
  if sign then return (sign == "+" and -1 or 1) * tonumber(hours) * 60 end
  return zones and zones(name) or nil
end

--- "3pm", "3:05 PM", "15:04", "1:30am" at `from`: hours, minutes, and where it ends.
local function clock(text, from)
  local s, e, h, mm, half = text:find("^%s*(%d%d?):(%d%d)%s*([ap]%.?m%.?)", from)
  if not s then s, e, h, half = text:find("^%s*(%d%d?)%s*([ap]%.?m%.?)%f[%A]", from) end
  if not s then s, e, h, mm = text:find("^%s*(%d%d?):(%d%d)%f[%D]", from) end
  if not s then return nil end
  local hours, minutes = tonumber(h), tonumber(mm or "0")
  if half then
    if hours < 1 or hours > 12 then return nil end
    hours = hours % 12 + (half:sub(1, 1) == "p" and 12 or 0)
  end
  if hours > 23 or minutes > 59 then return nil end
  local seconds = text:match("^:(%d%d)", e + 1)
  return hours, minutes, e + 1, seconds and tonumber(seconds)
end

--- A zone's name near the clock time: "(Europe/Berlin)", "UTC", "GMT-3".
local function zone_after(text, from)
  local rest = text:sub(from, from + 60)
  return rest:match("^[^%w(]*%(([%w/_+:-]+)%)") or rest:match("^%s*([uU][tT][cC][+-]?[%d:]*)%f[%A]")
    or rest:match("^%s*([gG][mM][tT][+-]?[%d:]*)") or rest:match("^%s*([+-]%d%d:?%d%d)")
end

--- A point in time written out: ISO, RFC 1123, "Oct 9th, 2025 3:05 PM", "Oct 9, 5pm", "10 Oct 2026, 11:52",
--- "Monday 3pm", "tomorrow at 3pm", "3pm". From the start of the text. The second result: it is told
--- without seconds.
local function date(text, now, offset, zones)
  local y, mo, d, h, mi, s, rest = text:match("^%s*(%d%d%d%d)-(%d%d)-(%d%d)[T ](%d%d):(%d%d):?(%d*)(.*)$")
  if y then
    local zone = rest:match("^%.?%d*%s*([zZ])") or rest:match("^%.?%d*%s*([+-]%d%d:?%d%d)")
      or rest:match("^%.?%d*%s*(%a%a%a)%f[%A]")
    return moment(tonumber(y), tonumber(mo), tonumber(d), tonumber(h), tonumber(mi), tonumber(s) or 0,
      zone_of(zone, zones) or offset)
  end
  local lower = text:lower()
  local year, month, dom, from
  local named, number, stop = lower:match("^%s*(%a%a%a)%a*%.?%s+(%d%d?)%a*()")
  if named and months[named] then
    month, dom, from = months[named], tonumber(number), stop
  else
    number, named, stop = lower:match("^%s*%a*,?%s*(%d%d?)[%s.-]+d?e?%s*(%a%a%a)%a*%.?()")
    if named and months[named] then month, dom, from = months[named], tonumber(number), stop end
  end
  if month and dom >= 1 and dom <= 31 then
    local found, next_at = lower:match("^[%s,]*d?e?%s*(%d%d%d%d)()", from)
    if found then year, from = tonumber(found), next_at end
    from = lower:match("^[%s,]*at%s+()", from) or lower:match("^[%s,]+()", from) or from
    local hours, minutes, stop_at, seconds = clock(lower, from)
    local zone = zone_of(zone_after(text, stop_at or from), zones) or offset
    if not year then
      year = (date_of(now // day))
      -- A day of the year without its year is the next one, but for a few days that may just be over.
      if moment(year, month, dom, hours or 0, minutes or 0, 0, zone) < now - 30 * day then year = year + 1 end
    end
    return moment(year, month, dom, hours or 0, minutes or 0, seconds or 0, zone), not seconds
  end
  local ahead, weekday = 0, nil
  from = 1
  local word, word_stop = lower:match("^%s*(%a+)()")
  if word == "tomorrow" then
    ahead, from = 1, word_stop
  elseif word == "today" then
    from = word_stop
  elseif word and #word >= 3 and weekdays[word:sub(1, 3)] and (("sunday monday tuesday wednesday thursday friday "
      .. "saturday sun mon tue wed thu fri sat "):find(word .. " ", 1, true)) then
    weekday, from = weekdays[word:sub(1, 3)], word_stop
  end
  from = lower:match("^[%s,]*at%s+()", from) or lower:match("^[%s,]+()", from) or from
  local hours, minutes, stop_at, seconds = clock(lower, from)
  if not hours then return nil end
  local zone = zone_of(zone_after(text, stop_at), zones) or offset
  local east = type(zone) == "function" and zone(now) or zone
  local today = (now + east * minute) // day
  if weekday then ahead = (weekday - (today + 4)) % 7 end
  local when
  repeat
    local a, b, c = date_of(today + ahead)
    when = moment(a, b, c, hours, minutes, seconds or 0, zone)
    ahead = ahead + (weekday and 7 or 1)
  until when > now - 10 * minute   -- one that is just over is no day away
  return when, not seconds
end

local lead_spans = {
  "try again in%s+()", "retry in%s+()", "retry after%s+()", "retrying in%s+()", "reset after%s+()", "resets in%s+()",
  "reset in%s+()", "available in%s+()", "wait%s+()", "again after%s+()", "suggested retry after%s+()",
  "retry%-after:%s*()",
}
local lead_dates = {
  "try again at%s+()", "try again after%s+()", "resets at%s+()", "reset at%s+()", "resets on%s+()", "reset on%s+()",
  "resets%s+()", "available at%s+()", "available again at%s+()", "resets:%s*()", "reset:%s*()", "until%s+()",
  "retry%-after:%s*()", "retry after%s+()",
}

--- What a text says of the moment from which one may ask again; nil when it says nothing.
---@param text string
---@param now integer  ms since 1970
---@param zone (integer | fun(at: integer): integer)?  minutes east of UTC where no zone is named (0)
---@param zones (fun(name: string): (integer | fun(at: integer): integer)?)?  what named zones are
---@return {retry_after_ms: integer, reset_at: integer, coarse: boolean?}?  coarse: seconds were left out
function M.parse(text, now, zone, zones)
  if type(text) ~= "string" then return nil end
  text = text:sub(1, 4000)
  local offset = zone or 0
  local lower = text:lower()
  local digits = lower:match("limit reached[^|]*|%s*(%d%d%d%d%d%d%d%d%d%d+)")
    or lower:match("resets?_?_?at\"?%s*[:=]%s*\"?(%d%d%d%d%d%d%d%d%d%d+)")
    or lower:match("resets at (%d%d%d%d%d%d%d%d%d%d+)")
  if digits and #digits <= 13 then
    local found = epoch(now, digits)
    if found then return found end
  end
  local ms = lower:match("retry[-_ ]after[-_]ms\"?%s*[:=]%s*\"?(%d+)")
  if ms and #ms < 13 then return after(now, tonumber(ms)) end
  local seconds = lower:match("retry[-_ ]after\"?%s*[:=]%s*\"?(%d+%.?%d*)%s*[\"}),;]")
    or lower:match("retry[-_ ]after\"?%s*[:=]%s*\"?(%d+%.?%d*)%s*$")
    or lower:match("resets_in_seconds\"?%s*[:=]%s*\"?(%d+%.?%d*)")
  if seconds and #seconds < 13 then return after(now, math.ceil(tonumber(seconds) * 1000)) end
  local delay = lower:match("retrydelay\"?%s*[:=]%s*\"?([%d.]+%s*%a+)")
  if delay then
    local found = after(now, span(delay))
    if found then return found end
  end
  for _, lead in ipairs(lead_spans) do
    local from = lower:match(lead)
    if from then
      local found = after(now, span(lower:sub(from, from + 120)))
      if found then return found end
    end
  end
  for _, lead in ipairs(lead_dates) do
    local from = lower:match(lead)
    if from then
      local when, coarse = date(text:sub(from, from + 120), now, offset, zones)
      local found = at(now, when)
      if found then
        found.coarse = coarse
        return found
      end
    end
  end
  return nil
end

--- The value of a Retry-After header: seconds, or a date.
---@param value any
---@param now integer
---@return {retry_after_ms: integer, reset_at: integer}?
function M.header(value, now)
  if type(value) == "number" then return after(now, math.ceil(value * 1000)) end
  if type(value) ~= "string" or #value > 100 then return nil end
  if value:match("^%s*%d+%.?%d*%s*$") then return after(now, math.ceil(tonumber(value) * 1000)) end
  return at(now, date(value:gsub("^%s*%a+,%s*", ""), now, 0))
end

--- A moment given as seconds or milliseconds since 1970, or as a date in text.
---@return {retry_after_ms: integer, reset_at: integer}?
function M.moment(value, now)
  if type(value) == "number" then return epoch(now, value) end
  if type(value) ~= "string" or #value > 100 then return nil end
  if value:match("^%d+$") then return epoch(now, value) end
  return at(now, date(value, now, 0))
end

return M
