return {
  summary = "without a model the rules find it",
  files = { ["notes.md"] = "Always write commit messages in English.\n" },
  args = { "--input", "notes.md" },
  expect = { verdict = "ok", exit_code = 0, result = { preferences = { { scope = "repository" } } } },
}
