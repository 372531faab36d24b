--- Implements `--forecast`, and `--up-to` and `--sha`, with which a run starts only if its forecast
--- allows it.
local budget = require "moonlet.engine.budget.budget"
local command_line = require "moonlet.engine.base.command_line"
local counted = require "moonlet.engine.base.counted"
local forecast = require "moonlet.engine.run.forecast.forecast"
local manifest = require "moonlet.engine.run.manifest"
local metering = require "moonlet.engine.agent.metering"
local options = require "moonlet.engine.cli.options"
local page = require "moonlet.engine.base.page"
local state = require "moonlet.engine.run.state"

local M = {}

local null = core.json.null
local key_width, word_width, price_width = 36, 9, 17
local words = { paid = "to pay", asks = "asks you", free = "made up" }

M.known = {
  forecast = { help = "print what it would reuse, pay and refuse, and the price; start nothing" },
  ["up-to"] = { value = "KIND=N",
    help = "run only if its highest price is within usd=N or tokens=N, and end it there" },
  sha = { value = "HASH",
    help = "with --up-to: run only if the forecast is the one with this hash" },
}

local function amount(kind, value)
  if kind == "tokens" then return ("%d"):format(math.ceil(value)) end
  return ("%.4f"):format(value)
end

local function range_text(kind, range)
  if type(range) ~= "table" or range == null then return "unknown" end
  if range.low == range.high then return amount(kind, range.high) end
  return ("%s-%s"):format(amount(kind, range.low), amount(kind, range.high))
end

--- Returns two cells of the forecast: a step's cost in USD, and a note. The note is the date when a
--- reused step was paid, or the source of the estimate.
local function cells_of(row)
  if row.outcome == "unknown" then
    return "-", row.paid_usd ~= null and "was " .. amount("usd", row.paid_usd) or ""
  elseif row.outcome == "reused" then
    local usd = row.paid_usd ~= null and amount("usd", row.paid_usd) or "-"
    return usd, type(row.paid_at) == "string" and "paid " .. row.paid_at:sub(1, 10) or ""
  elseif row.usd == nil then
    return row.outcome == "free" and "0" or "-", ""
  end
  return range_text("usd", row.usd), row.usd ~= null and row.usd.from or ""
end

--- Reports whether the table lists a step. Reused steps without a cost are only counted.
local function is_told(row)
  return row.outcome ~= "reused" or row.kind == "agent" or type(row.paid_usd) == "number"
end

local function add_row(lines, row)
  local price, from = cells_of(row)
  local line = ("%s %s %s %s"):format(page.pad(core.text.fit(core.text.printable(row.key, 400),
    key_width), key_width), page.pad(words[row.outcome] or row.outcome, word_width),
    page.pad(price, price_width), from)
  lines[#lines + 1] = core.text.fit(line, 80):gsub("%s+$", "")
  if row.why ~= null then
    for _, text in ipairs(page.wrap(core.text.printable(row.why, 1000), 76)) do
      lines[#lines + 1] = "    " .. text
    end
  end
end

local function total_text(name, sums)
  local usd = sums.usd
  if name == "rest" then
    if usd.rest == null then
      return "no bound of its price is known: no earlier step has a known price, "
        .. "and the run has no limit in USD"
    end
    return ("at most %s USD by %s"):format(amount("usd", usd.rest), usd.rest_from)
  end
  if usd.high == null then return "a price that is unknown" end
  return ("%s USD"):format(range_text("usd", usd))
end

local endings = { unknown = "What depends on these answers",
  person = "What follows the answer of a person" }

local function add_text(lines, text)
  for _, line in ipairs(page.wrap(text, 80)) do lines[#lines + 1] = line end
end

local function price_hint(found)
  for _, row in ipairs(found.steps) do
    local model = row.model ~= null and row.model or nil
    if row.usd == null and not model and found.keeps_model then
      return "no model is named; moonlet run replay RUN --model NAME names one"
    end
    if row.usd == null then return metering.price_hint(model) end
  end
end

local function highest_text(found, counts, to_pay)
  local sums = found.totals
  if counts.free and to_pay == 0 and sums.usd.most == 0 then
    return "Nothing to pay: the answers are made up."
  end
  if sums.usd.most == null then
    local hint = price_hint(found)
    return "Highest price: unknown" .. (hint and ": " .. hint or "") .. "."
  end
  if found.calls then
    return ("Highest price: %s USD (%s)."):format(budget.shown("usd", sums.usd.most),
      counted(found.calls, "agent call"))
  end
  return ("Highest price: %s USD (%s tokens)."):format(amount("usd", sums.usd.most),
    sums.tokens.most ~= null and amount("tokens", sums.tokens.most) or "unknown")
end

local function add_totals(lines, found)
  local counts = {}
  for _, row in ipairs(found.steps) do counts[row.outcome] = (counts[row.outcome] or 0) + 1 end
  local sums = found.totals
  local reused, to_pay = counts.reused or 0, (counts.paid or 0) + (counts.adopted or 0)
  lines[#lines + 1] = ""
  add_text(lines, ("Reused: %s, %s USD paid before."):format(counted(reused, "step"),
    amount("usd", sums.usd.reused)))
  add_text(lines, ("To pay: %s%s"):format(counted(to_pay, "step"),
    to_pay > 0 and ", " .. total_text("high", sums) .. "." or "."))
  if found.stops then
    local key, agents = core.text.printable(found.stops.key, 400), found.stops.agents
    add_text(lines, ("The forecast ends at %s%s."):format(key,
      agents > 0 and ("; last time %s followed"):format(counted(agents, "agent call")) or ""))
  end
  if endings[found.ends] then
    add_text(lines, ("%s: unknown, %s."):format(endings[found.ends], total_text("rest", sums)))
  end
  if found.error then
    add_text(lines, "It ends with: "
      .. core.text.printable(manifest.error(found.error).message, 1000))
  end
  add_text(lines, highest_text(found, counts, to_pay))
end

--- Formats the forecast as a table of at most 80 columns.
function M.text(found)
  local lines = { ("%s %s %s %s"):format(page.pad("STEP", key_width), page.pad("DOES", word_width),
    page.pad("USD", price_width), "FROM") }
  local quiet = 0
  for _, row in ipairs(found.steps) do
    if is_told(row) then add_row(lines, row) else quiet = quiet + 1 end
  end
  if quiet > 0 then
    lines[#lines + 1] = ("%s without a price %s reused"):format(counted(quiet, "step"),
      quiet == 1 and "is" or "are")
  end
  add_totals(lines, found)
  return table.concat(lines, "\n") .. "\n"
end

function M.record(found)
  return { hash = found.hash or null, ends = found.ends, steps = found.steps, totals = found.totals,
    error = manifest.error(found.error) }
end

--- Parses the value of --up-to, such as usd=2. Returns "usd" or "tokens", and the number.
local function read_bound(text)
  local kind, value = (text or ""):match "^%s*(%l+)%s*=%s*(.-)%s*$"
  local number = tonumber(value)
  if kind == "tokens" then number = math.tointeger(number) end
  if (kind == "usd" or kind == "tokens") and number and number >= 0 and number < math.huge then
    return kind, number
  end
  options.refuse(("--up-to '%s' is not understood"):format(core.text.printable(text, 60)),
    "write --up-to usd=2 or --up-to tokens=200000")
end

--- Raises an error for options that exclude each other.
---@param found table  options of the command line
function M.check(found)
  if found.sha and not (found["up-to"] or found.forecast) then
    options.refuse("--sha needs --up-to", "moonlet resume RUN --up-to usd=2 --sha HASH")
  end
  if found.forecast and found["up-to"] then
    options.refuse("--forecast and --up-to exclude each other", "--forecast starts nothing")
  end
  if found["up-to"] then read_bound(found["up-to"]) end
end

function M.is_wanted(found) return (found.forecast or found["up-to"]) ~= nil end

--- Returns the first step whose cost in USD cannot be observed, or nil.
local function unwatched(made)
  for _, row in ipairs(made.steps) do
    if row.watched == false then return row end
  end
end

local function enough(kind, most)
  return budget.shown(kind, kind == "usd" and math.ceil(most * 1e4) / 1e4 or math.ceil(most))
end

--- Reports whether a limit in USD can be enforced for the run.
local function is_watchable(plan, made)
  local limited = setmetatable({ budget = { usd = 0 } }, { __index = plan })
  return not unwatched(made) and pcall(metering.check_plan, limited)
end

--- Returns the last line of a forecast: the command that starts the run, or a hint on its limits.
local function go_on(plan, made, command)
  local sums = made.totals
  local over = made.over_budget
  if over and sums.usd.high == 0 and sums.tokens.high == 0 then
    local remedy = state.remedy("budget", over)
    return remedy and ("To run it: %s %s\n"):format(command:gsub(" %-%-budget[= ]%S+", ""), remedy)
      or over.hint .. "\n"
  end
  local kind = sums.usd.most ~= null and is_watchable(plan, made) and "usd" or "tokens"
  if sums[kind].most == null then
    return "It cannot be bounded yet: add --budget tokens=200000 to this forecast.\n"
  end
  return ("To run it: %s --up-to %s=%s --sha %s\n"):format(command, kind,
    enough(kind, sums[kind].most), made.hash)
end

--- Returns nil if the run may start with the limit of --up-to, else an error and an exit code.
local function obstacle(made, found, kind, bound)
  if found.sha and found.sha ~= made.hash then
    return { kind = "invalid",
      message = ("the forecast has changed: it is %s now, not %s; nothing was started")
      :format(made.hash, core.text.printable(found.sha, 40)),
      hint = "read the new forecast below, and approve "
        .. "that one" }, 2
  end
  local row = kind == "usd" and unwatched(made)
  if row then
    return { kind = "invalid",
      message = ("a limit in USD cannot be watched for %s: its runner reports no cost, and "
      .. "the price of its model is unknown; nothing was started"):format(
        core.text.printable(row.key, 100)),
      hint = "write --up-to tokens=N, or add the price to your config: prices = { [MODEL] = … }" },
      2
  end
  local most, known = made.totals[kind].most, made.totals[kind].high
  -- If the known steps may already exceed the limit, the price of the unknown steps does not
  -- matter.
  if most == null and known ~= null and budget.exceeds(known, bound) then most = known end
  if most == null then
    return { kind = "invalid",
      message = "the highest price is unknown, and nothing bounds it; nothing was started",
      hint = ("give the run a limit: --budget %s=N; or a price: prices = { … } in "
        .. "your config"):format(kind) }, 2
  end
  if budget.exceeds(most, bound) then
    return { kind = "budget",
      message = ("it may cost %s %s, and --up-to allows %s; nothing was started"):format(
      amount(kind, most), kind == "usd" and "USD" or "tokens", budget.shown(kind, bound)),
      hint = ("allow more: --up-to %s=%s"):format(kind, enough(kind, most)) }, 5
  end
end

local function limit(plan, made, kind, bound)
  local limits = {}
  for name, value in pairs(plan.budget) do limits[name] = value end
  local most = budget.plus(made.totals[kind].spent, bound)
  limits[kind] = limits[kind] and math.min(limits[kind], most) or most
  plan.budget = limits
  metering.check_plan(plan)
end

--- Makes the forecast of a plan. If the run must not start, returns the envelope, the exit code and
--- the text with which the command ends. Otherwise returns nil and a function that limits a plan to
--- the amount of --up-to.
---@param plan moonlet.Plan   used only for the forecast
---@param found table         options of the command line
---@param command string      start of the command
---@param given string[]      other words of the command, without the forecast options
---@return table? envelope, integer|function code, string? text
function M.of(plan, found, command, given)
  local made = forecast.of(plan)
  for _, word in ipairs(given) do command = command .. " " .. command_line.quoted(word) end
  local next_line = go_on(plan, made, command)
  if found.forecast then
    return options.envelope(M.record(made)), 0,
      M.text(made) .. ("Forecast %s.\n"):format(made.hash) .. next_line
  end
  local kind, bound = read_bound(found["up-to"])
  local err, code = obstacle(made, found, kind, bound)
  if err then
    return options.envelope(M.record(made), nil, manifest.error(err)), code,
      M.text(made) .. next_line
  end
  return nil, function(run_plan) limit(run_plan, made, kind, bound) end
end

return M
