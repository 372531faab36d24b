return {
  summary = "the budget ends before the work",
  files = { ["a.md"] = "short\n", ["b.md"] = "long and long\n", ["c.md"] = "middling\n" },
  args = { "--candidates", "c.md,a.md,b.md", "--criteria", "it is short", "--budget", "agents=1",
    "--limit", "1" },
  runner = "cassette:won",
  expect = { verdict = "budget", exit_code = 5 },
}
