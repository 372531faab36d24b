--- The rate of hooks: what a program prints starts the user's programs. A few a minute of each kind run at once; the
--- rest of the minute is counted, and one call at its end stands for all of them.
local M = {}

M.per_minute = 6
local window_ms = 60 * 1000

---@class moonlet.HookWindow
---@field since integer
---@field calls integer  that ran
---@field held integer   events that had no call
---@field last table?    the variables of the newest of them

---@return table<string, moonlet.HookWindow>
function M.new() return {} end

--- True if the hook may run now; else its event is counted.
---@param rate table<string, moonlet.HookWindow>
---@param kind string
---@param variables table
---@param now_ms integer
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

--- The calls that stand for counted events: of each kind whose minute is over, or of all kinds at the end.
---@param rate table<string, moonlet.HookWindow>
---@param now_ms integer
---@param is_end boolean?
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
