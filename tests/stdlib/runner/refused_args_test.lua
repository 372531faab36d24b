local names = require "moonlet.engine.runner.names"
local refused = require "moonlet.engine.runner.refused_args"

test("each runner with a program lists its refused arguments", function()
  for _, name in ipairs(names.programs) do
    local runner = require("moonlet.engine.runner." .. name)
    is(type(runner.refused_args) == "table" and #runner.refused_args > 0, true, name)
    for _, word in ipairs(runner.refused_args) do is(refused.holds(name, word), true, name .. " " .. word) end
    is(refused.holds(name, "--verbose"), false, name)
  end
end)

test("an option is refused in every spelling", function()
  for name, words in pairs {
    codex = { "-sdanger", "--sandbox=off", "-capproval_policy=never", "--config=sandbox_mode=x" },
    claude = { "-pc", "--resume=1" }, gemini = { "--outputFormat=text", "-otext" }, opencode = { "--attach=x" },
  } do
    for _, word in ipairs(words) do is(refused.holds(name, word), true, name .. " " .. word) end
  end
  is(refused.holds("codex", "-cmodel=x"), false, "another setting of Codex")
  is(refused.holds("mine", "--resume"), false, "a runner of the user's own")
end)
