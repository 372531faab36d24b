return {
  summary = "a lost round looked at nothing, so it is not a dry one",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--artifact", "app.py" },
  runner = "cassette:dry,fault=crash**@round 2",
  expect = { verdict = "degraded", exit_code = 4 },
}
