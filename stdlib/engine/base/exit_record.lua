--- Builds the content of exit.json, which describes how a process ended.
local null = core.json.null

---@param exit table  result of core.process
---@param result moonlet.RunnerResult?  result of an agent
return function(exit, result)
  return {
    answer = result and { total = result.cut or #result.text, kept = #result.text,
      cut = result.cut ~= false
      and result.cut ~= nil } or nil,
    version = 1, why = exit.why, code = exit.code >= 0 and exit.code or null,
    signal = exit.signal ~= 0 and exit.signal or null,
    duration_ms = exit.duration_ms, cpu_ms = exit.cpu_ms, max_rss_kb = exit.max_rss_kb,
    late = exit.late, drained = exit.drained, stragglers = exit.stragglers,
    stdout = { total = exit.stdout_total, kept = exit.stdout_kept, cut = exit.stdout_cut,
      write_error = exit.stdout_write_error or null },
    stderr = { total = exit.stderr_total, kept = exit.stderr_kept, cut = exit.stderr_cut,
      write_error = exit.stderr_write_error or null },
    error = exit.error and exit.error.message or null,
  }
end
