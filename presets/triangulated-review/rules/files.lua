--- Rules about files that do not belong where they are: leftovers of tools, compiled files, files that are too large.

local shape = require "moonlet.text"

local find, format, lower = string.find, string.format, string.lower

local M = {}

M.rules = {
  ["binary-added"] = { lenses = { "practicality", "security", "risks" }, severity = "medium", confidence = 0.8,
    fix = "Build it from source, or keep it outside of the repository." },
  ["large-file"] = { lenses = { "practicality", "performance" }, severity = "low", confidence = 0.8,
    fix = "Keep it outside of the repository, or in large-file storage." },
  ["stray-file"] = { lenses = { "consistency", "practicality", "risks" }, severity = "low", confidence = 0.95,
    fix = "Take it out and add it to .gitignore." },
  ["odd-mode"] = { lenses = { "consistency", "security", "risks" }, severity = "low", confidence = 0.9,
    fix = "Take the executable bit away." },
  ["too-large"] = { lenses = { "practicality", "risks" }, severity = "info", confidence = 0.8,
    fix = "Split it into changes that can be judged one by one." },
}

local large_lines = 20000
local too_many_lines = 3000

local STRAY = { "^%.ds_store$", "^thumbs%.db$", "^desktop%.ini$", "^npm%-debug%.log$", "^yarn%-error%.log$",
  "^nohup%.out$", "^%.coverage$", "^a%.out$", "%.orig$", "%.rej$", "%.sw[op]$", "%.pyc$", ".~$", "^%._" }
local STRAY_DIRS = { "node_modules/", "__pycache__/", ".pytest_cache/", ".mypy_cache/", ".idea/", ".tox/",
  ".nyc_output/", ".venv/" }
local BINARY = shape.set [[exe dll so dylib o obj a lib class pyc jar war zip gz tgz tar rar 7z deb rpm dmg iso msi apk
  whl egg bin node wasm]]

local function stray_dir(path)
  for _, dir in ipairs(STRAY_DIRS) do
    if find("/" .. lower(path), "/" .. dir, 1, true) then return dir end
  end
  return nil
end

local function new_file(view, report)
  local name, dir = lower(view.d.name), stray_dir(view.path)
  local stray = shape.any(name, STRAY) or find(name, "%.bak$") and not view.test
  local packed = view.part.binary and BINARY[view.d.ext] and not find(name, "^gradle%-wrapper")
  if dir and not view.d.fixture then
    report("stray-file", view, nil,
      format("What lies in %s is made by tools, and does not belong to the repository.", dir))
  elseif stray and not view.d.fixture then
    report("stray-file", view, nil, "The file is a leftover of a tool or an editor.")
  elseif packed and not view.test and not view.example then
    report("binary-added", view, nil, "A compiled or packed file was added: nobody can review it.")
  end
  if view.part.added >= large_lines and view.d.kind ~= "lock" then
    report("large-file", view, nil, format("The new file has %d lines.", view.part.added))
  end
end

-- True if a file may be a program: binary, of an unknown kind, a shell script, without an ending, or with a first line
-- that names a program.
local function is_program(view)
  local first = view.lines[1]
  local known = view.whole or first and first.added
  return view.part.binary or view.d.kind == "unknown" or view.language == "shell" or view.d.ext == "" or not known
    or not first or find(first.text, "^#!") ~= nil
end

local function odd_mode(view, new, report)
  local part = view.part
  if part.new_mode ~= "100755" or not new and part.old_mode ~= "100644" then return end
  if not view.test and not is_program(view) then
    report("odd-mode", view, nil, "The file is executable, but it is nothing that can be run.")
  end
end

local UNCOUNTED = shape.set "data docs lock"

local function counted_lines(view)
  return (view.generated or view.test or UNCOUNTED[view.d.kind]) and 0 or #view.added
end

function M.change(change, report)
  if change.whole_files then return end
  local total = 0
  for _, view in ipairs(change.views) do
    local new = view.status == "added" or view.section == "untracked"
    if new then new_file(view, report) end
    odd_mode(view, new, report)
    total = total + counted_lines(view)
  end
  if total > too_many_lines then
    report("too-large", nil, nil,
      format("%d lines of code in one change: more than anybody can review with care.", total))
  end
end

return M
