return {
  summary = "the user cancels the run while a voter decides",
  args = { "--question", "ready? (every voter agrees)" },
  runner = "cassette:agreed,fault=cancel@voter 2",
  expect = { verdict = "cancelled", exit_code = 130, error = "cancelled by the user" },
}
