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

--- Notes what an implementer changed outside of its scope as problems.
---@param result table
---@param name string
---@param scope string[]
---@param files string[]?  those that it changed; all of the result's
function V.check_scope(result, name, scope, files)
  for _, file in ipairs(C.outside(files or result.files_changed, scope)) do
    table.insert(result.problems, ("'%s' changed %s, which is outside of its scope"):format(name,
      require("moonlet.findings").place { file = file }))
  end
end

--- Verifies: sets `pass` and `problems` of a result. A check that fails makes the verdict `blocked`, and what it
--- printed goes to the verifier.
---@param ctx moonlet.Ctx
---@param opts table
---@param result table
---@param about {goal: string, success: string?, data: table[]}
function V.verify(ctx, opts, result, about)
  ctx:phase("verify", 1 + #(opts.checks or {}))
  local failed = C.evidence(ctx, opts.checks or {}, true)
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
  for _, item in ipairs(answer.data.problems) do result.problems[#result.problems + 1] = item.problem end
  result.pass = answer.data.pass and #result.problems == 0
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
