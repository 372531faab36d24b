return {
  summary = "a lost question is named, and the rest make the brief",
  args = { "--topic", "one is lost", "--questions", "what is it?,who uses it?" },
  runner = "cassette:lost",
  record = "command:agent",
  expect = { verdict = "degraded", exit_code = 4,
    result = { lost = { { kind = "failed" } }, actions = { "Measure it." } } },
}
