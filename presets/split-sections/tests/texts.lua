return {
  summary = "two sections become one text",
  files = { ["a.md"] = "One is long.\n", ["b.md"] = "Two is long.\n" },
  args = { "--task", "shorten it", "--sections", "a.md,b.md" },
  runner = "cassette:texts",
  record = "command:agent",
  expect = { verdict = "ok", result = { text = "One. Two.", conflicts = {}, lost = {} } },
}
