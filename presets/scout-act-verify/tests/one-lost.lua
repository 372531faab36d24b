return {
  summary = "the implementer is lost: nothing is changed, and nobody verifies it",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--goal", "f strips its text", "--scope", "app.py" },
  runner = "cassette:done,fault=crash**@implementer",
  expect = { verdict = "failed", exit_code = 1, error = "signal 11" },
}
