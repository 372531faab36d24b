return {
  summary = "the executor writes a file and an edit, which are merged",
  files = { ["calc.py"] = "def add(a, b):\n    return a - b\n",
    ["plan.md"] = "# Plan\n\nadd must add. Tests: python3 -c 'import calc'.\n" },
  args = { "--task", "Implement add in calc.py", "--plan", "plan.md" },
  runner = "cassette:done",
  record = "executor",
  expect = { verdict = "ok", exit_code = 0,
    result = { answer = "add adds.", files = { "NOTES.md", "calc.py" } },
    files = { ["findings.md"] = "- calc.py" } },
}
