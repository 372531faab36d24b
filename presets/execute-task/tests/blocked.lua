return {
  summary = "an obstacle blocks the run",
  files = { ["calc.py"] = "def add(a, b):\n    return a - b\n" },
  args = { "--task", "Implement the storage of results in calc.py" },
  runner = "cassette:blocked",
  record = "executor",
  expect = { verdict = "blocked", exit_code = 6 },
}
