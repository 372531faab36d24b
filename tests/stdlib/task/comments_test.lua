local comments = require "moonlet.engine.task.comments"

local patch = ([[
diff --git a/a.txt b/a.txt
--- a/a.txt
+++ b/a.txt
@@ -1,3 +1,4 @@
 one
-two
+2
 three
+++ four
diff --git a/with space b/with space
--- a/with spaceTAB
+++ b/with spaceTAB
@@ -0,0 +1,2 @@
+same
+same
\ No newline at end of file
]]):gsub("TAB", "\t")

local function placed(file, line, content)
  local comment = { file = file, line = line, content = content }
  comments.place({ comment }, patch)
  return comment.place, comment.outdated
end

test("a comment stays at its line while the line has its text", function()
  is(placed("a.txt", 2, "2"), 2, "a changed line")
  is(placed("a.txt", 1, "one"), 1, "a line around it")
  is(placed("a.txt", 4, "++ four"), 4, "a line that looks like a header")
end)

test("a comment follows its text to the nearest line that has it", function()
  is(placed("a.txt", 9, "three"), 3, "it has moved up")
  is(placed("with space", 1, "same"), 1, "the first of two")
  is(placed("with space", 5, "same"), 2, "the second of two")
end)

test("a comment whose line or file is gone is outdated", function()
  for _, case in ipairs { { "a.txt", 2, "two" }, { "b.txt", 1, "one" }, { "a.txt", 1, "on" } } do
    local place, outdated = placed(case[1], case[2], case[3])
    is(place, nil, case[1])
    is(outdated, true, case[1])
  end
  local comment = { file = "a.txt", line = 1, content = "one" }
  comments.place({ comment }, nil)
  is(comment.outdated, true, "a run without changes")
end)
