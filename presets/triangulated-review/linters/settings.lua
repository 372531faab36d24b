--- Finds linter settings and suppressions that the change itself adds.
local m = require "moonlet"
local known = require "linters.known"

local M = {}

local NAMES = {}
for _, linter in ipairs(known) do
  for _, name in ipairs(linter.settings or {}) do NAMES[name] = true end
end
for _, name in ipairs { ".pylintrc", "pylintrc", ".golangci.yml", ".golangci.yaml", ".rubocop.yml",
  ".stylelintrc", ".stylelintrc.json", ".markdownlint.json", ".markdownlint.yaml", ".clang-tidy",
  "biome.json", ".eslintignore", ".semgrepignore", "phpstan.neon", "phpstan-baseline.neon" } do
  NAMES[name] = true
end
-- These files have other uses than linter settings, so changes to them are not reported.
for _, name in ipairs { "pyproject.toml", "setup.cfg", "tox.ini" } do NAMES[name] = nil end

local SUPPRESSIONS = { "#%s*noqa", "#%s*type:%s*ignore", "#%s*nosec", "#%s*pylint:%s*disable",
  "#%s*ruff:%s*noqa", "#%s*mypy:%s*ignore", "#%s*pyright:%s*ignore", "#%s*shellcheck%s+disable",
  "#%s*yamllint%s+disable", "#%s*hadolint%s+ignore", "#%s*rubocop:%s*disable", "eslint%-disable",
  "@ts%-ignore", "@ts%-nocheck", "@ts%-expect%-error", "biome%-ignore", "oxlint%-disable",
  "stylelint%-disable", "%-%-%s*luacheck:%s*", "NOLINT", "//%s*nolint", "NOSONAR",
  "cppcheck%-suppress", "gitleaks:%s*allow", "#!?%[allow%(", "#!?%[expect%(", "@SuppressWarnings",
  "noinspection", "moonlet:%s*ignore", "nosemgrep" }

local function suppression(line)
  for _, shape in ipairs(SUPPRESSIONS) do
    local from, to = line:find(shape)
    if from then return line:sub(from, to) end
  end
  return nil
end

--- Returns the settings and suppressions that a change adds, as {file, line, what}.
---@param change review.Change
function M.added(change)
  local list = m.array {}
  for _, file in ipairs(change.whole and {} or change.files) do
    local is_settings = NAMES[file.d.name] or NAMES[file.path]
    if is_settings and not file.deleted then
      list[#list + 1] = { file = file.path, line = m.null, what = "settings" }
    end
    for _, n in ipairs(file.d.kind ~= "docs" and file.d.ext ~= "json" and not file.d.generated
      and file.added or {}) do
      local line = file.lines[n]:sub(1, 1000)
      local what = not change.removed[line:match "^%s*(.-)%s*$"] and suppression(line)
      if what then list[#list + 1] = { file = file.path, line = n, what = what } end
    end
  end
  return list
end

local most_named = 20

--- Formats added settings and suppressions as a note, or returns nil if there are none.
---@param list table[]
function M.note(list)
  if #list == 0 then return nil end
  local places = {}
  for i = 1, math.min(#list, most_named) do
    local item = list[i]
    local line = item.line ~= m.null and ":" .. item.line or ""
    places[i] = ("%s%s (%s)"):format(m.git.show_path(item.file, 120), line, item.what)
  end
  local more = #list > most_named and (", and %d more"):format(#list - most_named) or ""
  return "The change itself silences linters: " .. table.concat(places, ", ") .. more
end

return M
