return {
  summary = "red, one round of work, green",
  files = { ["work.txt"] = "draft\n" },
  args = { "--checks", "test:git grep -q done -- work.txt", "--scope", "work.txt" },
  runner = "cassette:green",
  record = "command:agent",
  expect = { verdict = "ok", result = { green = true, rounds = 1,
    files_changed = { "work.txt" } } },
}
