return {
  summary = "what an agent finds is kept where the notes say it, and without what is private",
  files = { ["notes.md"] = "Always write commit messages in English.\nCall Ada Lovelace at +44 20 7946 0958.\n" },
  args = { "--input", "notes.md" },
  runner = "cassette:notes",
  record = "command:scanner",
  expect = { verdict = "ok", exit_code = 0, result = { preferences = { { scope = "user" } } } },
}
