return {
  summary = "two candidates meet, with made-up answers",
  files = { ["a.md"] = "short\n", ["b.md"] = "long and long\n" },
  args = { "--candidates", "a.md,b.md", "--criteria", "it is short" },
  runner = "mock",
  expect = { verdict = "degraded" },
}
