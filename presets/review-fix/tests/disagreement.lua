return {
  summary = "the verifier does not pass what the implementer calls done",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--artefact", "app.py", "--scope", "app.py", "--top", "1", "--success", "do not pass" },
  runner = "cassette:refused",
  record = "command:agent",
  expect = { verdict = "ok", findings = "1 problem left",
    result = { pass = false, next_action = "Fix this first: an empty text raises SyntaxError" } },
}
