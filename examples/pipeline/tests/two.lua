return {
  summary = "both sections are revised, each in its place",
  runner = "cassette:tape",
  record = "command:agent",
  expect = { verdict = "ok",
    result = { sections = { "Run the installer in your home folder.\n",
      "Start it in the repository.\n" } } },
}
