return {
  summary = "the user cancels the run in its first round",
  files = { ["work.txt"] = "draft\n" },
  args = { "--checks", "test:git grep -q done -- work.txt", "--scope", "work.txt" },
  runner = "cassette:green,fault=cancel@implementer",
  expect = { verdict = "cancelled", exit_code = 130, error = "cancelled by the user" },
}
