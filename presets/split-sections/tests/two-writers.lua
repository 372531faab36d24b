return {
  summary = "nobody writes what another one writes",
  files = { ["a.md"] = "One is long.\n", ["b.md"] = "Two is long.\n" },
  args = { "--task", "x", "--sections", "docs,docs/a.md", "--write" },
  runner = "mock",
  expect = { verdict = "failed",
    error = "'docs' and 'docs/a.md' would both write docs/a.md" },
}
