return {
  summary = "an agent cannot lower a hard finding",
  files = { ["README.md"] = "# Thing\n" },
  change = {
    ["deploy.pem"] =
      ("-----BEGIN %s PRIVATE KEY-----\nMIIEow\n-----END %s PRIVATE KEY-----\n"):format("RSA",
      "RSA"),
  },
  runner = "cassette:risk",
  record = "command:classifier",
  expect = { verdict = "ok", exit_code = 0, result = { path = "risk" } },
}
