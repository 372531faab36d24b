return {
  summary = "an agent says what the rules say too",
  files = { ["README.md"] = "# Thing\n\nIt does a thing.\n" },
  change = { ["README.md"] = "# Thing\n\nIt does a thing well.\n" },
  runner = "cassette:fast",
  record = "command:classifier",
  expect = { verdict = "ok", exit_code = 0, result = { path = "fast" } },
}
