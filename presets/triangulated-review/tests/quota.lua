return {
  summary = "the provider refuses all of them: the run parks until it may ask again",
  files = { ["app.py"] = "def f(text):\n    return text\n" },
  change = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--linters", "none" },
  runner = "cassette:reviews,fault=quota**",
  record = "command:reviewer",
  expect = { verdict = "quota", exit_code = 75, error = "quota" },
}
