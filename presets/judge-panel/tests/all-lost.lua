return {
  summary = "nobody answers",
  files = { ["a.md"] = "short\n", ["b.md"] = "long and long\n", ["c.md"] = "middling\n" },
  args = { "--candidates", "a.md,b.md", "--criteria", "it is short" },
  runner = "cassette:ranked,fault=crash**",
  expect = { verdict = "failed", exit_code = 1 },
}
