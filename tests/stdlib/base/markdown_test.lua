local markdown = require "moonlet.engine.base.markdown"

local out = { columns = 60, colour = false, unicode = true, terminal = true }

test("a code span at the start of a line does not start a fenced block", function()
  same(markdown.lines("````` ```` ret`urn` ```1 ```` `````\n\n## High", out), { "```` ret`urn` ```1 ````", "", "High" },
    "the rest is laid out")
  same(markdown.lines("```text\n``` more\n`````\n*a*", out), { "    ``` more", "*a*" }, "a fence ends a fence")
  same(markdown.lines("~~~ a`b\n## c\n~~~", out), { "    ## c" }, "tildes begin one beside a backtick")
end)

test("as many backticks close a code span as open it, and escapes work only outside", function()
  same(markdown.lines("an \\`escaped\\` one, `a\\`, \\*b\\*", out), { "an `escaped` one, a\\, *b*" }, "escapes")
  same(markdown.lines("a ``b ` c`` d `e", out), { "a b ` c d `e" }, "one that has no end stays")
end)
