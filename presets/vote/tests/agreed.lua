return {
  summary = "three voters agree",
  args = { "--question", "ready? (every voter agrees)" },
  runner = "cassette:agreed",
  record = "command:agent {out}",
  expect = { verdict = "ok", result = { winner = "yes", tally = { yes = 3, no = 0 }, tied = {} } },
}
