return {
  summary = "work that is not for the executor is refused before anything is spent",
  args = { "--task", "Review the storage of results" },
  runner = "mock",
  expect = { exit_code = 2 },
}
