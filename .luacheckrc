std = "lua54"
max_line_length = 120  -- of a line that ends within a string
max_code_line_length = 100
codes = true
exclude_files = { "tests/e2e/presets/syntax_error.lua" }
-- The primitives, which C++ hands to stdlib/ alone.
files["stdlib"] = { read_globals = { "core" } }
-- Types alone: their functions have no bodies, and a type is one line.
files["stdlib/meta"] = { globals = { "core", "ctx", "m", "args" }, ignore = { "211", "212", "221", "241" },
  max_line_length = false }
-- The globals that check.lua gives the unit tests of stdlib/, which run with its rights.
files["tests/stdlib"] = { globals = { "core", "shell", "test", "note", "show", "is", "same", "holds", "raises", "gives", "sh",
  "told", "a_run", "read_case", "put_file", "cases", "scratch", "seed" },
  max_line_length = false }
-- A script (a file that returns no preset) runs with these three.
files["tests/bench"] = { read_globals = { "ctx", "m", "args" } }
