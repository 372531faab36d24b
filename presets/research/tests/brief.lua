return {
  summary = "two questions, one brief that ends in the next action; the brief names what the "
    .. "sources disagree about",
  args = { "--topic", "which queue?", "--questions", "what is it?,who uses it?" },
  runner = "cassette:brief",
  record = "command:agent",
  expect = { verdict = "ok", findings = "uncertain: how fast it is",
    result = { next_action = "Measure it.", disagreements = { "how fast it is" }, lost = {} } },
}
