return {
  summary = "two rounds without news end it",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--artifact", "app.py" },
  runner = "cassette:dry",
  record = "command:agent {out}",
  expect = { verdict = "ok", result = { dry = true, rounds = 3, found_by_round = { 1, 0, 0 },
    findings = { { line = 2 } } } },
}
