return {
  summary = "without an agent a plain statement is found, and a doubt is not",
  files = { ["notes.md"] = "Always write commit messages in English.\n\n"
    .. "Maybe I prefer dark mode.\n\nPlease answer in German from now on.\n\n"
    .. "I always want tabs.\n" },
  args = { "--input", "notes.md" },
  expect = { verdict = "ok", exit_code = 0, findings = "3 found in 1 listed input.",
    result = { preferences = { { text = "Please answer in German from now on." },
      { scope = "repository" }, { text = "I always want tabs." } } } },
}
