return {
  summary = "the user cancels the run while a judge decides",
  files = { ["a.md"] = "short\n", ["b.md"] = "long and long\n", ["c.md"] = "middling\n" },
  args = { "--candidates", "a.md,b.md", "--criteria", "it is short" },
  runner = "cassette:ranked,fault=cancel@judge 2",
  expect = { verdict = "cancelled", exit_code = 130, error = "cancelled by the user" },
}
