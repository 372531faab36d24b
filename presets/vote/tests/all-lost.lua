return {
  summary = "nobody answers",
  args = { "--question", "ready? (every voter agrees)" },
  runner = "cassette:agreed,fault=crash**",
  expect = { verdict = "failed", exit_code = 1 },
}
