return {
  summary = "the judge takes the sceptic",
  args = { "--question", "Is the name 'load' clear?" },
  runner = "cassette:tape",
  record = "command:agent",
  expect = { verdict = "ok", result = { best = "sceptic", lost = {} } },
}
