return {
  summary = "the user cancels the run before the work is verified",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--goal", "f strips its text", "--scope", "app.py" },
  runner = "cassette:done,fault=cancel@verifier",
  expect = { verdict = "cancelled", exit_code = 130, error = "cancelled by the user" },
}
