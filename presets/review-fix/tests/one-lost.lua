return {
  summary =
    "one of two reviewers is lost: what the other one found is fixed, and the loss is named",
  files = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--artifact", "app.py", "--scope", "app.py", "--top", "1", "--lenses",
    "correctness,risks" },
  runner = "cassette:lost",
  record = "command:agent",
  expect = { verdict = "degraded", exit_code = 4,
    result = { pass = true, files_changed = { "app.py" },
    lost = { { branch = "risks", kind = "failed" } } } },
}
