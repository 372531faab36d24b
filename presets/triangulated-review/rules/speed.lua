--- Rules about time and waiting that are lost for certain: work repeated in loops, event loops that are held up, calls
--- that may wait for ever.

local block = require "rules.block"
local shape = require "moonlet.text"
local source = require "rules.source"
local V = require "rules.view"

local find, format = string.find, string.format

local M = {}

M.rules = {
  ["work-in-loop"] = { lenses = { "performance" }, severity = "low", confidence = 0.8,
    fix = "Do it once, before the loop." },
  ["query-in-loop"] = { lenses = { "performance", "risks" }, severity = "medium", confidence = 0.7,
    fix = "Ask once for all of them." },
  ["blocked-loop"] = { lenses = { "performance", "correctness", "risks" }, severity = "medium", confidence = 0.85,
    fix = "Use the asynchronous form." },
  ["no-timeout"] = { lenses = { "risks", "performance" }, severity = "medium", confidence = 0.8,
    fix = "Give it a timeout." },
  ["sort-for-one"] = { lenses = { "performance", "clarity" }, severity = "low", confidence = 0.85,
    fix = "Take the least or the greatest directly." },
  ["copy-by-text"] = { lenses = { "performance", "correctness" }, severity = "low", confidence = 0.75,
    fix = "Use structuredClone." },
  ["busy-wait"] = { lenses = { "performance", "risks" }, severity = "medium", confidence = 0.85,
    fix = "Wait for the event, or sleep between the rounds." },
}

local LOOPS = { "^%s*for%f[^%w_]", "^%s*while%f[^%w_]", "^%s*async%s+for%f[^%w_]" }
local FUNCTIONS = { "%f[%w_]def%f[^%w_]", "%f[%w_]func%f[^%w_]", "%f[%w_]function%f[^%w_]", "=>%s*{?%s*$",
  "^%s*class%f[^%w_]" }

-- True if the nearest blocks around line n hold a loop before they hold a function.
local function in_loop(view, n)
  local indent = V.indent(view.lines[n].code)
  for i = n - 1, math.max(1, n - 50), -1 do
    local line = view.lines[i]
    if not line then return false end
    local width = V.indent(line.code)
    if find(line.code, "%S") and not line.inside and width < indent then
      if shape.any(line.code, LOOPS) then return true end
      if shape.any(line.code, FUNCTIONS) then return false end
      indent = width
    end
  end
  return false
end

local COMPILED, ASKED = "The expression is compiled again in each round.", "The database is asked once in each round."
local SORTED, BUSY = "All of it is sorted, and one is taken.", "The loop keeps a processor busy while it waits."

-- Shapes by language; those of the first two kinds count only inside of loops.
local FIXED = "[\"'`]\1*[\"'`]%s*[,)]"
local COMPILES = { python = { "%f[%w_.]re%.compile%(%s*r?" .. FIXED }, go = { "regexp%.MustCompile%(%s*" .. FIXED },
  javascript = { "%f[%w_]new%s+RegExp%(%s*" .. FIXED } }
local QUERIES = { python = { "%.objects%.get%(", "cursor%.execute%(", "session%.query%(" },
  go = { "%f[%w_]db%.Query%a*%(", "%f[%w_]tx%.Query%a*%(" } }
local SORTS = { python = { "sorted%([^()]*%)%[%s*0%s*%]", "sorted%([^()]*%)%[%s*%-1%s*%]" },
  javascript = { "%.sort%([^()]*%)%[%s*0%s*%]" } }
local WAITS = { python = { "^%s*while%s+[^:]+:%s*pass%s*$" }, go = { "^%s*for%s*{%s*}%s*$" },
  javascript = { "^%s*while%s*%(%s*true%s*%)%s*{?%s*}%s*$", "^%s*while%s*%(%s*true%s*%)%s*;" },
  cpp = { "^%s*while%s*%(%s*1%s*%)%s*;", "^%s*while%s*%(%s*true%s*%)%s*;" } }

local function repeated_work(view, n, line, report)
  local family, code = view.family, line.code
  if shape.any(code, COMPILES[family] or {}) and in_loop(view, n) then report("work-in-loop", view, n, COMPILED) end
  if shape.any(code, QUERIES[family] or {}) and not find(code, "many") and not find(code, "batch")
    and in_loop(view, n) then
    report("query-in-loop", view, n, ASKED)
  end
  if shape.any(code, SORTS[family] or {}) then report("sort-for-one", view, n, SORTED) end
  if shape.any(code, WAITS[family] or {}) then report("busy-wait", view, n, BUSY) end
end

-- Waiting ----------------------------------------------------------------------------------------

local VERBS = {}
for i, verb in ipairs { "get", "post", "put", "delete", "patch", "head", "request" } do
  VERBS[i] = "%f[%w_.]requests%." .. verb .. "%("
end

local function in_async(view, n, word)
  local around = V.function_around(view, n)
  return around and find(around.code, word) ~= nil
end

local function python_waits(view, n, line, report)
  local asks = shape.any(line.code, VERBS)
  if (asks or find(line.code, "^%s*time%.sleep%(")) and in_async(view, n, "%f[%w_]async%s+def") then
    report("blocked-loop", view, n, "The call blocks: while it waits, nothing else in the event loop runs.")
  elseif asks then
    local call = block.statement(view, n)
    if source.balanced(call) and not find(call, "timeout") and not find(call, "**", 1, true) then
      report("no-timeout", view, n, "requests waits for ever where no timeout is given.")
    end
  end
end

local SYNC = { "readFileSync", "writeFileSync", "execSync", "readdirSync", "statSync", "spawnSync", "pbkdf2Sync",
  "scryptSync" }

local function javascript_waits(view, n, line, report)
  if find(line.code, "JSON%.parse%(%s*JSON%.stringify%(") then
    report("copy-by-text", view, n, "Copying by way of text is slow, and loses dates, maps and undefined.")
  end
  for _, name in ipairs(view.script and {} or SYNC) do
    if find(line.code, "%f[%w_]" .. name .. "%(") and in_async(view, n, "%f[%w_]async%f[^%w_]") then
      report("blocked-loop", view, n,
        format("%s blocks: while it works, nothing else in the event loop runs.", name), { severity = "low" })
      return
    end
  end
end

local function check(view, n, line, report)
  repeated_work(view, n, line, report)
  if view.language == "python" then
    python_waits(view, n, line, report)
  elseif view.family == "javascript" then
    javascript_waits(view, n, line, report)
  elseif view.language == "go" and find(line.code, "&http%.Client{%s*}") then
    report("no-timeout", view, n, "This client waits for ever where the server does not answer.")
  elseif view.family == "cpp" and find(line.code, "^%s*for%s*%(.*;[^;]*<=?%s*strlen%s*%(") then
    report("work-in-loop", view, n, "strlen runs through the whole text in each round.")
  end
end

---@param view rules.View
function M.file(view, report)
  if not view.production then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if find(line.code, "%S") and not line.inside and not line.moved and #line.text < 1000 then
      check(view, n, line, report)
    end
  end
end

return M
