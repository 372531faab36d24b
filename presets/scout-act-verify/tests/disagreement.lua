return {
  summary = "the verifier does not pass what the implementer calls done",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--goal", "f strips its text", "--scope", "app.py", "--success", "do not pass" },
  runner = "cassette:refused",
  record = "command:agent",
  expect = { verdict = "ok",
    result = { pass = false, problems = { "bytes are not stripped" } } },
}
