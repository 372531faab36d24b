return {
  summary = "a preference is kept if its line is in the notes and nothing in it is private",
  files = { ["notes.md"] =
    "Always write commit messages in English.\nCall Ada Lovelace at +44 20 7946 0958.\n" },
  args = { "--input", "notes.md" },
  runner = "cassette:notes",
  record = "command:scanner",
  expect = { verdict = "ok", exit_code = 0,
    result = { preferences = { { scope = "user", evidence = { "notes.md:1" } } } },
    files = { ["findings.md"] = "1 without a place in the inputs, 1 with something private" } },
}
