return {
  summary = "the budget ends before the work",
  args = { "--topic", "which queue?",
    "--questions", "what is it?,who uses it?", "--budget", "agents=1", "--limit", "1" },
  runner = "cassette:brief",
  expect = { verdict = "budget", exit_code = 5 },
}
