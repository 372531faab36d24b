return {
  summary = "the result names a match without a judge",
  files = { ["a.md"] = "short\n", ["b.md"] = "long and long\n", ["c.md"] = "middling\n",
    ["d.md"] = "d\n" },
  args = { "--candidates", "a.md,b.md,c.md,d.md", "--criteria", "one is lost" },
  runner = "cassette:lost",
  record = "command:agent {out}",
  expect = { verdict = "degraded", exit_code = 4,
    result = { lost = { { kind = "failed" } } } },
}
