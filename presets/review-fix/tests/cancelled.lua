return {
  summary = "the user cancels the run during the fix: nothing is changed",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--artifact", "app.py", "--scope", "app.py", "--top", "1" },
  runner = "cassette:fixed,fault=cancel@implementer",
  expect = { verdict = "cancelled", exit_code = 130, error = "cancelled by the user" },
}
