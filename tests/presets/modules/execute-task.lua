-- Tests the modules of the preset execute-task. run.sh copies this script into the preset's folder.
-- It raises a list of faults, or returns the number of checks.
local plan = require "plan"
local expect = require "expect"
local is = expect.is

is(#plan.missing("# Plan\nDo it.\n"), 5, "a bare plan")
is(table.concat(plan.missing("## Requirements\n- x\n## Integration points\nEdge cases: none\n"), ", "),
  "Existing patterns, Expectations", "half a plan")
is(#plan.missing("## Requirements\n## Existing patterns\n## Integration points\n## Edge cases\n## Expectations\n"), 0,
  "a whole plan")

return expect.done()
