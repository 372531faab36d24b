return {
  summary = "two reviewers read a file, with made-up answers",
  files = { ["app.py"] = "def f(text):\n    return text\n" },
  args = { "app.py", "--lenses", "correctness,risks" },
  runner = "mock",
  expect = { verdict = "degraded" },
}
