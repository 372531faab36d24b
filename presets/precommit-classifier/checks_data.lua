--- The names of files that the finding of checks asks for.
local set = require("moonlet.text").set

return {
  -- Names that are worth listing from the index: whatever an ecosystem may ask for.
  names = set [[package.json package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lockb bun.lock
    deno.json deno.jsonc deno.lock makefile gnumakefile cmakelists.txt cmakepresets.json meson.build module.bazel
    workspace workspace.bazel pyproject.toml setup.cfg setup.py tox.ini pytest.ini noxfile.py conftest.py mypy.ini
    .mypy.ini ruff.toml .ruff.toml .flake8 .pylintrc pyrightconfig.json uv.lock poetry.lock pdm.lock pipfile
    pipfile.lock manage.py cargo.toml cargo.lock clippy.toml .clippy.toml rustfmt.toml .rustfmt.toml go.mod go.sum
    go.work .golangci.yml .golangci.yaml .golangci.toml build.gradle build.gradle.kts settings.gradle
    settings.gradle.kts gradlew pom.xml mvnw composer.json composer.lock phpunit.xml phpunit.xml.dist gemfile
    gemfile.lock .rspec .rubocop.yml rakefile rails justfile .justfile taskfile.yml taskfile.yaml
    .pre-commit-config.yaml .gitlab-ci.yml .luacheckrc .busted .luacov .shellcheckrc .yamllint .yamllint.yml
    .yamllint.yaml .vale.ini mkdocs.yml package.swift mix.exs .formatter.exs mix.lock pubspec.yaml pubspec.lock
    build.zig stack.yaml stylua.toml .stylua.toml .hadolint.yaml .sqlfluff buf.yaml actionlint.yaml run.sh test.sh
    tests.sh run-tests.sh run_tests.sh runtests.sh test check biome.json biome.jsonc flake.lock packages.lock.json
    package.resolved podfile podfile.lock skill.md __init__.py check.sh]],
  parts = { "^tsconfig[%w.]*%.json$", "^requirements[%w_.-]*%.txt$", "^%.markdownlint", "%.csproj$",
    "%.sln$", "%.cabal$", "%.gemspec$", "^eslint%.config%.", "^%.eslintrc", "^test[%w_]*%.py$", "_test%.py$" },
  -- Files that neither a build nor a test of the product reads.
  inert = set [[.gitignore .gitattributes .editorconfig .gitlab-ci.yml .mailmap .dockerignore .npmignore .gitmodules
    .pre-commit-config.yaml codeowners .git-blame-ignore-revs .env .env.example]],
  -- Well-known names of test scripts.
  scripts = { "tests/run.sh", "test/run.sh", "test.sh", "tests.sh", "run-tests.sh", "run_tests.sh", "runtests.sh",
    "scripts/test.sh", "script/test", "scripts/test", "bin/test", "scripts/check.sh", "scripts/run_tests.sh" },
}
