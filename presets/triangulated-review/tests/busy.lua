return {
  summary = "a provider that is busy is asked again",
  files = { ["app.py"] = "def f(text):\n    return text\n" },
  change = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--linters", "none" },
  runner = "cassette:reviews,fault=429",
  record = "command:reviewer",
  expect = { verdict = "ok", exit_code = 0 },
}
