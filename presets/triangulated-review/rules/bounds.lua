--- Rules about loops and indexes that go one too far.

local block = require "rules.block"
local shape = require "moonlet.text"

local find, format, match = string.find, string.format, string.match

local M = {}

M.rules = {
  ["off-by-one"] = { lenses = { "correctness" }, severity = "high", confidence = 0.85,
    fix = "Stop before the length, not at it." },
}

local function one_too_far(view, n, list, bound, report)
  report("off-by-one", view, n, format("The loop reaches %s[%s], which is one too far.", list, bound))
end

-- The number of the first line from `first` to `last` that has one of the shapes; nil if none has.
local function within(view, first, last, shapes)
  for i = first, last do
    local line = view.lines[i]
    if not line then return nil end
    if shape.any(line.code, shapes) then return i end
  end
  return nil
end

-- Loops with three parts -------------------------------------------------------------------------

-- Bounds that say how long a list is; the capture is the list.
local LENGTHS = { "^([%w_$.]+)%.length$", "^([%w_.%->]+)%.size%(%)$", "^len%(([%w_.]+)%)$", "^([%w_.]+)%.Length$",
  "^([%w_.]+)%.Count$", "^([%w_.]+)%.length%(%)$", "^count%((%$[%w_]+)%)$" }

local function takes_item(list, var)
  list, var = shape.plain(list), shape.plain(var)
  return { list .. "%[%s*" .. var .. "%s*%]", list .. "%.get%(%s*" .. var .. "%s*%)",
    list .. "%.charAt%(%s*" .. var .. "%s*%)", list .. "%.at%(%s*" .. var .. "%s*%)" }
end

-- The array of C that was declared with this size a few lines above.
local function array_of_size(view, n, size)
  for i = math.max(1, n - 12), n - 1 do
    local before = view.lines[i]
    local array = before and match(before.code, "([%w_]+)%[%s*" .. size .. "%s*%]%s*[;={]")
    if array then return array end
  end
  return nil
end

local UP_TO = "for%s*%(?[^;]-%f[%w_$]([%w_$]+)%s*:?=%s*0%s*;%s*([%w_$]+)%s*<=%s*([^;]+);"

-- for (i = 0; i <= list.length; i++) with list[i] in its body.
local function counted_loop(view, n, line, report)
  local var, again, bound = match(line.code, UP_TO)
  if not var or var ~= again then return end
  bound = shape.trim(bound)
  local list = shape.first(bound, LENGTHS)
  if list then
    if within(view, n, n + 6, takes_item(list, var)) then one_too_far(view, n, list, bound, report) end
    return
  end
  local size = match(bound, "^([%u_][%u%d_]+)$") or match(bound, "^(%d+)$")
  local array = size and view.family == "cpp" and array_of_size(view, n, size)
  if array and within(view, n, n + 5, { "%f[%w_]" .. array .. "%[%s*" .. var .. "%s*%]" }) then
    one_too_far(view, n, array, size, report)
  end
end

-- Ranges that hold their end, from the start of a list to its length; the captures are the variable and the list.
local RANGES = { "^%s*for%s+([%w_]+)%s+in%s+0%s*%.%.=%s*([%w_.]+)%.len%(%)%s*{",
  "^%s*for%s+([%w_]+)%s+in%s+0%.%.([%w_.@]+)%.length%s*$", "^%s*for%s+([%w_]+)%s+in%s+0%.%.([%w_.@]+)%.size%s*$" }

local function inclusive_range(view, n, line, report)
  local var, list = shape.first(line.code, RANGES)
  if var and within(view, n, n + 6, takes_item(list, var)) then
    one_too_far(view, n, list, "its length", report)
  end
end

-- Python -----------------------------------------------------------------------------------------

local STOPS_IN_TIME = { "%f[%w_]if%f[^%w_]", "%f[%w_]try%f[^%w_]", "%f[%w_]while%f[^%w_]", "%f[%w_]break%f[^%w_]" }

-- for i in range(len(x)) with x[i + 1] in its body and no stop before the end.
local function next_item(view, n, line, report)
  local var, list = match(line.code, "for%s+([%w_]+)%s+in%s+range%(%s*len%(([%w_.]+)%)%s*%)%s*:")
  if not var then return end
  local body = block.indented(view, n)
  if not body or shape.any(body.code, STOPS_IN_TIME) then return end
  local ahead = shape.plain(list) .. "%[%s*" .. var .. "%s*%+%s*1%s*%]"
  local at = within(view, n + 1, body.last, { ahead })
  if at then
    report("off-by-one", view, view.lines[at].added and at or n,
      format("In the last round %s[%s + 1] is one past the end.", list, var))
  end
end

local LONGER = { "for%s+([%w_]+)%s+in%s+range%(%s*len%(([%w_.]+)%)%s*%+%s*1%s*%)",
  "for%s+([%w_]+)%s+in%s+range%(%s*[01]%s*,%s*len%(([%w_.]+)%)%s*%+%s*1%s*%)" }

local function longer_range(view, n, line, report)
  local var, list = shape.first(line.code, LONGER)
  if var and within(view, n, n + 4, { shape.plain(list) .. "%[%s*" .. var .. "%s*%]" }) then
    one_too_far(view, n, list, format("len(%s)", list), report)
  end
end

-- x[len(x)], read and not assigned to.
local PAST_THE_END = {
  python = { "%f[%w_]([%w_.]+)%[%s*len%(%s*([%w_.]+)%s*%)%s*%](.*)$" },
  go = { "%f[%w_]([%w_.]+)%[%s*len%(%s*([%w_.]+)%s*%)%s*%](.*)$" },
  javascript = { "%f[%w_$]([%w_$.]+)%[%s*([%w_$.]+)%.length%s*%](.*)$" },
  java = { "%f[%w_]([%w_.]+)%[%s*([%w_.]+)%.length%s*%](.*)$" },
  rust = { "%f[%w_]([%w_.]+)%[%s*([%w_.]+)%.len%(%)%s*%](.*)$" },
}

local function past_the_end(view, n, line, report)
  for _, pattern in ipairs(PAST_THE_END[view.family] or {}) do
    local list, measured, rest = match(line.code, pattern)
    if list and list == measured and not find(rest, "^%s*=[^=]") then
      report("off-by-one", view, n, format("%s is read one past its end.", list))
    end
  end
end

local COUNTED = shape.set "cpp java csharp javascript php dart go"

---@param view rules.View
function M.file(view, report)
  if view.generated or view.d.fixture or view.d.kind ~= "code" then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if not line.moved and find(line.code, "%S") and #line.text < 1000 and line.inside ~= "string" then
      if COUNTED[view.family] then counted_loop(view, n, line, report) end
      if view.language == "python" then
        longer_range(view, n, line, report)
        next_item(view, n, line, report)
      end
      if view.language == "rust" or view.language == "ruby" then inclusive_range(view, n, line, report) end
      past_the_end(view, n, line, report)
    end
  end
end

return M
