return {
  summary = "the budget ends before the verifier",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--goal", "f strips its text", "--scope", "app.py", "--budget", "agents=2" },
  runner = "cassette:done",
  expect = { verdict = "budget", exit_code = 5 },
}
