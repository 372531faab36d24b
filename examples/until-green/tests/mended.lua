return {
  summary = "the second test run passes on what the agent changed",
  files = { ["test.sh"] = 'test "$(cat sum.txt)" = 2 || { echo "the sum is wrong"; exit 1; }\n', ["sum.txt"] = "3\n" },
  runner = "cassette:tape",
  record = "command:agent",
  expect = { verdict = "ok", result = { rounds = 1 } },
}
