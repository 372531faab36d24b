return {
  summary = "a candidate is named once",
  files = { ["a.md"] = "short\n", ["b.md"] = "long and long\n", ["c.md"] = "middling\n" },
  args = { "--candidates", "a.md,b.md,b.md", "--criteria", "it is short" },
  runner = "mock",
  expect = { verdict = "failed", error = "twice" },
}
