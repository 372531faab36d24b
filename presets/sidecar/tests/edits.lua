return {
  summary = "an agent that was allowed to edit, and could not, leaves a warning",
  files = { ["docs/parser.md"] = "The parser drops the last line.\n" },
  args = { "--prompt", "Correct the spelling of the description of the parser.", "--input",
    "docs/parser.md", "--edits", "docs" },
  runner = "mock",
  expect = { verdict = "degraded", exit_code = 4,
    findings = "- edits: --edits was given, and no file changed",
    result = { checks = { { kind = "edits" } } } },
}
