return {
  summary = "the result names the points on which the judges differ",
  files = { ["a.md"] = "short\n", ["b.md"] = "long and long\n", ["c.md"] = "middling\n" },
  args = { "--candidates", "a.md,b.md", "--criteria", "they disagree" },
  runner = "cassette:apart",
  record = "command:agent {out}",
  expect = { verdict = "ok", findings = "spread", result = { disagreements = { "a.md", "b.md" } } },
}
