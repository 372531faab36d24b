return {
  summary = "the user cancels the run while a section is written",
  files = { ["a.md"] = "One is long.\n", ["b.md"] = "Two is long.\n" },
  args = { "--task", "shorten it", "--sections", "a.md,b.md" },
  runner = "cassette:texts,fault=cancel@b.md",
  expect = { verdict = "cancelled", exit_code = 130, error = "cancelled by the user" },
}
