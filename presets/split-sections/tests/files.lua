return {
  summary = "two writers change their own files",
  files = { ["a.md"] = "One is long.\n", ["b.md"] = "Two is long.\n" },
  args = { "--task", "shorten it", "--sections", "a.md,b.md", "--write" },
  runner = "cassette:files",
  record = "command:agent",
  expect = { verdict = "ok",
    result = { sections = { { files_changed = { "a.md" } }, { files_changed = { "b.md" } } } } },
}
