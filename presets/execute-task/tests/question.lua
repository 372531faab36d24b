return {
  summary = "a question parks the run, and the answer continues the same conversation",
  files = { ["calc.py"] = "def add(a, b):\n    return a - b\n" },
  args = { "--task", "Implement the storage of results in calc.py" },
  runner = "cassette:question",
  record = "executor",
  answers = { "session" },
  expect = { verdict = "ok", result = { answer = "It is kept in the session.",
    files = { "calc.py" } } },
}
