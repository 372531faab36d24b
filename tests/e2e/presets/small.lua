-- A small run with one of each thing that writes: an agent, a command, parallel agents, a file.
local m = require "moonlet"

return m.preset {
  name = "small",
  summary = "One of each.",
  args = { pause = m.arg.string { default = "0" }, agents = m.arg.integer { default = 2 } },
  needs = { agents = true, programs = { "cat" }, env = { "BILL" } },
  run = function(ctx, args)
    local function ask(c, name)
      return c:agent { name = name, prompt = name .. " " .. args.pause .. " -\n", env = { "BILL" } }.text
    end
    local one = ask(ctx, "one")
    local said = ctx:exec { "cat", stdin = one }.stdout
    local two = ctx:parallel({ "left", "right" }, ask, { key = function(item) return item end })
    ctx:write("notes.txt", said)
    return { sure = { one, said, two } }
  end,
}
