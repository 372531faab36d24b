return {
  summary = "a bug stays with its file, also when another file's agent is lost",
  files = { ["lost.py"] = "x\n", ["b.py"] = "y = 2\n",
    ["a.py"] = "def f(x, seen=[]):\n    seen.append(x)\n" },
  args = { "--files", "lost.py,b.py,a.py" },
  runner = "cassette:tape",
  record = "command:agent",
  expect = { verdict = "degraded",
    result = { bugs = { { file = "a.py", line = 2 } }, lost = { { branch = "lost.py" } } } },
}
