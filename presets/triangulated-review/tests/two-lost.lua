return {
  summary = "two of three crash, and two are needed",
  files = { ["app.py"] = "def f(text):\n    return text\n" },
  change = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--linters", "none" },
  runner = "cassette:reviews,fault=crash@risks,fault=crash@tests",
  record = "command:reviewer",
  expect = { verdict = "failed", exit_code = 1, error = "1 of 3 reviews succeeded, 2 were needed" },
}
