return {
  summary = "a verifier that does not pass the work blocks the run",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--goal", "f strips its text", "--scope", "app.py", "--success", "do not pass" },
  runner = "cassette:refused",
  record = "command:agent",
  expect = { verdict = "blocked", exit_code = 6,
    result = { pass = false, problems = { "bytes are not stripped" } } },
}
