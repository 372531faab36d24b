return {
  summary = "a lost section is named",
  files = { ["a.md"] = "One is long.\n", ["b.md"] = "Two is long.\n" },
  args = { "--task", "lose a section", "--sections", "a.md,b.md" },
  runner = "cassette:lost",
  record = "command:agent",
  expect = { verdict = "degraded", exit_code = 4,
    result = { sections = { { name = "a.md" } }, lost = { { branch = "b.md" } } } },
}
