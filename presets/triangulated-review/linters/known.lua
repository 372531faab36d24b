--- Lists the linters as data. Default linters run no code of the repository.
---
--- Each linter is a table with some of these fields:
--- files      globs of the names of files to check; without `files` the linter checks all files
--- start      pattern for the first line of further files, such as scripts
--- below      pattern for the paths of files to check
--- needs      start the linter only if one of these files is at the top of the repository
--- programs   names of the linter's program, if they differ from `name`
--- command    command line; the paths of the changed files replace {files}
--- reads      format of the output: sarif, shellcheck, eslint or lines
--- found      exit codes that mean findings; 0 means none
--- settings   names of settings files; if one exists, with_settings is added to the command
--- levels     the linter's words for severities, in addition to those that `readers` knows
--- grave      pairs of a pattern for messages and the severity of such messages
--- except     pairs of patterns for path and message of findings to ignore
--- each       true if the linter accepts one file at a time
--- builds     true if the linter writes build output, which the sandbox prevents
--- rule_at_end  pattern of the rule's name at the end of a message
--- unless     another linter with the same findings, which is preferred if installed
--- help       page that describes a rule

local C_FILES = { "*.c", "*.cc", "*.cpp", "*.cxx" }
local JS_FILES = { "*.js", "*.mjs", "*.cjs", "*.jsx", "*.ts", "*.mts", "*.cts", "*.tsx", "*.vue" }
local YAML_FILES = { "*.yml", "*.yaml" }
local ESLINT_SETTINGS = { "eslint.config.js", "eslint.config.mjs", "eslint.config.cjs",
  "eslint.config.ts", ".eslintrc", ".eslintrc.js", ".eslintrc.cjs", ".eslintrc.json",
  ".eslintrc.yml" }

return {
  { name = "shellcheck", default = true, files = { "*.sh", "*.bash", "*.ksh", "*.dash", "*.bats" },
    start = "^#!.*[/ ][bdk]?a?sh%f[%W]", reads = "shellcheck", found = { 1 },
    command = { "shellcheck", "-f", "json1", "-e", "SC1090,SC1091", "{files}" },
    settings = { ".shellcheckrc", "shellcheckrc" },
    help = "https://www.shellcheck.net/wiki/%s" },
  { name = "pyflakes", default = true, programs = { "pyflakes3", "pyflakes" },
    files = { "*.py", "*.pyi" }, start = "^#!.*[/ ]python", reads = "lines", found = { 1 },
      unless = "ruff",
    command = { "pyflakes", "{files}" }, levels = { [""] = "low" },
    grave = { { "^undefined name", "high" }, { "^undefined local", "high" },
      { "syntax", "high" }, { "^unexpected", "high" }, { "unindent", "high" },
      { "never closed", "high" }, { "^unterminated", "high" }, { "^invalid", "high" } },
    except = { { "__init__%.py$", "imported but unused" } } },
  { name = "yamllint", default = true, files = YAML_FILES, reads = "lines", found = { 1, 2 },
    command = { "yamllint", "-f", "parsable", "{files}" }, levels = { error = "medium",
      warning = "low" },
    settings = { ".yamllint", ".yamllint.yaml", ".yamllint.yml" }, rule_at_end = "%(([%w-]+)%)$",
    without_settings = { "-d", "{extends: relaxed, rules: {line-length: disable}}" },
    grave = { { "^syntax error", "high" } } },
  { name = "cppcheck", default = true, files = C_FILES, reads = "lines", found = {},
    command = { "cppcheck", "--quiet", "--enable=warning,performance,portability", "--inline-suppr",
      "--suppress=unknownMacro", "--suppress=internalAstError",
      "--template={file}:{line}:{column}: {severity}: {message} [{id}]", "--template-location=",
      "{files}" } },
  -- luacheck's settings are Lua code, so do not load them. If the repository has such settings,
  -- report a global only if a function sets it, because the settings may declare other globals.
  -- moonlet gives the scripts in presets/ the globals ctx, m and args.
  -- Ignore matters of style: white space, and a second `local ok, err` in the same scope.
  { name = "luacheck", default = true, files = { "*.lua" }, reads = "lines",
    found = { 1, 2 }, settings = { ".luacheckrc" },
    with_settings = { "--ignore", "112", "113", "122", "131", "142", "143", "--allow-defined-top",
      "--no-unused-args" },
    command = { "luacheck", "--no-config", "--formatter", "plain", "--codes", "--ignore", "6",
      "211/ok", "4.1/ok", "4.1/err", "4.1/errcode", "--std", "max+busted", "{files}" },
    except = { { "^presets/", "undefined variable '?ctx" },
      { "^presets/", "undefined variable '?m%f[%W]" },
      { "^presets/", "undefined variable '?args" } } },
  { name = "ruff", default = true, files = { "*.py", "*.pyi" }, reads = "sarif", found = { 1 },
    command = { "ruff", "check", "--isolated", "--no-cache", "--output-format", "sarif",
      "{files}" },
    settings = { "ruff.toml", ".ruff.toml", "pyproject.toml" }, levels = { error = "medium" },
    with_settings = { "--select", "E9,F" }, help = "https://docs.astral.sh/ruff/rules/%s" },
  { name = "hadolint", default = true, files = { "Dockerfile", "Dockerfile.*", "*.dockerfile",
      "Containerfile" }, reads = "sarif", found = { 1 },
    command = { "hadolint", "-f", "sarif", "{files}" },
    settings = { ".hadolint.yaml", ".hadolint.yml" } },
  { name = "actionlint", default = true, files = YAML_FILES, below = "^%.github/workflows/",
    reads = "lines", found = { 1 }, rule_at_end = "%[([%w-]+)%]$",
    command = { "actionlint", "-oneline", "-no-color", "-shellcheck=", "-pyflakes=", "{files}" },
    settings = { ".github/actionlint.yaml", ".github/actionlint.yml" } },
  { name = "gitleaks", default = true, files = { "*" }, each = true, reads = "sarif", found = { 1 },
    command = { "gitleaks", "dir", "--no-banner", "--redact", "--log-level", "error",
      "--report-format", "sarif", "--report-path", "/dev/stdout", "{files}" },
    settings = { ".gitleaks.toml", ".gitleaksignore" },
    levels = { error = "critical", warning = "critical" } },

  -- The following linters run plug-ins, build scripts or settings of the repository.
  { name = "eslint", files = JS_FILES, reads = "eslint", found = { 1 },
    command = { "eslint", "-f", "json", "{files}" }, needs = ESLINT_SETTINGS,
    settings = ESLINT_SETTINGS },
  { name = "tsc", needs = { "tsconfig.json" }, reads = "lines", found = { 1, 2 },
    command = { "tsc", "--noEmit", "--incremental", "false", "--pretty", "false" },
    settings = { "tsconfig.json" } },
  { name = "clippy", programs = { "cargo" }, needs = { "Cargo.toml" }, reads = "lines",
    found = { 101 }, builds = true,
    command = { "cargo", "clippy", "--offline", "--quiet", "--message-format", "short" },
    settings = { "clippy.toml", ".clippy.toml" } },
  { name = "mypy", files = { "*.py", "*.pyi" }, reads = "lines", found = { 1 },
    command = { "mypy", "--cache-dir=/dev/null", "--no-error-summary", "--no-pretty", "{files}" },
    settings = { "mypy.ini", ".mypy.ini" }, rule_at_end = "%[([%w-]+)%]$" },
  { name = "flake8", files = { "*.py" }, reads = "lines", found = { 1 },
    command = { "flake8", "{files}" }, settings = { ".flake8", "tox.ini", "setup.cfg" } },
  { name = "go-vet", programs = { "go" }, needs = { "go.mod" }, reads = "lines", found = { 1, 2 },
    command = { "go", "vet", "./..." }, builds = true },
}
