return {
  summary = "three of five say yes",
  args = { "--question", "Is it ready?" },
  runner = "cassette:tape",
  record = "command:agent",
  expect = { verdict = "ok", result = { answer = "yes", yes = 3, no = 2 } },
}
