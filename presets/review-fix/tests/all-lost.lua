return {
  summary = "no review, no fix",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--artifact", "app.py", "--scope", "app.py", "--top", "1" },
  runner = "cassette:fixed,fault=crash**",
  expect = { verdict = "failed", exit_code = 1, error = "1 of 1 failed" },
}
