--- The files by which ecosystems are known, and the targets that check.
return {
  python_roots = { "pyproject.toml", "setup.cfg", "setup.py", "tox.ini", "pytest.ini", "noxfile.py", "Pipfile",
    "requirements.txt", "manage.py" },
  -- A manifest belongs to its ecosystem, whatever its language.
  manifests = {
    ["pyproject.toml"] = "python", ["setup.cfg"] = "python", ["tox.ini"] = "python", ["pytest.ini"] = "python",
    ["pipfile"] = "python", ["requirements.txt"] = "python", ["cargo.toml"] = "rust", ["pom.xml"] = "java",
    ["composer.json"] = "php", ["package.swift"] = "swift", ["pubspec.yaml"] = "dart", ["mix.exs"] = "elixir",
    ["cmakepresets.json"] = "cmake", ["phpunit.xml"] = "php", ["gemfile"] = "ruby", ["gemfile.lock"] = "ruby",
    [".rubocop.yml"] = "ruby", [".luacheckrc"] = "lua", ["ruff.toml"] = "python", ["mypy.ini"] = "python",
    ["pipfile.lock"] = "python", ["gradle.properties"] = "java",
  },
  targets = {
    lint = { "lint", "check-lint", "lint-check", "format-check", "fmt-check", "check-format", "style" },
    typecheck = { "typecheck", "type-check", "types" },
    test = { "test", "tests", "check", "unit-test", "test-unit", "unittest", "unit" },
    build = { "build", "all", "compile" },
  },
  runners = { "justfile", "Justfile", ".justfile", "Taskfile.yml", "Taskfile.yaml", "GNUmakefile", "makefile",
    "Makefile" },
  compiled = { c = true, cpp = true, objc = true, asm = true, make = true, fortran = true },
  markdown = { ".markdownlint.json", ".markdownlint.jsonc", ".markdownlint.yaml", ".markdownlint.yml",
    ".markdownlintrc", ".markdownlint-cli2.jsonc", ".markdownlint-cli2.yaml", ".markdownlint-cli2.cjs" },
}
