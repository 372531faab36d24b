-- Tests that the echo of typed text counts neither as output nor as a match.
local echo = require "moonlet.engine.session.echo"

local function note(text) return { offset = 10, text = text, silent_ms = 60000, same_ms = 70000 } end

local function silence(text, bytes)
  local facts = { silent_ms = 900, same_ms = 900, input_ms = 1000, input_at = 10 }
  echo.discounted(facts, note(text), bytes)
  return facts.silent_ms .. " " .. facts.same_ms
end

test("an echo does not end a silence, but output does", function()
  is(silence("", "\r\n"), "61000 71000", "Enter")
  is(silence("hello", "hello\r\n"), "61000 71000", "a text")
  is(silence("two\nlines", "two\r\nlines\r\n"), "61000 71000", "two lines")
  is(silence(nil, "^C"), "61000 71000", "a key")
  is(silence("hello", "hello\r\nhello\r\n"), "900 900", "the program repeats it")
  is(silence("hello", "hello\r\n."), "900 900", "a dot")
end)

test("an echo is hidden only where it was typed", function()
  local function hidden(bytes, began, text) return (echo.hidden(bytes, began, { note(text) }):gsub("%z", "")) end
  is(hidden("ready done> done\r\ndone", 0, "done"), "ready done> \r\ndone", "before and behind it stays")
  is(hidden("0123456789do", 0, "done"), "0123456789", "the half of it that has come")
  is(hidden("done", 4000, "done"), "done", "a later part of the log")
  is(hidden("0123456789\r\nfine", 0, ""), "0123456789\r\nfine", "nothing was typed")
end)
