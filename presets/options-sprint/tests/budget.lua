return {
  summary = "the budget ends before the work",
  args = { "--goal", "an outline", "--criteria", "it is complete", "--budget", "agents=1",
    "--limit", "1" },
  runner = "cassette:chosen",
  expect = { verdict = "budget", exit_code = 5 },
}
