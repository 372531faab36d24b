return {
  summary = "the user cancels the run in its second round",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--artifact", "app.py" },
  runner = "cassette:dry,fault=cancel@round 2",
  expect = { verdict = "cancelled", exit_code = 130, error = "cancelled by the user" },
}
