std = "lua54"
max_line_length = 120
codes = true
exclude_files = { "tests/e2e/presets/syntax_error.lua" }
-- The primitives, which C++ hands to stdlib/ alone.
files["stdlib"] = { read_globals = { "core" } }
-- A script (a file that returns no preset) runs with these three.
files["tests/bench"] = { read_globals = { "ctx", "m", "args" } }
