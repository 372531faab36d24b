-- A few paid agents whose prompts contain what the run observed before. `--kind` selects what it observes.
local m = require "moonlet"

local kinds = {}

-- Calls with the same prompt and name, in parallel and in sequence, are separate steps.
function kinds.twins(ctx, ask)
  ctx:phase("twins", 5)
  ctx:parallel({ 1, 2, 3 }, function(c) return ask(c, "twin") end)
  return { ask(ctx, "twin"), ask(ctx, "twin") }
end

-- Prompts contain what git printed at the start of the run.
function kinds.git(ctx, ask)
  local facts = m.facts.git(ctx, "")
  local head = ctx:exec { "git", "log", "--oneline" }.stdout
  return { ask(ctx, "one", facts.head .. #facts.files), ask(ctx, "two", head), ask(ctx, "three") }
end

-- The change contains a secret. Neither the prompts nor the values that are computed from the change contain it.
function kinds.secret(ctx, ask)
  local facts = m.facts.git(ctx, "")
  local text = ctx:read "deploy.yaml"
  local found = {}
  for _, file in ipairs(facts.files) do
    for _, part in ipairs(file.parts) do
      for _, secret in ipairs(part.secrets) do found[#found + 1] = ("%s:%d %s"):format(file.path, secret.line, secret.kind) end
    end
  end
  return { ask(ctx, "one", facts.diff), ask(ctx, "two", m.facts.shown(text, "deploy.yaml")), found,
    ask(ctx, "three", table.concat(found, "\n")) }
end

-- The first agent sees nothing of the repository; a later agent's prompt contains a file.
function kinds.world(ctx, ask)
  local first = ask(ctx, "blind")
  local seen = ctx:read "world.txt" .. ctx:exec { "cat", "world.txt" }.stdout
  return { first, seen, ask(ctx, "seeing", seen), ask(ctx, "last") }
end

return m.preset {
  name = "tale",
  summary = "A short run to be killed and resumed.",
  args = { kind = m.arg.string { default = "twins" }, pause = m.arg.string { default = "0.3" } },
  needs = { agents = true, programs = { "git", "cat" }, env = { "BILL" }, read = { "." } },
  run = function(ctx, args)
    return kinds[args.kind](ctx, function(c, name, more)
      return c:agent { name = name, env = { "BILL" },
        prompt = ("%s %s -\n%s\n"):format(name, args.pause, more or "") }.text
    end)
  end,
}
