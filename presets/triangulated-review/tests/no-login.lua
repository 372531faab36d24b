return {
  summary = "a login that is refused stops the others",
  files = { ["app.py"] = "def f(text):\n    return text\n" },
  change = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--linters", "none" },
  runner = "cassette:reviews,fault=auth**",
  record = "command:reviewer",
  expect = { verdict = "failed", exit_code = 1, error = "401" },
}
