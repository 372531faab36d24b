return {
  summary = "no round, no result",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--artifact", "app.py" },
  runner = "cassette:dry,fault=crash**",
  expect = { verdict = "failed", exit_code = 1, error = "0 of 6 rounds succeeded" },
}
