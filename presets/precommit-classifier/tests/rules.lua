return {
  summary = "without a model the rules say it",
  files = { ["README.md"] = "# Thing\n\nIt does a thing.\n" },
  change = { ["README.md"] = "# Thing\n\nIt does a thing well.\n" },
  expect = { verdict = "ok", exit_code = 0, result = { path = "fast" } },
}
