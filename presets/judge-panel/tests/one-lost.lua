return {
  summary = "two judges are enough",
  files = { ["a.md"] = "short\n", ["b.md"] = "long and long\n", ["c.md"] = "middling\n" },
  args = { "--candidates", "a.md,b.md", "--criteria", "it is short" },
  runner = "cassette:ranked,fault=crash**@judge 2",
  expect = { verdict = "degraded", exit_code = 4,
    result = { winner = "a.md", lost = { { kind = "failed" } } } },
}
