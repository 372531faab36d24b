return {
  summary = "nobody answers",
  args = { "--topic", "which queue?", "--questions", "what is it?,who uses it?" },
  runner = "cassette:brief,fault=crash**",
  expect = { verdict = "failed", exit_code = 1 },
}
