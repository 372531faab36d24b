return {
  summary = "a reviewer that hangs is ended and reported",
  files = { ["app.py"] = "def f(text):\n    return text\n" },
  change = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--linters", "none" },
  runner = "cassette:reviews,fault=hang@correctness",
  record = "command:reviewer",
  expect = { verdict = "degraded", exit_code = 4 },
}
