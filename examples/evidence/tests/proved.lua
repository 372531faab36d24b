return {
  summary = "the host runs the check twice on what the agent changed",
  files = { ["limit.txt"] = "10\n", ["check.sh"] = 'test "$(cat limit.txt)" = 20\n' },
  args = { "--goal", "allow twenty users" },
  runner = "cassette:tape",
  record = "command:agent",
  expect = { verdict = "ok", result = { file = "limit.txt", changed = { "limit.txt" }, runs = 2 } },
}
