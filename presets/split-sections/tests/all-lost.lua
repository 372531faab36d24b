return {
  summary = "no section, no whole",
  files = { ["a.md"] = "One is long.\n", ["b.md"] = "Two is long.\n" },
  args = { "--task", "shorten it", "--sections", "a.md,b.md" },
  runner = "cassette:texts,fault=crash**",
  expect = { verdict = "failed", exit_code = 1 },
}
