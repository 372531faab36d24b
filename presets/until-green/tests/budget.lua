return {
  summary = "the budget ends before it is green",
  files = { ["work.txt"] = "draft\n" },
  args = { "--checks", "test:git grep -q done -- work.txt", "--scope", "work.txt",
    "--goal", "hopeless", "--rounds", "2", "--budget", "agents=1" },
  runner = "cassette:red",
  expect = { verdict = "budget", exit_code = 5 },
}
