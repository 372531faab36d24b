return {
  summary = "nobody answers",
  args = { "--goal", "an outline", "--criteria", "it is complete" },
  runner = "cassette:chosen,fault=crash**",
  expect = { verdict = "failed", exit_code = 1 },
}
