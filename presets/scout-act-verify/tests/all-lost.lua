return {
  summary = "without the scout nobody acts",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--goal", "f strips its text", "--scope", "app.py" },
  runner = "cassette:done,fault=crash**",
  expect = { verdict = "failed", exit_code = 1 },
}
