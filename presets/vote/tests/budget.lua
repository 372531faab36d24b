return {
  summary = "the budget ends before the work",
  args = { "--question", "ready? (every voter agrees)", "--budget", "agents=1", "--limit", "1" },
  runner = "cassette:agreed",
  expect = { verdict = "budget", exit_code = 5 },
}
