-- A preset with everything that a resume must replay: commands, the clock, random numbers, parallel agents, a
-- race and a timeout.
local m = require "moonlet"

return m.preset {
  name = "orchestra",
  summary = "Many steps, some of them paid.",
  args = {
    agents = m.arg.integer { default = 12, help = "how many agents side by side" },
    pause = m.arg.string { default = "0.05", help = "how long each of them takes" },
  },
  needs = { agents = true, programs = { "date", "sleep", "cat" }, env = { "BILL" } },
  run = function(ctx, args)
    local told = { ctx:exec { "date", "+%s%N" }.stdout, ctx:now(), ctx:random(1 << 30) }
    local items = {}
    for i = 1, args.agents do items[i] = "a" .. i end
    local finished = {}
    ctx:parallel(items, function(c, item)
      local answer = c:agent { name = item, prompt = item .. " " .. args.pause, env = { "BILL" } }.text
      finished[#finished + 1] = item
      c:exec { "cat", stdin = answer }
    end, { limit = 4, key = function(item) return item end })
    local first
    local ok, late = pcall(ctx.scope, ctx, { timeout = "900ms" }, function(s)
      s:spawn("side", function(c) c:exec { "sleep", "0.3" } first = first or "tortoise" end)
      s:spawn("side", function(c) c:exec { "sleep", "0.01" } first = first or "hare" end)
      s:sleep("1h")
    end)
    for i = 1, 3 do
      told[#told + 1] = ctx:agent { name = "solo", prompt = "solo" .. i .. " " .. args.pause, env = { "BILL" } }.text
    end
    return { told = told, finished = finished, first = first, late = not ok and late.kind }
  end,
}
