return {
  summary = "two of three votes are enough",
  args = { "--question", "ready? (every voter agrees)" },
  runner = "cassette:agreed,fault=crash**@voter 2",
  expect = { verdict = "degraded", exit_code = 4,
    result = { winner = "yes", lost = { { kind = "failed" } } } },
}
