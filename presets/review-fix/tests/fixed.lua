return {
  summary = "the gravest issue is fixed, and another worker verifies it",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--artifact", "app.py", "--scope", "app.py", "--top", "1" },
  runner = "cassette:fixed",
  record = "command:agent",
  expect = { verdict = "ok", findings = "it passes",
    result = { pass = true, fixed = { { line = 2, severity = "high" } },
      files_changed = { "app.py" },
      next_action = "Take the change, then fix the next issue at app.py:1." } },
}
