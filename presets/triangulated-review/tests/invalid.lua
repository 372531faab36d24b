return {
  summary = "an answer that is not JSON is asked for once more",
  files = { ["app.py"] = "def f(text):\n    return text\n" },
  change = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--linters", "none" },
  runner = "cassette:reviews,fault=invalid@tests",
  record = "command:reviewer",
  expect = { verdict = "ok", exit_code = 0 },
}
