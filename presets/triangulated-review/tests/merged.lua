return {
  summary = "three reviewers; what two of them saw is one finding",
  files = { ["app.py"] = "def f(text):\n    return text\n" },
  change = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--linters", "none" },
  runner = "cassette:reviews",
  record = "command:reviewer",
  expect = { verdict = "ok", exit_code = 0, findings = "eval runs whatever the caller sends",
    result = { findings = { { file = "app.py", line = 2, severity = "high" },
      { file = "app.py", line = 1, severity = "low" } } } },
}
