return {
  summary = "without a verifier nothing passes",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--artifact", "app.py", "--scope", "app.py", "--top", "1" },
  runner = "cassette:fixed,fault=crash**@verifier",
  expect = { verdict = "degraded", exit_code = 4,
    result = { pass = false, lost = { { branch = "verifier" } } } },
}
