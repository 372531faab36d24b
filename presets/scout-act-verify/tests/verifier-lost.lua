return {
  summary = "without a verifier nothing passes",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--goal", "f strips its text", "--scope", "app.py" },
  runner = "cassette:done,fault=crash**@verifier",
  expect = { verdict = "degraded", exit_code = 4,
    result = { pass = false, next_action = "Verify the change: the verifier was lost." } },
}
