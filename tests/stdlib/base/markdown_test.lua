local markdown = require "moonlet.engine.base.markdown"

local out = { columns = 60, colour = false, unicode = true, terminal = true }

test("a line of code in a span begins no fence", function()
  same(markdown.lines("````` ```` ret`urn` ```1 ```` `````\n\n## High", out), { "```` ret`urn` ```1 ````", "", "High" },
    "the rest is laid out")
  same(markdown.lines("```text\n``` more\n`````\n*a*", out), { "    ``` more", "*a*" }, "a fence ends a fence")
  same(markdown.lines("~~~ a`b\n## c\n~~~", out), { "    ## c" }, "tildes begin one beside a backtick")
end)

test("a code span ends at a run of as many backticks, and escapes count outside of it", function()
  same(markdown.lines("an \\`escaped\\` one, `a\\`, \\*b\\*", out), { "an `escaped` one, a\\, *b*" }, "escapes")
  same(markdown.lines("a ``b ` c`` d `e", out), { "a b ` c d `e" }, "one that has no end stays")
end)
