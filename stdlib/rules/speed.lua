--- Rules about time and waiting that are lost for certain: work repeated in loops, event loops that are held up, calls
--- that may wait for ever.

local V = require "moonlet.rules.view"

local find, format, match = string.find, string.format, string.match

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

local JS = { javascript = true, typescript = true, vue = true, svelte = true }

-- Whether the nearest blocks around line n hold a loop before they hold a function; needs an indented language.
local function loop_around(view, n)
  local indent = V.indent(view.lines[n].code)
  for i = n - 1, math.max(1, n - 50), -1 do
    local line = view.lines[i]
    if not line then return nil end
    if find(line.code, "%S") and not line.inside then
      local width = V.indent(line.code)
      if width < indent then
        if find(line.code, "^%s*for%f[^%w_]") or find(line.code, "^%s*while%f[^%w_]") or find(line.code, "^%s*async%s+for%f[^%w_]") then return i end
        if find(line.code, "%f[%w_]def%f[^%w_]") or find(line.code, "%f[%w_]func%f[^%w_]") or find(line.code, "%f[%w_]function%f[^%w_]")
          or find(line.code, "=>%s*{?%s*$") or find(line.code, "^%s*class%f[^%w_]") then
          return nil
        end
        indent = width
      end
    end
  end
  return nil
end

local function python(view, n, line, report)
  local code = line.code
  if find(code, "%f[%w_.]re%.compile%(%s*r?[\"']") and loop_around(view, n) then
    report("work-in-loop", view, n, "The expression is compiled again in each round.")
  end
  if find(code, "%.objects%.get%(") or find(code, "cursor%.execute%(") or find(code, "session%.query%(") then
    if loop_around(view, n) and not find(code, "many") and not find(code, "batch") then
      report("query-in-loop", view, n, "The database is asked once in each round.")
    end
  end
  if find(code, "^%s*time%.sleep%(") or find(code, "%f[%w_]requests%.[gpdh][eouae][tsela][tdt]?e?%(") then
    local around = V.function_around(view, n)
    if around and find(around.code, "%f[%w_]async%s+def") then
      report("blocked-loop", view, n, "The call blocks: while it waits, nothing else in the event loop runs.")
      return
    end
  end
  local verb = match(code, "%f[%w_.]requests%.(%a+)%(")
  local verbs = { get = true, post = true, put = true, delete = true, patch = true, head = true, request = true }
  if verbs[verb or ""] and not find(code, "timeout") then
    local at = find(code, "requests%.%a+%(")
    local open = find(code, "(", at, true)
    local closed = match(code, "^%b()", open) ~= nil
    local given = find(code, "%*%*")
    for i = n + 1, n + 12 do
      if closed or given then break end
      local later = view.lines[i]
      if not later then return end
      if find(later.code, "timeout") or find(later.code, "%*%*") then given = true end
      if find(later.code, "^%s*%)") then closed = true end
    end
    if closed and not given then
      report("no-timeout", view, n, "requests waits for ever where no timeout is given.")
    end
  end
  if find(code, "sorted%([^()]*%)%[%s*%-?[01]%s*%]") and not find(code, "sorted%([^()]*%)%[%s*1") then
    report("sort-for-one", view, n, "All of it is sorted, and one is taken.")
  end
  if find(code, "^%s*while%s+True%s*:%s*pass%s*$") or find(code, "^%s*while%s+[^:]+:%s*pass%s*$") then
    report("busy-wait", view, n, "The loop keeps a processor busy while it waits.")
  end
end

local function go(view, n, line, report)
  if find(line.code, "regexp%.MustCompile%(") and not find(line.code, "^var%s") and not find(line.code, "^%s*[%w_]+%s*=%s*regexp") then
    if loop_around(view, n) then report("work-in-loop", view, n, "The expression is compiled again in each round.") end
  end
  if find(line.code, "^%s*for%s*{%s*}%s*$") then
    report("busy-wait", view, n, "The loop keeps a processor busy while it waits.")
  end
  if find(line.code, "&http%.Client{%s*}") then
    report("no-timeout", view, n, "This client waits for ever where the server does not answer.")
  end
  if find(line.code, "%f[%w_.]d?t?b?x?%.Query%a*%(") and find(line.code, "%f[%w_](db|tx)%.Query") and loop_around(view, n) then
    report("query-in-loop", view, n, "The database is asked once in each round.")
  end
end

local SYNC = { "readFileSync", "writeFileSync", "execSync", "readdirSync", "statSync", "spawnSync", "pbkdf2Sync", "scryptSync" }

local function javascript(view, n, line, report)
  local code = line.code
  if find(code, "JSON%.parse%(%s*JSON%.stringify%(") then
    report("copy-by-text", view, n, "Copying by way of text is slow, and loses dates, maps and undefined.")
  end
  for _, name in ipairs(SYNC) do
    if find(code, "%f[%w_]" .. name .. "%(") then
      local around = V.function_around(view, n)
      if around and find(around.code, "%f[%w_]async%f[^%w_]") and not view.script then
        report("blocked-loop", view, n, format("%s blocks: while it works, nothing else in the event loop runs.", name), { severity = "low" })
      end
      break
    end
  end
  if find(code, "%.sort%([^()]*%)%[%s*0%s*%]") then
    report("sort-for-one", view, n, "All of it is sorted, and one is taken.")
  end
  if find(code, "%f[%w_]new%s+RegExp%(%s*[\"'`]") and loop_around(view, n) then
    report("work-in-loop", view, n, "The expression is compiled again in each round.")
  end
  if find(code, "^%s*while%s*%(%s*true%s*%)%s*{?%s*}%s*$") or find(code, "^%s*while%s*%(%s*true%s*%)%s*;") then
    report("busy-wait", view, n, "The loop keeps a processor busy while it waits.")
  end
end

local function c(view, n, line, report)
  if find(line.code, "^%s*for%s*%(.*;[^;]*<=?%s*strlen%s*%(") then
    report("work-in-loop", view, n, "strlen runs through the whole text in each round.")
  end
  if find(line.code, "^%s*while%s*%(%s*[1t]r?u?e?%s*%)%s*;") then
    report("busy-wait", view, n, "The loop keeps a processor busy while it waits.")
  end
end

---@param view moonlet.rules.View
function M.file(view, report)
  if not view.production then return end
  for _, n in ipairs(view.added) do
    local line = view.lines[n]
    if find(line.code, "%S") and not line.inside and not line.moved and #line.text < 1000 then
      if view.language == "python" then
        python(view, n, line, report)
      elseif view.language == "go" then
        go(view, n, line, report)
      elseif JS[view.language] then
        javascript(view, n, line, report)
      elseif view.language == "c" or view.language == "cpp" then
        c(view, n, line, report)
      end
    end
  end
end

return M
