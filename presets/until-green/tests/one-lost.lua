return {
  summary = "a lost round is on record, and the next one works",
  files = { ["work.txt"] = "draft\n" },
  args = { "--checks", "test:git grep -q done -- work.txt", "--scope", "work.txt" },
  runner = "cassette:green,fault=crash**@implementer 1",
  expect = { verdict = "blocked", exit_code = 6 },
}
