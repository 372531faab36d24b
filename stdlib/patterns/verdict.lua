--- How patterns verify what an implementer made: first the host runs the checks, then a verifier looks.
local C = require "moonlet.patterns.common"
local prompt = require "moonlet.prompt"
local s = require "moonlet.schema"

local V = {}

V.schema = s.object {
  pass = s.boolean(),
  summary = s.string { min = 1, max = 2000 },
  problems = s.list(s.object { problem = s.string { min = 1, max = 2000 }, how = s.optional(s.string { max = 4000 }),
    fix = s.optional(s.string { max = 2000 }) }),
}

V.form = [[
One JSON object and nothing else:
{"pass": true | false, "summary": "in one line", "problems": [{"problem": "...", "how": "steps or an example that show
it", "fix": "..."}]}
pass is true only for what you saw to pass; with a problem it is false.]]

--- Verifies: sets `pass` and `problems` of a result. A check that fails, or a verifier that does not pass the work,
--- makes the verdict `blocked`. The verifier reads what failed checks printed.
---@param ctx moonlet.Ctx
---@param opts table
---@param result table
---@param checks table[]  calls of ctx:validate
---@param about {goal: string, success: string?, data: table[]}
function V.verify(ctx, opts, result, checks, about)
  ctx:phase("verify", 1 + #checks)
  local failed = C.evidence(ctx, checks)
  local data = { table.unpack(about.data) }
  for _, item in ipairs(C.outputs(failed)) do data[#data + 1] = item end
  for _, check in ipairs(failed) do
    result.problems[#result.problems + 1] = ("'%s' failed: %s"):format(check.command, tostring(check.why))
  end
  local name, worker = C.worker(opts, "verifier")
  local answer, lost = C.try(name, function()
    return ctx:agent(C.call(opts, worker, { name = name, schema = V.schema,
      prompt = prompt.verifier { goal = about.goal, success = about.success, output = V.form, pack = opts.pack,
        data = data } }))
  end)
  if not answer then
    result.lost[#result.lost + 1] = lost
    result.pass = false
    return
  end
  local seen = answer.data
  for _, item in ipairs(seen.problems) do result.problems[#result.problems + 1] = item.problem end
  ctx:verdict { by = name, pass = seen.pass and #seen.problems == 0,
    why = seen.problems[1] and seen.problems[1].problem or seen.summary }
  result.pass = seen.pass and #result.problems == 0
end

--- The outcome in words.
function V.told(result)
  if result.pass then return "it passes" end
  if #result.problems == 0 then return #result.lost > 0 and "nobody verified it" or "the verifier does not pass it" end
  return C.count(#result.problems, "problem") .. " left"
end

--- The one next step: `otherwise` if it passed.
function V.next_action(result, otherwise)
  if result.pass then return otherwise end
  local first = result.problems[1]
  if first then return "Fix this first: " .. require("moonlet.findings").clip(first, 300) end
  return "Verify the change: the verifier was lost."
end

return V
