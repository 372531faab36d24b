return {
  summary = "without a model the rules find it",
  files = { ["app.py"] = "def f(text):\n    return text\n" },
  change = { ["app.py"] = "def f(text):\n    return eval(text)\n" },
  expect = { verdict = "ok", exit_code = 0 },
}
