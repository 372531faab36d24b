local codex = require "moonlet.engine.runner.codex"
local claude = require "moonlet.engine.runner.claude"
local gemini = require "moonlet.engine.runner.gemini"
local opencode = require "moonlet.engine.runner.opencode"
local plain_call = { prompt_file = "/run/prompt.md", out = "/run/out", cwd = "/w", sandbox = "read-only",
  scratch = "/run/scratch" }
local function call_of(prompt, extra)
  local call = { prompt = prompt }
  for key, value in pairs(plain_call) do call[key] = value end
  for key, value in pairs(extra or {}) do call[key] = value end
  return call
end

-- A prompt never becomes an argument. It goes to standard input unchanged.
local hostile = { "-x --help", "$(touch /tmp/x) `id` ; rm -rf / | cat > x & 'a' \"b\" \\", "a\0b", "line\r\nline\n\n",
  "caf\u{e9} \u{1f600} \u{202e}", "--", "{prompt} %s %n ${HOME}", ("x"):rep(200000) }
for _, runner in ipairs { codex, claude, gemini, opencode } do
  for i, prompt in ipairs(hostile) do
    local made = runner.command(call_of(prompt))
    is(made.stdin, "prompt", runner.name .. ": prompt " .. i .. " goes by standard input")
    for _, word in ipairs(made.argv) do
      if #prompt > 2 and word:find(prompt, 1, true) then note(runner.name .. ": prompt " .. i .. " is in an argument") end
    end
  end
  raises(function() runner.command(call_of "  \n") end, "the prompt is empty", runner.name .. ": nothing")
  raises(function() runner.command(call_of "a\255b") end, "UTF-8", runner.name .. ": other bytes")
  local resumes = { resume = true, fork = true, ["--continue"] = true, ["--resume"] = true, ["--session"] = true }
  for _, word in ipairs(runner.command(call_of "x").argv) do
    if resumes[word] then note(runner.name .. " resumes") end
  end
end

-- A prompt that the CLI would refuse is refused before the CLI starts.
local large = ("x"):rep(10 << 20)
raises(function() codex.command(call_of(large)) end, "takes at most 1048576", "codex and 10 MB")
is(#codex.command(call_of(("\u{e9}"):rep(1048576))).argv > 0, true, "codex counts characters")
raises(function() codex.command(call_of(("\u{e9}"):rep(1048577))) end, "1048577 characters long", "one character more")
raises(function() claude.command(call_of(large)) end, "takes at most 10000000", "claude and 10 MB")
is(#claude.command(call_of(("x"):rep(9000000))).argv > 0, true, "claude and 9 MB")
raises(function() claude.command(call_of "/help me") end, "begins with '/'", "claude and a slash")
is(#claude.command(call_of " /help me").argv > 0, true, "claude and a slash after a blank")
raises(function() gemini.command(call_of(large)) end, "takes at most 8388608", "gemini and 10 MB")
is(#opencode.command(call_of(large)).argv > 0, true, "opencode and 10 MB")
holds(gemini.command(call_of "see @notes.txt").warnings[1], "after an @", "gemini and an @")

-- Words that cannot be arguments are refused.
raises(function() codex.command(call_of("x", { config = { args = { "a\0b" } } })) end, "NUL", "a NUL in an argument")
raises(function() codex.command(call_of("x", { config = { args = { ("x"):rep(1 << 18) } } })) end, "bytes long",
  "an argument that is too long")
local role = codex.command(call_of("x", { role = 'a" \n\\ b = 1' })).argv
local seen
for _, word in ipairs(role) do seen = seen or word:match("^developer_instructions=(.*)$") end
is(seen, [["Your role in this task: a\" \u000A\\ b = 1."]], "a role in TOML")
local wide = { type = "object", properties = { a = { type = "string", description = ("x"):rep(200000) } } }
holds(claude.command(call_of("x", { schema = wide })).warnings[1], "too long for the command line", "a schema too long")
