return {
  summary = "a person approves, and the notes are written",
  files = { ["a.txt"] = "1\n" },
  args = { "--since", "HEAD" },
  runner = "cassette:tape",
  answers = { "approve" },
  expect = { verdict = "ok", files = { ["notes.md"] = "parser keeps the last line" } },
}
