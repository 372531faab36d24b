return {
  summary = "equal options are reported as a tie",
  args = { "--goal", "an outline", "--criteria", "no difference" },
  runner = "cassette:tied",
  record = "command:agent",
  expect = { verdict = "ok",
    result = { tied = { "the simplest", "the most thorough" } } },
}
