return {
  summary = "one reviewer refutes what another one found: a verifier settles it",
  files = { ["app.py"] = "def f(text):\n    return text\n" },
  change = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  args = { "--linters", "none", "--context", "they disagree", "--lenses", "correctness,risks" },
  runner = "cassette:disputed",
  record = "command:reviewer",
  expect = { verdict = "ok", result = { findings = {}, disagreements = 1, lost = {},
    refuted = { { status = "refuted" }, { verified = "refuted",
    reason = "text is checked by the caller" } } } },
}
