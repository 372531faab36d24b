return {
  summary = "nobody works, and nothing is green",
  files = { ["work.txt"] = "draft\n" },
  args = { "--checks", "test:git grep -q done -- work.txt", "--scope", "work.txt" },
  runner = "cassette:green,fault=crash**",
  expect = { verdict = "blocked", exit_code = 6, result = { green = false } },
}
