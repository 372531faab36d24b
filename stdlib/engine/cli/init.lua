--- `moonlet init` prepares a folder for presets, and writes a first preset if there is none.
--- `.luarc.json` gets the type definitions of ctx and m for editors, and keeps its other settings.
--- `.luarc.json` can be committed, because the type definitions are copied to each user's home folder.
local repository = require "moonlet.engine.run.repository"
local options = require "moonlet.engine.cli.options"
local record = require "moonlet.record"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

M.known = options.with_common {
  runner = { value = "R", help = "only write this default runner into your config" },
}

local file_name, file_cap = ".luarc.json", 1 << 20
local shared_types = "/.local/share/moonlet/lua"  -- below HOME
local globals = { "ctx", "m", "args" }
local first_preset = "hello"

--- Returns the folder with the type definitions, which is in the installation or in the build
--- folder.
local function types_folder()
  local program, why = core.system.keeper_program()
  program = program and (core.system.real_path(program) or program)
  local folder = program and program:match "^(.*)/[^/]+$"
  for _, place in ipairs(folder and { folder:match "^(.*)/[^/]+$" or "", folder } or {}) do
    local path = place .. "/share/moonlet/lua"
    -- In a build folder, the path of the type definitions is a symlink to the source tree.
    if core.system.real_path(path .. "/moonlet/meta/ctx.lua") then return path end
  end
  error({ kind = "failed",
    message = "the types for editors are not installed with this moonlet" .. (why and ": " .. why
    or ""), hint = "install it with: cmake --install BUILD --prefix PREFIX" }, 0)
end

--- Copies the library's Lua files that are missing or differ. Skips the folder `engine`.
local function copy(from, to)
  local source, target = core.file.root(from), nil
  for _, entry in ipairs(source and core.file.list(source, ".") or {}) do
    if entry.name:find "%.lua$" then
      local err, _
      if not target then target, err = core.file.make_root(to) end
      local text = target and core.file.read(source, entry.name, file_cap)
      local is_new = text and core.file.read(target, entry.name, file_cap) ~= text
      if is_new then _, err = core.file.write(target, entry.name, text) end
      if err then error(err, 0) end
    elseif entry.type == "directory" and entry.name ~= "engine" then
      copy(from .. "/" .. entry.name, to .. "/" .. entry.name)
    end
  end
end

--- Copies the type definitions below the user's home, and returns a path that is valid for every user
--- of a shared `.luarc.json`.
local function share_types(types)
  local home = core.system.env "HOME"
  if not home or home:sub(1, 1) ~= "/" then return types end
  if core.system.real_path(types) ~= core.system.real_path(home .. shared_types) then
    copy(core.system.real_path(types .. "/moonlet"), home .. shared_types .. "/moonlet")
  end
  return "~" .. shared_types
end

--- Finds the table and key of a setting: { workspace = { library = … } }.
--- If .luarc.json uses "workspace.library" or "Lua.workspace.library", that form is kept.
local function place_of(settings, group, name)
  for _, key in ipairs { group .. "." .. name, "Lua." .. group .. "." .. name } do
    if settings[key] ~= nil then return settings, key end
  end
  for _, outer in ipairs { settings.Lua or settings, settings } do
    if type(outer) == "table" and type(outer[group]) == "table" then return outer[group], name end
  end
  settings[group] = {}
  return settings[group], name
end

local function add_to_list(settings, group, name, values)
  local where, key = place_of(settings, group, name)
  if where[key] == nil then where[key] = core.json.array {} end
  local list, is_there = where[key], {}
  if not core.json.is_array(list) then
    record.refuse(("%s: %s.%s is not a list"):format(file_name, group, name),
      "make it one, or take it out")
  end
  for _, item in ipairs(list) do is_there[item] = true end
  for _, value in ipairs(values) do
    if not is_there[value] then list[#list + 1] = value end
  end
end

--- Adds moonlet's settings to those of `.luarc.json`. Replaces the path of the type definitions of
--- another installation of moonlet.
local function change(settings, types)
  local where, key = place_of(settings, "workspace", "library")
  for i = core.json.is_array(where[key]) and #where[key] or 0, 1, -1 do
    local item = where[key][i]
    if item ~= types and type(item) == "string" and item:find "/share/moonlet/lua$" then
      table.remove(where[key], i)
    end
  end
  add_to_list(settings, "workspace", "library", { types })
  add_to_list(settings, "diagnostics", "globals", globals)
  local runtime, version = place_of(settings, "runtime", "version")
  if runtime[version] == nil then runtime[version] = "Lua 5.4" end
end

local function by_hand(types)
  return ("add by hand: \"workspace.library\": [%s], \"diagnostics.globals\": %s"):format(
    core.json.encode(types),
    core.json.encode(core.json.array(globals)))
end

local function write_settings(root, types)
  local text, err, cut = core.file.read(root, file_name, file_cap)
  if not text and core.file.stat(root, file_name) then error(err, 0) end
  local settings = {}
  if text and text:find "%S" then
    local ok, value = pcall(core.json.decode, text)
    if cut or not ok or type(value) ~= "table" or core.json.is_array(value)
        or value == core.json.null then
      local message = ("%s is not a plain JSON object, and is left unchanged"):format(file_name)
      record.refuse(message, by_hand(types))
    end
    settings = value
  end
  local before = core.json.encode(settings)
  change(settings, types)
  if core.json.encode(settings) == before then return "kept" end
  local written
  written, err = core.file.write(root, file_name, core.json.encode(settings, 2) .. "\n")
  if not written then error(err, 0) end
  return text and "changed" or "made"
end

local function has_presets(root)
  for _, entry in ipairs(core.file.list(root, "presets") or {}) do
    if entry.name:find "^%l[%l%d-]*$" and entry.type == "directory" or entry.name:find "%.lua$" then
      return true
    end
  end
  return false
end

function M.main(words)
  local found, rest = verbs.read("init", words, M.known)
  options.no_more(rest, 0, "init", "another folder is --repo DIR")
  if found.runner then
    local path, line = require("moonlet.engine.load.config_file").set_runner(found.runner)
    return options.envelope { config = path, runner = found.runner }, 0,
      ("%s: %s\n"):format(core.text.printable(path, 400), line)
  end
  local home = core.run.home(repository.folder(found.repo))
  local root, err = core.file.root(home.top)
  if not root then error(err, 0) end
  local types = share_types(types_folder())
  local settings = write_settings(root, types)
  local result = { settings = settings, types = types, files = core.json.array {} }
  local lines = { ("%s %s: an editor with lua-language-server knows ctx and m now"):format(settings,
    file_name) }
  if not has_presets(root) then
    local made = require("moonlet.engine.cli.preset.new").new(home, first_preset)
    result.files = made.files
    lines[#lines + 1] = ("made presets/%s: a first preset, with its test"):format(first_preset)
    lines[#lines + 1] = "\n  moonlet run hello --runner mock --allow needs   without an agent"
    lines[#lines + 1] = "  moonlet preset test hello --allow needs         its test"
  else
    lines[#lines + 1] =
      "\n  moonlet preset list                             the presets that you can run"
    lines[#lines + 1] =
      "  moonlet preset new NAME                         another preset, with its test"
  end
  lines[#lines + 1] = "  moonlet doc                                     all that a preset may use"
  lines[#lines + 1] = "  moonlet doctor                                  which agents are installed"
  return options.envelope(result), 0, table.concat(lines, "\n") .. "\n"
end

return M
