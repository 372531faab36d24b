--- Limits how often a session's output starts hooks. In each minute a few events of each kind start
--- a hook at once. One more hook at the end of the minute reports the number of the others.
local M = {}

M.per_minute = 6
local window_ms = 60 * 1000

---@class moonlet.HookWindow
---@field since integer
---@field calls integer  number of hooks that ran
---@field held integer   number of events that started no hook
---@field last table?    variables of the newest event of this kind

---@return table<string, moonlet.HookWindow>
function M.new() return {} end

--- Reports whether an event may start its hook now. If not, counts it for a later hook.
function M.admits(rate, kind, variables, now_ms)
  local window = rate[kind]
  if not window or window.held == 0 and now_ms - window.since >= window_ms then
    window = { since = now_ms, calls = 0, held = 0 }
    rate[kind] = window
  end
  if window.calls < M.per_minute and window.held == 0 then
    window.calls = window.calls + 1
    return true
  end
  window.held, window.last = window.held + 1, variables
  return false
end

--- Returns the hooks that report how many events were suppressed. They are due at the end of a
--- minute, or of the watch (`is_end`).
---@return {kind: string, count: integer, variables: table}[]
function M.due(rate, now_ms, is_end)
  local due = {}
  for kind, window in pairs(rate) do
    if window.held > 0 and (is_end or now_ms - window.since >= window_ms) then
      due[#due + 1] = { kind = kind, count = window.held, variables = window.last }
      rate[kind] = { since = now_ms, calls = 1, held = 0 }
    end
  end
  table.sort(due, function(a, b) return a.kind < b.kind end)
  return due
end

return M
