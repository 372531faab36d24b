return {
  summary = "without the synthesis the answers are kept",
  args = { "--topic", "which queue?", "--questions", "what is it?,who uses it?" },
  runner = "cassette:brief,fault=crash**@synthesis",
  expect = { verdict = "degraded", exit_code = 4,
    result = { points = { "It waits for no lock.", "The kernel uses it." },
    lost = { { branch = "synthesis" } } } },
}
