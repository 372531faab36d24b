-- Tests how texts are found in the log of a session.
local log = require "moonlet.engine.session.log"

local step = 1 << 20

test("a text that was printed since an offset is found, wherever it lies", function()
  local folder = scratch .. "/agent/sessions/S-001"
  local first = ("x"):rep(step + 7) .. "[QUESTION]" .. ("y"):rep(2 * step)
  put_file(folder, "output-0.log", first)
  put_file(folder, ("output-%d.log"):format(#first), "old [ANSWER] end")
  local root = assert(core.file.root(scratch .. "/agent"))
  local _, last = log.bounds(root, "S-001")
  is(last, #first + 16, "the size of both files")
  is(log.has_printed(root, "S-001", 0, "[QUESTION]"), true, "after more than one search step")
  is(log.has_printed(root, "S-001", step + 7, "[QUESTION]"), true, "at the offset")
  is(log.has_printed(root, "S-001", step + 8, "[QUESTION]"), false, "before the offset")
  is(log.has_printed(root, "S-001", 0, "[ANSWER]"), true, "in the newest file")
  is(log.has_printed(root, "S-001", 0, "yold"), true, "across two files")
  -- The boundary of a search step lies inside of the text.
  local from = last - step - 4
  put_file(folder, ("output-%d.log"):format(#first), ("z"):rep(16))
  put_file(folder, "output-0.log", first:sub(1, from) .. "[NEEDLE]" .. first:sub(from + 9))
  is(log.has_printed(root, "S-001", 0, "[NEEDLE]"), true, "across two steps")
  is(log.has_printed(root, "S-001", last, "z"), false, "nothing was printed since the end")
end)
