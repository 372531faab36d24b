return {
  summary = "one of three options is lost: the judge chooses among the others",
  args = { "--goal", "one is lost", "--criteria", "it is complete",
    "--angles", "the cheapest,the simplest,the most thorough" },
  runner = "cassette:lost",
  record = "command:agent",
  expect = { verdict = "degraded", exit_code = 4,
    result = { choice = "the most thorough", options = { { name = "the simplest" },
      { name = "the most thorough" } },
      lost = { { branch = "the cheapest", kind = "failed" } } } },
}
