-- Presets and stdlib run under Lua 5.4 with `require` and the sandbox's library, nothing else.
std = "lua54"
max_line_length = 110
codes = true
-- Scripts (not presets) get these three as globals.
files["tests/e2e/scripts"] = { globals = { "result" }, read_globals = { "ctx", "m", "args" } }
files["tests/e2e/presets/syntax_error.lua"] = { ignore = { "." } }
