-- Parses every recording in data/ with the reader of its CLI, and returns the results.
local m = require "moonlet"

local rows = m.array {}
for line in m.asset("data/index.tsv"):gmatch("[^\n]+") do
  local name, code, sent = line:match("^([^\t]+)\t(-?%d+)\t([^\t]*)")
  if name then
    local function text_of(ending)
      local ok, text = pcall(m.asset, "data/" .. name .. ending)
      return ok and text or ""
    end
    local number = math.tointeger(tonumber(code))
    local exit = number < 0 and { why = "signalled", code = -1, signal = -number } or { why = "exited", code = number }
    if sent == "timeout" then exit = { why = "wall", code = -1, signal = 9 } end
    exit.stderr_tail = text_of ".stderr"
    local stdout = text_of ".stdout"
    local result, events = m.runner.read(name:match("^%l+"), stdout, exit, { now = 1795226400000, stdout = stdout })
    local kinds, order = {}, {}
    for _, event in ipairs(events) do
      if not kinds[event.type] then order[#order + 1] = event.type end
      kinds[event.type] = (kinds[event.type] or 0) + 1
    end
    for i, kind in ipairs(order) do order[i] = kind .. "=" .. kinds[kind] end
    rows[#rows + 1] = { name = name, status = result.status, class = result.class, text = result.text, cut = result.cut,
      usage = result.usage or m.null, cause = result.error and result.error.cause,
      error = result.error or m.null, model = result.model, files = result.files_changed, denied = result.denied,
      warnings = result.warnings, events = table.concat(order, " ") }
  end
end
return { rows = rows }
