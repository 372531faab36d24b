return {
  summary = "the user cancels the run while a question is looked up",
  args = { "--topic", "which queue?", "--questions", "what is it?,who uses it?" },
  runner = "cassette:brief,fault=cancel@question 2",
  expect = { verdict = "cancelled", exit_code = 130, error = "cancelled by the user" },
}
