local values = require "moonlet.engine.journal.values"

test("the journal restores lost values, infinity, and tables that look like their encoding", function()
  local lost = core.lost.new { branch = "b\xff", kind = "failed", message = "no" }
  local told = values.read(values.text { lost, { ["$lost"] = 1 }, { lost = { branch = "b" } }, 1 / 0,
    { ["$infinite"] = true } })
  is(core.lost.record(told[1]).branch, "b\xff", "a lost value")
  is(told[2]["$lost"], 1, "a record with the key of one")
  is(told[3].lost.branch, "b", "a record in the form of one")
  is(told[4], 1 / 0, "infinity")
  is(told[5]["$infinite"], true, "a record with its key")
end)
