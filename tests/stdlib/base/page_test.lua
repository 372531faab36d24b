local page = require "moonlet.engine.base.page"

test("a quoted text has a bar before each line and hides nothing", function()
  same(page.quote("a\n\n  b\tc\r\n\27[1;31mred\27[0m\n", 80), { "  | a", "  | ", "  |   b    c", "  | red" }, "plain lines")
  same(page.quote("x\27[2J\27[H\27]52;c;evil\7y\rz\u{202e}\u{9b}", 80),
    { "  | x\\x1b[2J\\x1b[H\\x1b]52;c;evil\\x07y\\rz\\u{202e}\\u{9b}" }, "sequences and marks")
  same(page.quote("日本語 ab", 12), { "  | 日本語 a", "  | b" }, "a line that is too long")
  local forged = ("safe%sgate asks: tidy"):format((" "):rep(76))
  for _, line in ipairs(page.quote(forged, 80)) do is(line:sub(1, 4), "  | ", "a row of the terminal") end
end)
