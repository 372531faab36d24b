-- A script that run.sh puts into the preset's folder: tries the preset's own modules. Raises a list of what is wrong,
-- or returns how many things it looked at.
local delegation = require "delegation"
local plan = require "plan"
local expect = require "expect"
local is = expect.is

local refused = { -- the task, and a part of the alternative
  { "Review the parser", "triangulated-review" }, { "please audit src/", "triangulated-review" },
  { "Explain how the cache works", "moonlet run sidecar" }, { "Research which library fits", "moonlet run sidecar" },
  { "Find out why it is slow", "moonlet run sidecar" }, { "  Investigate the crash", "moonlet run sidecar" },
  { "Add a login form, and ask me which storage to use", "decide it first" },
  { "Build the queue; decide on the architecture as you go", "decide it first" },
  { "Implement the export, then wait for approval", "decide it first" },
  { "Fix the typo in README.md", "yourself" }, { "Bump the version", "yourself" },
  { "Make a one-line change in a.c", "yourself" },
}
for _, case in ipairs(refused) do
  local why, instead = delegation.refuse(case[1])
  is(why ~= nil, true, case[1])
  is((instead or ""):find(case[2], 1, true) ~= nil, true, case[1] .. " names the alternative: " .. tostring(instead))
end
for _, task in ipairs { "Implement the review queue", "Add tests for the parser", "Build the research page",
  "Reviewer names must be sorted: implement it in list.ts", "Add a spell checker that finds a typo in each word of a "
    .. "document, with a dictionary of its own, a command line, an exit code for findings, and tests of all of it "
    .. "for empty, long and binary files" } do
  is(delegation.refuse(task), nil, task)
end

is(#plan.missing("# Plan\nDo it.\n"), 5, "a bare plan")
is(table.concat(plan.missing("## Requirements\n- x\n## Integration points\nEdge cases: none\n"), ", "),
  "Existing patterns, Expectations", "half a plan")
is(#plan.missing("## Requirements\n## Existing patterns\n## Integration points\n## Edge cases\n## Expectations\n"), 0,
  "a whole plan")

return expect.done()
