return {
  summary = "an agent whose output breaks off has failed",
  files = { ["docs/parser.md"] = "The parser drops the last line.\n" },
  args = { "--prompt", "Find out why the parser drops the last line.", "--input",
    "docs/parser.md" },
  runner = "cassette:task,fault=crash",
  expect = { verdict = "failed", exit_code = 1 },
}
