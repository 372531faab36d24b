return {
  summary = "two options, a choice with its reason, refined",
  args = { "--goal", "an outline", "--criteria", "it is complete" },
  runner = "cassette:chosen",
  record = "command:agent",
  expect = { verdict = "ok", findings = "the second one is complete",
    result = { choice = "the most thorough", text = "Two chapters, refined.\n", tied = {} } },
}
