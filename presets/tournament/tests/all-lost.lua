return {
  summary = "nobody answers",
  files = { ["a.md"] = "short\n", ["b.md"] = "long and long\n", ["c.md"] = "middling\n" },
  args = { "--candidates", "c.md,a.md,b.md", "--criteria", "it is short" },
  runner = "cassette:won,fault=crash**",
  expect = { verdict = "failed", exit_code = 1 },
}
