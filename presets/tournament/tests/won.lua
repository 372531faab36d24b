return {
  summary = "the winner of each match reaches the next round; the odd one waits",
  files = { ["a.md"] = "short\n", ["b.md"] = "long and long\n", ["c.md"] = "middling\n" },
  args = { "--candidates", "c.md,a.md,b.md", "--criteria", "it is short" },
  runner = "cassette:won",
  record = "command:agent {out}",
  expect = { verdict = "ok", result = { winner = "a.md",
    matches = { { round = 1 }, { round = 2 } } } },
}
