local verbs = require "moonlet.engine.cli.verbs"
local page = require "moonlet.engine.base.page"

test("every verb has a module with its options, and a line of help", function()
  local seen = {}
  for _, verb in ipairs(verbs.list) do
    is(seen[verb.name], nil, verb.name .. " is listed once")
    seen[verb.name] = true
    local known = verbs.options(verb)
    is(type(known.help), "table", verb.name .. " takes --help")
    is(type(require("moonlet.engine.cli." .. verb.module).main), "function", verb.name .. " can be run")
    is(#verb.help <= 60, true, verb.name .. " has a short line of help")
    is(verb.example:find("moonlet ", 1, true) ~= nil, true, verb.name .. " has an example")
    local shown = verb.short and verb.name:gsub("^run ", "") or verb.name
    holds(verbs.help(verb, known, true), "usage: moonlet " .. shown, verb.name .. " explains itself")
  end
end)

test("words find their verb, also in short", function()
  local function found(...)
    local verb, words = verbs.find { ... }
    return verb and verb.name, table.concat(words, " ")
  end
  local function finds(name, whole, ...)
    local verb, words = found(...)
    is(verb, name, table.concat({ ... }, " "))
    is(words, whole, table.concat({ ... }, " "))
  end
  finds("run show", "run show 7", "show", "7")
  finds("run show", "run show 7", "run", "show", "7")
  finds("run show", "run show last --answer", "last", "--answer")
  finds("run", "run sidecar", "run", "sidecar")
  finds("preset list", "preset list", "preset", "list")
  finds(nil, "preset", "preset")
  finds(nil, "verify", "verify")
  finds("run log", "run log 7 -f", "log", "7", "-f")
  finds(nil, "")
  holds(verbs.unknown({ "shwo" }).hint, "show", "a near verb is suggested")
  holds(verbs.unknown({ "preset", "tset" }).hint, "test", "a near verb of a group is suggested")
  holds(verbs.unknown({ "preset" }).message, "needs a command", "a group alone is no verb")
end)

test("text is wrapped by columns, and none of it is lost", function()
  same(page.wrap("one two three", 8), { "one two", "three" }, "between words")
  same(page.wrap("日本語 日本語", 8), { "日本語", "日本語" }, "wide characters take two columns")
  same(page.wrap("e\u{301}e\u{301}e\u{301}e\u{301} e\u{301}e\u{301}e\u{301}", 8),
    { "e\u{301}e\u{301}e\u{301}e\u{301} e\u{301}e\u{301}e\u{301}" }, "combining ones none")
  local word = ("a"):rep(19)
  is(table.concat(page.wrap(word, 8)), word, "a word that is too long goes over lines")
  same(page.wrap("日本語日本語", 8), { "日本語日", "本語" }, "so does one of wide characters")
  same(page.wrap("a\n\nb", 8), { "a", "", "b" }, "line ends stay")
end)
