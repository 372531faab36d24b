--- A function for each ecosystem: it finds the commands that a repository declares for the files that changed in one
--- folder. A command names only words from this file and paths that a shell line can show.

local ecosystems_data = require "checks.ecosystems_data"
local git = require "moonlet.git"
local node = require "checks.node"
local read = require "checks.read"

local find, format, lower, match, sub = string.find, string.format, string.lower, string.match, string.sub

local M = {}

local function any(files, test)
  for _, file in ipairs(files) do
    if test(file) then return true end
  end
  return false
end

local function all(files, test)
  for _, file in ipairs(files) do
    if not test(file) then return false end
  end
  return true
end

local function only_python_test(file)
  return file.d.test and not file.deleted and find(file.d.name, "^test_.*%.py$") ~= nil
end

local function in_language(files, ...)
  local wanted, result = { ... }, {}
  for _, file in ipairs(files) do
    for i = 1, #wanted do
      if file.d.language == wanted[i] and file.d.kind ~= "lock" then result[#result + 1] = file end
    end
  end
  return result
end

local function join(dir, name) return dir == "" and name or dir .. "/" .. name end

-- The first of `names` that a folder has.
local function first_in(s, dir, names)
  for i = 1, #names do
    if s.has(join(dir, names[i])) then return names[i] end
  end
end

local PYTHON_ROOTS = ecosystems_data.python_roots

local function python_prefix(s, dir)
  local _, lock = s.nearest(dir, { "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock" })
  local name = lock and match(lock, "([^/]*)$")
  local prefixes = { ["uv.lock"] = "uv run ", ["poetry.lock"] = "poetry run ", ["pdm.lock"] = "pdm run ",
    ["Pipfile.lock"] = "pipenv run " }
  return name and prefixes[name] or ""
end

local function python_text(s, dir)
  local parts = {}
  for _, name in ipairs { "pyproject.toml", "setup.cfg", "tox.ini", "Pipfile", "requirements.txt",
    "requirements-dev.txt", "requirements_dev.txt", "dev-requirements.txt", "requirements-test.txt" } do
    parts[#parts + 1] = s.text(join(dir, name))
  end
  return table.concat(parts, "\n")
end

local function python_lint(s, checks, dir, files, text, prefix)
  local sources = in_language(files, "python")
  local words = checks.file_words(sources, dir)
  local function tool(kind, declared, command, why)
    if declared then s.emit(kind, prefix .. command .. " " .. (words or "."), why, dir) end
  end
  if #sources == 0 then return end
  local function mentions(name) return find(text, "%f[%w]" .. name .. "%f[^%w]") ~= nil end
  tool("lint", first_in(s, dir, { "ruff.toml", ".ruff.toml" }) or find(text, "[tool.ruff", 1, true) or mentions "ruff",
    "ruff check", "ruff configuration")
  tool("lint", first_in(s, dir, { ".flake8" }) or find(text, "[flake8]", 1, true), "flake8", "flake8 configuration")
  tool("lint", find(text, "[tool.black", 1, true), "black --check", "black in pyproject.toml")
  tool("typecheck", first_in(s, dir, { "mypy.ini", ".mypy.ini" }) or find(text, "[tool.mypy", 1, true)
    or find(text, "[mypy]", 1, true), "mypy", "mypy configuration")
  tool("typecheck", first_in(s, dir, { "pyrightconfig.json" }) or find(text, "[tool.pyright", 1, true), "pyright",
    "pyright configuration")
end

-- Tests that only need the standard library declare themselves by their imports.
local function unittest(s, dir, prefix)
  local tests, folder = 0, nil
  for _, path in ipairs(s.python_tests) do
    local rest = dir == "" and path or sub(path, 1, #dir + 1) == dir .. "/" and sub(path, #dir + 2)
    if rest and tests < 8 then
      local text = s.ctx:read(path, { cap = 65536, missing = "nil" }) or ""
      if find(text, "%f[%w]pytest%f[^%w]") then return end
      if find("\n" .. text, "\n%s*import%s+unittest") or find("\n" .. text, "\n%s*from%s+unittest") then
        tests = tests + 1
        folder = folder or match(rest, "^(.*)/[^/]*$") or ""
      end
    end
  end
  if tests == 0 then return end
  local hint = dir == "" and s.ci_command "unittest"
  local command = hint and hint.kind == "test" and hint.command or prefix .. "python -m unittest"
  -- Discovery goes down only into packages.
  local top = folder ~= "" and match(folder, "^[^/]+")
  if not hint and top and not s.has(join(dir, top .. "/__init__.py")) then
    local word = git.shell_word(folder)
    if not word then return end
    command = command .. " discover -s " .. word
  end
  s.emit("test", command, "tests of unittest", dir)
end

local function python(s, checks, dir, files)
  local text, prefix = python_text(s, dir), python_prefix(s, dir)
  python_lint(s, checks, dir, files, text, prefix)
  local declared = first_in(s, dir, { "pytest.ini", "conftest.py", "tests/conftest.py", "test/conftest.py" })
    or find(text, "[tool.pytest", 1, true) and "pyproject.toml" or find(text, "[tool:pytest]", 1, true) and "setup.cfg"
    or find(text, "[pytest]", 1, true) and "tox.ini" or find(text, "%f[%w]pytest%f[^%w]") and "the dependencies"
  local tox = s.has(join(dir, "tox.ini")) and "tox.ini" or find(text, "[tool.tox", 1, true) and "pyproject.toml"
    or find(text, "[tox:tox]", 1, true) and "setup.cfg"
  if tox and s.ci_has "tox" then
    s.emit("test", "tox", tox .. " and the CI", dir)
  elseif declared then
    -- Only tests changed: only they need to run.
    local words = all(files, only_python_test) and checks.file_words(files, dir)
    s.emit("test", prefix .. "pytest" .. (words and " " .. words or ""), "pytest in " .. declared, dir)
  elseif s.has(join(dir, "noxfile.py")) then
    s.emit("test", "nox", "noxfile.py", dir)
  elseif tox then
    s.emit("test", "tox", tox, dir)
  elseif s.has(join(dir, "manage.py")) then
    s.emit("test", prefix .. "python3 manage.py test", "manage.py", dir)
  else
    unittest(s, dir, prefix)
  end
end

local function cargo(s, _, dir)
  s.emit("test", "cargo test", "Cargo.toml", dir)
  local text = s.text(join(dir, "Cargo.toml")) or ""
  if s.nearest(dir, { "clippy.toml", ".clippy.toml" }) or find(text, "lints.clippy", 1, true) then
    s.emit("lint", "cargo clippy -- -D warnings", "clippy configuration", dir)
  end
  if s.nearest(dir, { "rustfmt.toml", ".rustfmt.toml" }) then
    s.emit("lint", "cargo fmt --check", "rustfmt configuration", dir)
  end
end

local function go(s, _, dir)
  s.emit("build", "go build ./...", "go.mod", dir)
  s.emit("test", "go test ./...", "go.mod", dir)
  if s.nearest(dir, { ".golangci.yml", ".golangci.yaml", ".golangci.toml" }) then
    s.emit("lint", "golangci-lint run", "golangci configuration", dir)
  end
end

-- The first preset of a list that a person may use and a shell line can show.
local function preset_name(list)
  for _, preset in ipairs(type(list) == "table" and list or {}) do
    if type(preset) == "table" and type(preset.name) == "string" and preset.hidden ~= true then
      local word = git.shell_word(preset.name)
      if word then return word, preset end
    end
  end
end

-- The value in a preset or the first of those it inherits from; nil if none has it. Presets may inherit in a circle.
local function inherited(preset, key, by_name, left)
  if type(preset) ~= "table" or left.steps <= 0 then return nil end
  left.steps = left.steps - 1
  if type(preset[key]) == "string" then return preset[key] end
  local parents = type(preset.inherits) == "string" and { preset.inherits } or preset.inherits
  for _, name in ipairs(type(parents) == "table" and parents or {}) do
    local value = inherited(by_name[name], key, by_name, left)
    if value then return value end
  end
end

-- The folder a configure preset builds in, as a shell word relative to the source; names in it are those of the preset
-- that is used, wherever the folder was written.
local function cmake_binary_dir(preset, list)
  local by_name = {}
  for _, other in ipairs(list) do
    if type(other) == "table" and type(other.name) == "string" then by_name[other.name] = other end
  end
  local dir = inherited(preset, "binaryDir", by_name, { steps = 100 })
  if not dir or #dir > 1000 then return "build" end
  local known = { presetName = preset.name, sourceDir = ".",
    generator = inherited(preset, "generator", by_name, { steps = 100 }) }
  dir = string.gsub(dir, "%${(%w+)}", known)
  repeat
    local count
    dir, count = string.gsub(dir, "^%./+", "")
  until count == 0
  dir = string.gsub(dir, "(.)/+$", "%1")
  if dir == "" or dir == "." then return "." end
  if find(dir, "$", 1, true) or find(dir, "^[/-]") or find("/" .. dir .. "/", "/../", 1, true) then return "build" end
  return git.shell_word(dir) or "build"
end

local function declares_tests(s, dir)
  local text = s.text(join(dir, "CMakeLists.txt")) or ""
  for _, word in ipairs { "enable_testing", "include(CTest)", "add_test", "catch_discover_tests",
    "gtest_discover_tests", "add_subdirectory(test" } do
    if find(text, word, 1, true) then return true end
  end
  return s.has(join(dir, "tests/CMakeLists.txt")) or s.has(join(dir, "test/CMakeLists.txt"))
end

local function cmake(s, _, dir)
  local presets = read.json(s.text(join(dir, "CMakePresets.json")))
  local configure, chosen = preset_name(presets and presets.configurePresets)
  if configure then
    local build, tests = preset_name(presets.buildPresets), preset_name(presets.testPresets)
    local binary = cmake_binary_dir(chosen, presets.configurePresets)
    s.emit("build", "cmake --preset " .. configure, "CMakePresets.json", dir)
    s.emit("build", "cmake --build " .. (build and "--preset " .. build or binary), "CMakePresets.json", dir)
    if tests then
      s.emit("test", "ctest --preset " .. tests, "CMakePresets.json", dir)
    elseif declares_tests(s, dir) then
      s.emit("test", "ctest --test-dir " .. binary .. " --output-on-failure", "CMakeLists.txt", dir)
    end
    return
  end
  s.emit("build", "cmake -S . -B build", "CMakeLists.txt", dir)
  s.emit("build", "cmake --build build", "CMakeLists.txt", dir)
  if declares_tests(s, dir) then
    s.emit("test", "ctest --test-dir build --output-on-failure", "CMakeLists.txt", dir)
  end
end

local function meson(s, _, dir)
  s.emit("build", "meson setup build", "meson.build", dir)
  s.emit("test", "meson test -C build", "meson.build", dir)
end

local function gradle(s, _, dir, files)
  local program = s.has(join(dir, "gradlew")) and "./gradlew" or "gradle"
  local module
  for _, file in ipairs(files) do
    local at = s.nearest(file.d.dir, { "build.gradle", "build.gradle.kts" })
    local name = at and at ~= dir and string.gsub(sub(at, dir == "" and 1 or #dir + 2), "/", ":") or ""
    if module and module ~= name then
      module = ""
      break
    end
    module = name
  end
  local scope = module and module ~= "" and find(module, "^[%w:_.-]+$") and ":" .. module .. ":" or ""
  s.emit("test", format("%s %stest", program, scope), "Gradle build", dir)
end

local function maven(s, _, dir, files)
  local program = s.has(join(dir, "mvnw")) and "./mvnw" or "mvn"
  local module
  for _, file in ipairs(files) do
    local at = s.nearest(file.d.dir, { "pom.xml" })
    local name = at and at ~= dir and sub(at, dir == "" and 1 or #dir + 2) or ""
    if module and module ~= name then
      module = ""
      break
    end
    module = name
  end
  local word = module and module ~= "" and git.shell_word(module)
  s.emit("test", program .. (word and format(" -pl %s -am", word) or "") .. " test", "pom.xml", dir)
end

local function composer(s, _, dir)
  local manifest = read.json(s.text(join(dir, "composer.json"))) or {}
  local scripts = type(manifest.scripts) == "table" and manifest.scripts or {}
  local function script(kind, names)
    for _, name in ipairs(names) do
      if scripts[name] ~= nil then
        s.emit(kind, "composer run " .. name, "composer.json scripts", dir)
        return true
      end
    end
  end
  script("lint", { "lint", "cs", "phpcs", "check-style", "cs-check" })
  script("typecheck", { "phpstan", "psalm", "analyse", "analyze", "stan" })
  if not script("test", { "test", "tests", "phpunit", "test:unit" })
    and first_in(s, dir, { "phpunit.xml", "phpunit.xml.dist" }) then
    s.emit("test", "vendor/bin/phpunit", "phpunit.xml", dir)
  end
end

local function ruby(s, checks, dir, files)
  local gems = s.text(join(dir, "Gemfile")) or ""
  if s.has(join(dir, ".rubocop.yml")) then
    local words = checks.file_words(in_language(files, "ruby"), dir)
    s.emit("lint", "bundle exec rubocop" .. (words and " " .. words or ""), ".rubocop.yml", dir)
  end
  if s.has(join(dir, ".rspec")) or find(gems, "rspec", 1, true) then
    s.emit("test", "bundle exec rspec", "rspec", dir)
  elseif s.has(join(dir, "bin/rails")) then
    s.emit("test", "bin/rails test", "bin/rails", dir)
  elseif find(s.text(join(dir, "Rakefile")) or "", "test", 1, true) then
    s.emit("test", "bundle exec rake test", "Rakefile", dir)
  end
end

local function lua(s, checks, dir, files)
  local words = checks.file_words(in_language(files, "lua"), dir)
  if not words then return end
  if s.nearest(dir, { ".luacheckrc" }) then s.emit("lint", "luacheck " .. words, ".luacheckrc", dir) end
  if s.nearest(dir, { "stylua.toml", ".stylua.toml" }) then
    s.emit("lint", "stylua --check " .. words, "stylua.toml", dir)
  end
  local busted = s.nearest(dir, { ".busted" })
  if busted then s.emit("test", "busted", ".busted", busted) end
end

local function dotnet(s, _, dir)
  s.emit("build", "dotnet build", "the project file", dir)
  s.emit("test", "dotnet test", "the project file", dir)
end

local function dart(s, _, dir)
  local flutter = find(s.text(join(dir, "pubspec.yaml")) or "", "\n%s*flutter:") ~= nil
  s.emit("lint", flutter and "flutter analyze" or "dart analyze", "pubspec.yaml", dir)
  s.emit("test", flutter and "flutter test" or "dart test", "pubspec.yaml", dir)
end

local function elixir(s, _, dir)
  if s.has(join(dir, ".formatter.exs")) then s.emit("lint", "mix format --check-formatted", ".formatter.exs", dir) end
  s.emit("test", "mix test", "mix.exs", dir)
end

local function swift(s, _, dir) s.emit("test", "swift test", "Package.swift", dir) end

local function zig(s, _, dir)
  if find(s.text(join(dir, "build.zig")) or "", '"test"', 1, true) then
    s.emit("test", "zig build test", "build.zig", dir)
  end
end

local function haskell(s, _, dir) s.emit("test", "stack test", "stack.yaml", dir) end

-- language -> finder of its root, true if the topmost counts (one build for all), and the function
local HOMES = {
  { "python notebook", PYTHON_ROOTS, false, python },
  { "rust cargo", { "Cargo.toml" }, false, cargo },
  { "go gomod", { "go.mod" }, false, go },
  { "c cpp objc asm cmake fortran", { "CMakeLists.txt" }, true, cmake },
  { "c cpp objc asm meson fortran", { "meson.build" }, true, meson },
  { "java kotlin groovy scala gradle", { "settings.gradle", "settings.gradle.kts", "build.gradle", "build.gradle.kts" },
    true, gradle },
  { "java kotlin scala", { "pom.xml" }, true, maven },
  { "php composer", { "composer.json" }, false, composer },
  { "ruby", { "Gemfile", "Rakefile", ".rspec" }, false, ruby },
  { "lua", { ".luacheckrc", ".busted", "stylua.toml", ".stylua.toml" }, false, lua },
  { "swift", { "Package.swift" }, false, swift },
  { "dart", { "pubspec.yaml" }, false, dart },
  { "elixir mix", { "mix.exs" }, false, elixir },
  { "zig", { "build.zig" }, false, zig },
  { "haskell", { "stack.yaml" }, false, haskell },
}

local MANIFESTS = ecosystems_data.manifests

for _, home in ipairs(HOMES) do
  local languages = {}
  for language in string.gmatch(home[1], "%S+") do languages[#languages + 1] = language end
  home.languages = languages
end

local function by_root(s, files, home)
  local groups, order = {}, {}
  for _, file in ipairs(files) do
    local dir
    if home[3] then dir = s.topmost(file.d.dir, home[2]) else dir = s.nearest(file.d.dir, home[2]) end
    if dir then
      if not groups[dir] then
        groups[dir] = {}
        order[#order + 1] = dir
      end
      table.insert(groups[dir], file)
    end
  end
  return groups, order
end

local function dotnet_home(s, files)
  local projects = {}
  for _, file in ipairs(files) do
    if file.d.language == "csharp" or file.d.ext == "csproj" or file.d.ext == "sln" then projects[1] = file end
  end
  -- Their names are free, so a solution or project anywhere says enough to build from the top.
  if projects[1] then dotnet(s, nil, "") end
end

local TARGETS = ecosystems_data.targets

local RUNNERS = ecosystems_data.runners

-- The program and the targets that a file of make, just or task has.
local function targets_of(s, path)
  local text, low = s.text(path) or "", lower(path)
  if find(low, "justfile$") then return "just ", read.just_recipes(text) end
  if find(low, "taskfile%.ya?ml$") then return "task ", read.task_names(text) end
  return "make ", read.make_targets(text)
end

local COMPILED = ecosystems_data.compiled

local function run_targets(s, files, covered)
  local seen = {}
  for _, file in ipairs(files) do
    local at, path = s.nearest(file.d.dir, RUNNERS)
    if at and not seen[path] then
      seen[path] = true
      local program, names = targets_of(s, path)
      local found, tested = false, false
      for _, kind in ipairs { "typecheck", "lint", "test", "build" } do
        local wanted = not covered[kind] and not (kind == "build" and (tested or covered.test))
        for _, name in ipairs(wanted and TARGETS[kind] or {}) do
          if names[name] then
            s.emit(kind, program .. name, match(path, "([^/]*)$"), at)
            found, tested = true, tested or kind == "test"
            break
          end
        end
      end
      if not found and program == "make " and COMPILED[file.language] and not covered.build and not covered.test then
        s.emit("build", "make", match(path, "([^/]*)$"), at)
      end
    end
  end
end

local function kinds_of(s, from)
  local kinds = {}
  for i = from + 1, #s.checks do kinds[s.checks[i].kind] = true end
  return kinds
end

local MARKDOWN = ecosystems_data.markdown

local function docs(s, checks, files)
  if #files == 0 then return end
  local words = checks.file_words(files, "")
  local _, config = s.nearest(files[1].d.dir, MARKDOWN)
  if node.docs(s, files) then
    return
  elseif config and words then
    local program = find(config, "cli2", 1, true) and "markdownlint-cli2 " or "markdownlint "
    s.emit("lint", program .. words, match(config, "([^/]*)$"), "")
  end
  if s.has(".vale.ini") and words then s.emit("lint", "vale " .. words, ".vale.ini", "") end
  if s.has("mkdocs.yml") and any(files, function(f) return sub(f.path, 1, 5) == "docs/" end) then
    s.emit("build", "mkdocs build --strict", "mkdocs.yml", "")
  end
end

local function others(s, checks, files)
  local yaml = in_language(files, "yaml")
  if #yaml > 0 and s.nearest(yaml[1].d.dir, { ".yamllint", ".yamllint.yml", ".yamllint.yaml" }) then
    local words = checks.file_words(yaml, "")
    if words then s.emit("lint", "yamllint " .. words, ".yamllint", "") end
  end
  local workflows = {}
  for _, file in ipairs(yaml) do
    if sub(file.path, 1, 18) == ".github/workflows/" then workflows[#workflows + 1] = file end
  end
  local words = #workflows > 0 and s.has(".github/actionlint.yaml") and checks.file_words(workflows, "")
  if words then s.emit("lint", "actionlint " .. words, ".github/actionlint.yaml", "") end
  local sql = in_language(files, "sql")
  words = #sql > 0 and s.has(".sqlfluff") and checks.file_words(sql, "")
  if words then s.emit("lint", "sqlfluff lint " .. words, ".sqlfluff", "") end
  local shell = in_language(files, "shell")
  words = #shell > 0 and s.nearest(shell[1].d.dir, { ".shellcheckrc" }) and checks.file_words(shell, "")
  if words then
    s.emit("lint", "shellcheck " .. words, ".shellcheckrc", "")
    s.shell_linted = true
  end
  local docker = in_language(files, "docker")
  words = #docker > 0 and s.has(".hadolint.yaml") and checks.file_words(docker, "")
  if words then s.emit("lint", "hadolint " .. words, ".hadolint.yaml", "") end
  if #in_language(files, "proto") > 0 and s.has("buf.yaml") then s.emit("lint", "buf lint", "buf.yaml", "") end
end

local function pre_commit(s, checks, code, prose)
  local config = s.text(".pre-commit-config.yaml")
  if not config then return end
  local files = {}
  for _, file in ipairs(code) do files[#files + 1] = file end
  if find(config, "markdown", 1, true) or find(config, "mdformat", 1, true) or find(config, "codespell", 1, true)
    or find(config, "trailing-whitespace", 1, true) or find(config, "typos", 1, true) or #code > 0 then
    for _, file in ipairs(prose) do files[#files + 1] = file end
  end
  if #files == 0 then return end
  local words = checks.file_words(files, "")
  s.emit("lint", "pre-commit run " .. (words and "--files " .. words or "--all-files"), ".pre-commit-config.yaml", "")
end

local function skill_targets(s, files)
  for _, file in ipairs(files) do
    if file.d.name == "SKILL.md" then
      local at, path = s.nearest(file.d.dir, RUNNERS)
      local program, names
      if at then program, names = targets_of(s, path) end
      for _, name in ipairs { "validate-skills", "check-skills", "lint-skills", "validate" } do
        if names and names[name] then
          s.emit("custom", program .. name, match(path, "([^/]*)$"), at)
          break
        end
      end
      node.skills(s, file)
      return
    end
  end
end

---@param s checks.Survey
---@param checks table the module checks
function M.run(s, checks)
  local code, prose = {}, {}
  for _, file in ipairs(s.files) do
    local kind = file.d.kind
    if kind == "docs" then
      prose[#prose + 1] = file
    elseif kind ~= "asset" and not file.nested then
      file.language = MANIFESTS[lower(file.d.name)] or file.d.language
      code[#code + 1] = file
    end
  end
  skill_targets(s, s.files)
  pre_commit(s, checks, code, prose)
  docs(s, checks, prose)
  if #code == 0 then return end
  local before = #s.checks
  local taken = node.run(s, checks, code)
  local by_language = {}
  for _, file in ipairs(code) do
    local language = file.language
    if language and not taken[file] then
      by_language[language] = by_language[language] or {}
      table.insert(by_language[language], file)
    end
  end
  for _, home in ipairs(HOMES) do
    local files = {}
    for _, language in ipairs(home.languages) do
      for _, file in ipairs(by_language[language] or {}) do
        if not taken[file] then files[#files + 1] = file end
      end
    end
    local groups, order = by_root(s, files, home)
    for _, dir in ipairs(order) do
      home[4](s, checks, dir, groups[dir])
      for _, file in ipairs(groups[dir]) do taken[file] = true end
    end
  end
  local homeless = false
  for _, file in ipairs(by_language.python or {}) do homeless = homeless or not taken[file] end
  if homeless then unittest(s, "", "") end
  dotnet_home(s, code)
  others(s, checks, code)
  local left = {}
  for _, file in ipairs(code) do
    if not taken[file] and not checks.inert(file.path) then left[#left + 1] = file end
  end
  -- Files of an ecosystem that declares no tests of its own may still be tested by a target.
  local covered = kinds_of(s, before)
  if #left > 0 and not covered.test then run_targets(s, left, {}) end
  covered = kinds_of(s, before)
  if not covered.test or not covered.lint then
    local live = {}
    for _, file in ipairs(code) do
      if not checks.inert(file.path) then live[#live + 1] = file end
    end
    run_targets(s, live, covered)
  end
end

return M
