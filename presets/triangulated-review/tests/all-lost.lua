return {
  summary = "no review, no result",
  files = { ["app.py"] = "def f(text):\n    return text\n" },
  change = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--linters", "none" },
  runner = "cassette:reviews,fault=crash**",
  expect = { verdict = "failed", exit_code = 1, error = "0 of 3 succeeded" },
}
