return {
  summary = "a scout, an implementer and a verifier, one after the other",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--goal", "f strips its text", "--scope", "app.py" },
  runner = "cassette:done",
  record = "command:agent",
  expect = { verdict = "ok", findings = "it passes",
    result = { pass = true, approach = "strip at the return", files_changed = { "app.py" } } },
}
