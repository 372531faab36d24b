return {
  summary = "three judges see three orders, and agree",
  files = { ["a.md"] = "short\n", ["b.md"] = "long and long\n", ["c.md"] = "middling\n" },
  args = { "--candidates", "a.md,b.md", "--criteria", "it is short" },
  runner = "cassette:ranked",
  record = "command:agent {out}",
  expect = { verdict = "ok",
    result = { winner = "a.md", ranking = { { score = 9 }, { score = 2 } }, disagreements = {} } },
}
