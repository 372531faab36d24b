--- Builds the result of an attempt on another machine, as `core.process.run` would return it.
local M = {}

local whys = { exited = true, signalled = true, wall = true, idle = true, cancelled = true,
  finished = true, lost = true, not_started = true }

local function integer(value, otherwise)
  return math.type(value) == "integer" and value or otherwise
end

local function text(value)
  return type(value) == "string" and core.text.printable(value, 600) or nil
end

--- Converts the content of exit.json to an attempt's result. Returns nil if it is malformed.
---@param record any
---@param out string   the fetched standard output
---@param err string
function M.of(record, out, err)
  if type(record) ~= "table" or not whys[record.why] then return nil end
  local exit = { why = record.why, code = integer(record.code, -1),
    signal = integer(record.signal, 0), duration_ms = integer(record.ms, 0),
    cpu_ms = integer(record.cpu_ms, 0), max_rss_kb = integer(record.rss_kb, 0),
    stragglers = integer(record.stragglers, 0), stdout_in_time = integer(record.out_in_time, 0),
    drained = record.drained ~= 0, machine = text(record.machine) }
  for name, stream in pairs { out = "stdout", err = "stderr" } do
    local total = integer(record[name], 0)
    exit[stream .. "_total"] = total
    exit[stream .. "_kept"] = integer(record[name .. "_kept"], total)
    exit[stream .. "_cut"] = record[name .. "_cut"] == 1
    if integer(record[name .. "_errno"], 0) ~= 0 then
      exit[stream .. "_write_error"] = "the disk there refused it"
    end
  end
  exit.stdout, exit.stderr = out, err
  if exit.why == "lost" or exit.why == "not_started" then
    exit.error = { kind = text(record.error_kind) or (exit.why == "lost" and "lost" or "failed"),
      message = text(record.error) or "its end is not known", hint = text(record.error_hint) }
  end
  return exit
end

--- Builds the result "lost" for an attempt that has no running keeper and no exit.json.
function M.gone(on)
  return { why = "lost", code = -1, signal = 0, duration_ms = 0, cpu_ms = 0, max_rss_kb = 0,
    stragglers = 0, stdout = "", stderr = "", stdout_total = 0, stdout_kept = 0, stderr_total = 0,
    stderr_kept = 0, stdout_in_time = 0, drained = true, error = { kind = "lost",
      message = ("it is gone on %s: no keeper runs there, and no end is recorded"):format(on),
      hint = "check the machine; moonlet resume starts the step again" } }
end

return M
