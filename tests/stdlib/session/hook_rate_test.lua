-- Tests the rate limit of hooks. A flood of events becomes a few calls per minute, and each event
-- is counted.
local hook_rate = require "moonlet.engine.session.hook_rate"

local minute = 60000

--- Returns the calls that events cause: "1" for event 1, "7 +3" for a call that reports three more.
local function play(events)
  local rate, calls = hook_rate.new(), {}
  for _, event in ipairs(events) do
    local now, kind = event[1], event[2] or "milestone"
    for i = 1, event.times or 1 do
      if hook_rate.admits(rate, kind, { text = tostring(i) }, now) then calls[#calls + 1] = kind .. " " .. i end
    end
    for _, item in ipairs(hook_rate.due(rate, now, event.is_end)) do
      calls[#calls + 1] = ("%s %s +%d"):format(item.kind, item.variables.text, item.count)
    end
  end
  return table.concat(calls, ", ")
end

test("a few events of a kind run at once, and one call at the end of the minute counts the others", function()
  is(play { { 0, times = 20000 }, { minute - 1, times = 0 }, { minute, times = 0 } },
    "milestone 1, milestone 2, milestone 3, milestone 4, milestone 5, milestone 6, milestone 20000 +19994", "a flood")
  is(play { { 0, times = 6 }, { minute, times = 1 } },
    "milestone 1, milestone 2, milestone 3, milestone 4, milestone 5, milestone 6, milestone 1", "as many as are allowed")
  is(play { { 0, times = 8 }, { 10, times = 0, is_end = true } },
    "milestone 1, milestone 2, milestone 3, milestone 4, milestone 5, milestone 6, milestone 8 +2", "the end comes first")
end)

test("a flood of one kind of event does not delay another kind", function()
  is(play { { 0, times = 9 }, { 1, "question" }, { 2, times = 0, is_end = true } },
    "milestone 1, milestone 2, milestone 3, milestone 4, milestone 5, milestone 6, question 1, milestone 9 +3", "kinds")
end)

test("the call that reports counted events counts towards the limit", function()
  is(play { { 0, times = 7 }, { minute, times = 0 }, { minute + 1, times = 6 }, { 2 * minute, times = 0 } },
    "milestone 1, milestone 2, milestone 3, milestone 4, milestone 5, milestone 6, milestone 7 +1, "
      .. "milestone 1, milestone 2, milestone 3, milestone 4, milestone 5, milestone 6 +1", "the next minute")
end)
