return {
  summary = "a verifier that does not pass the work blocks the run",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--artifact", "app.py", "--scope", "app.py", "--top", "1", "--success", "do not pass" },
  runner = "cassette:refused",
  record = "command:agent",
  expect = { verdict = "blocked", exit_code = 6, findings = "1 problem left",
    result = { pass = false, next_action = "Fix this first: an empty text raises SyntaxError" } },
}
