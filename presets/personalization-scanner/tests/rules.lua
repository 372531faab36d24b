return {
  summary = "without an agent a plain statement is found",
  files = { ["notes.md"] = "Always write commit messages in English.\n" },
  args = { "--input", "notes.md" },
  expect = { verdict = "ok", exit_code = 0,
    result = { preferences = { { scope = "repository" } } } },
}
