return {
  summary = "a task's words bring a warning and never a refusal",
  args = { "--task", "Review the storage of results" },
  runner = "mock",
  expect = { verdict = "degraded", exit_code = 4 },
}
