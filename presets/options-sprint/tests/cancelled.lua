return {
  summary = "the user cancels the run before there is a choice",
  args = { "--goal", "an outline", "--criteria", "it is complete" },
  runner = "cassette:chosen,fault=cancel@judge",
  expect = { verdict = "cancelled", exit_code = 130, error = "cancelled by the user" },
}
