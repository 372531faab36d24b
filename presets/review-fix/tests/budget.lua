return {
  summary = "the budget ends before the fix",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--artifact", "app.py", "--scope", "app.py", "--top", "1", "--budget", "agents=1" },
  runner = "cassette:fixed",
  expect = { verdict = "budget", exit_code = 5 },
}
