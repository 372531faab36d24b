return {
  summary = "the budget ends before the second review; what the first one found is kept",
  files = { ["app.py"] = "def f(text):\n    return text\n" },
  change = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--linters", "none", "--budget", "agents=1", "--limit", "1", "--need", "1" },
  runner = "cassette:reviews",
  expect = { verdict = "budget", exit_code = 5 },
}
