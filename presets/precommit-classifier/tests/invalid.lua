return {
  summary = "an answer that is not JSON, twice, fails",
  files = { ["README.md"] = "# Thing\n\nIt does a thing.\n" },
  change = { ["README.md"] = "# Thing\n\nIt does a thing well.\n" },
  runner = "cassette:fast,fault=invalid**",
  expect = { verdict = "failed", exit_code = 1, error = "does not fit its schema" },
}
