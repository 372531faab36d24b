return {
  summary = "checks that pass need no implementer",
  files = { ["work.txt"] = "done\n" },
  args = { "--checks", "test:git --version", "--scope", "work.txt" },
  runner = "mock",
  expect = { verdict = "degraded", result = { rounds = 0, green = true } },
}
