return {
  summary = "the user cancels the run while a reviewer reads",
  files = { ["app.py"] = "def f(text):\n    return text\n" },
  change = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--linters", "none" },
  runner = "cassette:reviews,fault=cancel@risks",
  expect = { verdict = "cancelled", exit_code = 130, error = "cancelled by the user" },
}
