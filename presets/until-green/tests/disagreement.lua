return {
  summary = "only the check is evidence, and not what the implementer says",
  files = { ["work.txt"] = "draft\n" },
  args = { "--checks", "test:git grep -q done -- work.txt", "--scope", "work.txt",
    "--goal", "hopeless", "--rounds", "2" },
  runner = "cassette:red",
  record = "command:agent",
  expect = { verdict = "blocked", exit_code = 6, findings = "1 check still fails after 2 rounds",
    result = { green = false, rounds = 2 } },
}
