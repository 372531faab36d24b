return {
  summary = "a tie has no winner, and the result says so",
  args = { "--question", "ready?", "--voters", "2" },
  runner = "cassette:tie",
  record = "command:agent {out}",
  expect = { verdict = "ok", findings = "a tie between yes and no",
    result = { tied = { "yes", "no" }, next_action = "Decide yourself: the vote is tied." } },
}
