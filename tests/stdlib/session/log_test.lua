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

test("the end of a log begins with a whole sequence and a whole character", function()
  local folder = scratch .. "/cut/sessions/S-001"
  local function tail(before, after)
    put_file(folder, "output-0.log", before .. after)
    local root = assert(core.file.root(scratch .. "/cut"))
    return (log.tail(root, "S-001", #after))
  end
  is(tail("a\27[3", "1mred"), "red", "a colour")
  is(tail("a\27", "[31mred"), "red", "a colour after its escape")
  is(tail("a\27]0;ti", "tle\7red"), "red", "a title")
  is(tail("a\27_ap", "c\27\\red"), "red", "a command for a program")
  is(tail("a\27[31m", "1mred"), "1mred", "a sequence that is whole before")
  is(tail("a\xe2\x82", "\xacred"), "red", "a character")
  is(tail("ab", "red"), "red", "text")
end)

test("an unfinished sequence waits for its rest", function()
  local function parts(bytes) return table.concat({ log.settled(bytes) }, "|") end
  is(parts "a\27[3", "a|\27[3", "a colour")
  is(parts "a\27[31m", "a\27[31m|", "a whole colour")
  is(parts "a\27]0;t", "a|\27]0;t", "a title")
  is(parts "a\27_x", "a|\27_x", "a command for a program")
  is(parts "a\27_x\27\\", "a\27_x\27\\|", "a whole command for a program")
  is(parts "a\xe2\x82", "a|\xe2\x82", "a character")
end)
