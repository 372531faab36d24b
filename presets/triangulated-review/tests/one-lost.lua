return {
  summary = "one reviewer of three crashes: the other two are enough, and the loss is reported",
  files = { ["app.py"] = "def f(text):\n    return text\n" },
  change = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--linters", "none" },
  runner = "cassette:reviews,fault=crash@risks",
  record = "command:reviewer",
  expect = { verdict = "degraded", exit_code = 4, findings = "eval" },
}
