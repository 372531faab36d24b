return {
  summary = "two approaches do not parse; sed wins, and the run says that it is degraded",
  args = { "--goal", "count the lines of notes.txt" },
  runner = "cassette:tape",
  record = "command:agent",
  expect = { result = { tool = "sed" } },
}
