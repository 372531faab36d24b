return {
  summary = "without a person the run waits, and nothing is published",
  files = { ["a.txt"] = "1\n" },
  args = { "--since", "HEAD" },
  runner = "cassette:tape",
  record = "command:agent",
  expect = { verdict = "needs-human", exit_code = 3 },
}
