return {
  summary = "the budget ends before all sections",
  files = { ["a.md"] = "One is long.\n", ["b.md"] = "Two is long.\n" },
  args = { "--task", "shorten it", "--sections", "a.md,b.md", "--budget", "agents=1", "--limit",
    "1" },
  runner = "cassette:texts",
  expect = { verdict = "budget", exit_code = 5 },
}
