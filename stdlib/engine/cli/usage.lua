--- `moonlet usage` prints the agents' usage from the ledger.
--- Unreported usage is counted separately, never as zero.
local config = require "moonlet.engine.load.config"
local counted = require "moonlet.engine.base.counted"
local options = require "moonlet.engine.cli.options"
local repository = require "moonlet.engine.run.repository"
local ledger = require "moonlet.engine.run.ledger"
local spending = require "moonlet.engine.task.spending"
local store = require "moonlet.engine.run.store"
local verbs = require "moonlet.engine.cli.verbs"
local page = require "moonlet.engine.base.page"

local M = {}

local null = core.json.null
local most_inherited = 5

M.known = options.with_common {
  by = { value = "WHAT",
    help = "day (default), run, preset, runner, model, machine, change or all" },
  run = { value = "RUN", help = "of this run only" },
  runner = { value = "NAME", help = "only this runner; replayed cassettes count only here" },
  model = { value = "NAME", help = "of this model only" },
  since = { value = "DAY", help = "from this day on, as 2026-11-01" },
  ["until"] = { value = "DAY", help = "up to and including this day" },
  csv = { help = "print comma-separated values" },
}
local groups = { "all", "day", "run", "preset", "runner", "model", "machine", "change" }
local columns = { "attempts", "input_tokens", "cached_input_tokens", "output_tokens",
  "reasoning_output_tokens", "total_tokens", "cost_usd", "unreported", "unpriced", "estimated",
  "cache_write_tokens" }

local function csv_field(value)
  local text = type(value) == "string" and core.text.printable(value, 1000) or tostring(value)
  -- A spreadsheet would execute a text with this start as a formula, even between quotes.
  if text:find("^%s*[=+@%-]") and not tonumber(text) then text = "'" .. text end
  if text:find('[,"\r\n]') then text = '"' .. text:gsub('"', '""') .. '"' end
  return text
end

local function csv(rows, by)
  local lines = { by .. "," .. table.concat(columns, ",") }
  for _, row in ipairs(rows) do
    local fields = { csv_field(row.group) }
    for i, name in ipairs(columns) do
      fields[i + 1] = row[name] == null and "" or csv_field(row[name])
    end
    lines[#lines + 1] = table.concat(fields, ",")
  end
  return table.concat(lines, "\n") .. "\n"
end

local function cost_text(row)
  if row.cost_usd == null then return "-" end
  return ("%s%.4f%s"):format(row.estimated > 0 and "~" or "", row.cost_usd,
    row.unpriced > 0 and "+" or "")
end

--- Lists the columns; `true` marks those that a narrow terminal omits.
local numbers = { { "INPUT", "input_tokens", true }, { "CACHED", "cached_input_tokens", true },
  { "OUTPUT", "output_tokens", true }, { "TOTAL", "total_tokens" },
  { "USD", "cost_usd", write = cost_text } }

--- Lists the selected runs that have not ended. The ledger does not contain their usage yet.
local function unfinished(home, found)
  local ids = {}
  for _, run in ipairs(core.ledger.list(home.handle, { status = "running" }, 1000) or {}) do
    local day = type(run.started_at) == "string" and run.started_at:sub(1, 10) or ""
    local is_within = day >= (found.since or "") and day <= (found["until"] or "9999")
    if is_within and (not found.run or found.run == run.id) then ids[#ids + 1] = run.id end
  end
  return ids
end

local function unfinished_text(ids)
  if #ids == 0 then return nil end
  local shown = table.concat(ids, ", ", 1, math.min(#ids, 10))
  if #ids > 10 then shown = ("%s and %d more"):format(shown, #ids - 10) end
  return ("%s: not finished, so not in these sums; moonlet ps shows whether it runs, moonlet "
    .. "resume continues it")
    :format(shown)
end

--- Formats the cost per change that an agent was asked to make, and per change that was merged.
local function changes_text(changes)
  local text = ("%s, %d merged"):format(counted(changes.dispatched, "change dispatched",
    "changes dispatched"), changes.merged)
  if changes.cost_usd == null then return text .. "; what they cost is unknown" end
  text = ("%s; with all agents of their runs %.4f USD for each that was dispatched"):format(text,
    changes.per_dispatched_usd)
  if changes.per_merged_usd == null then return text end
  return ("%s, %.4f USD for each that was merged"):format(text, changes.per_merged_usd)
end

--- Reports steps whose call names no model and that used a more expensive one than their siblings.
local function add_inherited(notes, inherited)
  for i, item in ipairs(inherited) do
    if i > most_inherited then
      notes[#notes + 1] = ("and %d more steps used a more expensive model"):format(#inherited
        - most_inherited)
      return
    end
    notes[#notes + 1] =
      ("%s %s used the model %s, because its call names none; its siblings use %s"):format(item.run,
      core.text.printable(item.step, 100), core.text.printable(item.model, 60),
      core.text.printable(item.beside, 60))
  end
end

local function text(rows, by, pending, is_filtered, more)
  if #rows == 0 then
    local nothing = is_filtered and "no agent call matches"
      or by == "change" and "no agent was to change files yet"
      or "no agent has used anything yet"
    return (unfinished_text(pending) or nothing) .. "\n"
  end
  local out, heads = page.out(), { by == "all" and "" or by:upper(), "ATTEMPTS" }
  local notes, table_rows = {}, { heads }
  local unreported, unpriced, estimated, written = 0, 0, 0, 0
  for i, row in ipairs(rows) do
    local name = row.state and ("%s (%s)"):format(row.group, row.state) or row.group
    table_rows[i + 1] = { core.text.printable(name, 60), ("%d"):format(row.attempts) }
    written = written + (math.tointeger(row.cache_write_tokens) or 0)
    unreported, unpriced, estimated = unreported + row.unreported, unpriced + row.unpriced,
      estimated + row.estimated
  end
  for _, column in ipairs(numbers) do
    local name, is_known = column[2], false
    for _, row in ipairs(rows) do is_known = is_known or row[name] ~= null end
    if is_known and not (column[3] and out.terminal and out.columns < 64) then
      heads[#heads + 1] = column[1]
      for i, row in ipairs(rows) do
        local count = row[name] ~= null and ("%d"):format(row[name] // 1) or "-"
        table.insert(table_rows[i + 1], column.write and column.write(row) or count)
      end
    end
  end
  local lines = page.columns(out, table_rows, 1, 2)
  if unreported > 0 then
    notes[#notes + 1] = ("%s reported no tokens: what %s used is not in these sums"):format(
      counted(unreported, "attempt"), unreported == 1 and "it" or "they")
  end
  if unpriced > 0 then
    notes[#notes + 1] = ("the cost of %s is unknown"):format(counted(unpriced, "attempt"))
  end
  if estimated > 0 then
    notes[#notes + 1] = ("~ the cost of %s is an estimate by the prices of the config"):format(
      counted(estimated, "attempt"))
  end
  if written > 0 then
    notes[#notes + 1] =
      ("%d tokens of the input were written into a provider's cache, which costs more than reading")
      :format(written)
  end
  if more.changes then notes[#notes + 1] = changes_text(more.changes) end
  add_inherited(notes, more.inherited)
  notes[#notes + 1] = unfinished_text(pending)
  for _, note in ipairs(notes) do
    for _, row in ipairs(out.terminal and page.wrap(note, out.columns) or { note }) do
      lines[#lines + 1] = row
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

function M.main(words)
  local found, rest = verbs.read("usage", words, M.known)
  options.no_more(rest, 0, "usage", "moonlet usage --help")
  local by = found.by or "day"
  options.check_choice("by", by, groups)
  options.day(found.since, "since")
  options.day(found["until"], "until")
  if found.since and found["until"] and found.since > found["until"] then
    options.refuse(("--since %s is after --until %s"):format(found.since, found["until"]))
  end
  local is_filtered = found.run or found.runner or found.model or found.since or found["until"]
  local home = repository.open(found.repo)
  local ready, err = ledger.ready(home)
  if not ready then error(err, 0) end
  if found.run then found.run = store.find(home, found.run) end
  local filter = { run = found.run, runner = found.runner, model = found.model, since = found.since,
    ["until"] = found["until"] }
  local rows, why, changes
  if by == "change" then
    rows, changes = spending.by_change(home, filter)
  elseif by == "machine" then
    rows = spending.by_machine(home, filter)
  else
    rows, why = core.ledger.usage(home.handle, filter, by)
    if not rows then error(why, 0) end
  end
  local inherited = core.json.array(spending.inherited(home, filter, config.current().prices))
  local pending = unfinished(home, found)
  return options.envelope({ by = by, rows = core.json.array(rows),
    unfinished = core.json.array(pending), changes = changes, inherited = inherited }), 0,
    found.csv and csv(rows, by) or text(rows, by, pending, is_filtered,
      { changes = changes, inherited = inherited })
end

return M
