return {
  summary = "one bounded task for one agent",
  files = { ["docs/parser.md"] = "The parser drops the last line.\n" },
  args = { "--prompt", "Find out why the parser drops the last line.", "--input",
    "docs/parser.md" },
  runner = "cassette:task",
  record = "command:helper",
  expect = { verdict = "ok", exit_code = 0 },
}
