return {
  summary = "without the judge nobody chooses",
  args = { "--goal", "an outline", "--criteria", "it is complete" },
  runner = "cassette:chosen,fault=crash**@judge",
  expect = { verdict = "degraded", exit_code = 4,
    result = { options = { { name = "the simplest" }, { name = "the most thorough" } },
      lost = { { branch = "judge" } } } },
}
