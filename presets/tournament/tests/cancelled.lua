return {
  summary = "the user cancels the run in the middle of a match",
  files = { ["a.md"] = "short\n", ["b.md"] = "long and long\n", ["c.md"] = "middling\n" },
  args = { "--candidates", "c.md,a.md,b.md", "--criteria", "it is short" },
  runner = "cassette:won,fault=cancel@round",
  expect = { verdict = "cancelled", exit_code = 130, error = "cancelled by the user" },
}
