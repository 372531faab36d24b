return {
  summary = "without an agent the diff checks find a breakpoint, and no linter is started",
  files = { ["app.py"] = "def f(text):\n    return text\n" },
  change = { ["app.py"] = "def f(text):\n    breakpoint()\n    return text\n" },
  args = { "--linters", "none" },
  expect = { verdict = "ok", exit_code = 0, findings = "No agent read this",
    result = { findings = { { file = "app.py", line = 2, rule = "breakpoint",
    severity = "high" } } } },
}
