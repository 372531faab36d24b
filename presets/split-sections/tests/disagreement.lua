return {
  summary = "the result names sections that disagree",
  files = { ["a.md"] = "One is long.\n", ["b.md"] = "Two is long.\n" },
  args = { "--task", "shorten it", "--sections", "a.md,b.md", "--consistency", "two names" },
  runner = "cassette:conflict",
  record = "command:agent",
  expect = { verdict = "ok", findings = "a.md says run, b.md says job",
    result = { next_action = "Settle this conflict first: a.md says run, b.md says job" } },
}
