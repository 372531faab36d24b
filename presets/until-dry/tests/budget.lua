return {
  summary = "the budget ends it, and what was found is kept",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--artifact", "app.py", "--budget", "agents=2" },
  runner = "cassette:dry",
  expect = { verdict = "budget", exit_code = 5,
    result = { dry = false, findings = { { line = 2 } } } },
}
