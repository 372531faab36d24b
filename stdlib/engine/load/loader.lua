--- Finds and loads presets in ./presets, in the user's folder, then among the built-in presets.
--- A preset is NAME.lua, or a folder NAME with init.lua and further files.
local read_path = require("moonlet.engine.base.files").read_path
local record = require "moonlet.record"
local closed = require "moonlet.engine.context.closed"
local readonly = require "moonlet.engine.load.readonly"
local globals_of = require "moonlet.engine.load.globals"
local preset_module = require "moonlet.preset"
local traces = require "moonlet.engine.context.traces"
local prompts = require "moonlet.engine.load.prompts"

local M = {}

local source_cap = 1 << 20

---@class moonlet.Source
---@field name string
---@field origin string         "built in", or the path of the preset's file
---@field builtin boolean      the text comes from the executable
---@field named boolean?       true if found by a name, which the preset must declare
---@field text string           text of the main file
---@field read fun(file: string): string?, table?   reads a file of the preset's own folder
---@field code (fun(file: string, globals: table, on_missing: function?): function?)?
---   loads a Lua file of the preset's own folder; only built-in presets have it
---@field hash fun(): string?   returns the sha256 of all files; nil if they are too large
---@field folder string?       the preset's own folder, if it has one
---@field used table<string, string>   path -> sha256 of each further file that was read
---@field display string?      title of the preset's run
---@field forget (fun(name: string): boolean)?  unloads a module; false if it was not loaded
---@field body (fun(ctx: moonlet.Ctx): any)?   function to run instead of the text
---@field nested table<string, {source: moonlet.Source, preset: moonlet.Preset}>?
---   the presets that this preset may run
---@field opened string?       sha256 of the files that M.open() ran; nil if the folder is too large
---@field unhashed boolean?     true if only declarations are read, so that no hash is needed
---@field unreadable moonlet.Error?  error that M.open() raises because the file is unreadable

--- Maps the name of a target without a file, such as "repl", to a function that builds its source.
---@type table<string, fun(): moonlet.Source>
M.registered = {}

local function user_folder()
  local config = require("moonlet.engine.load.config").user_path()
  return config and config:gsub("/[^/]*$", "") .. "/presets"
end

-- Maps each built-in preset to the names of its files.
local embedded = {}
for _, path in ipairs(core.script.presets()) do
  local name, file = path:match("^([^/]+)/(.+)$")
  embedded[name] = embedded[name] or {}
  table.insert(embedded[name], file)
end

local function embedded_text(name, file) return core.script.preset_file(name .. "/" .. file) end

---@param asking moonlet.Source?  preset that runs another preset; its folder is also searched
function M.folders(home, asking)
  local folders = { { path = home.top .. "/presets", label = "presets" } }
  local file = asking and asking.path
  local beside = file and (asking.folder or file):match "^(.*)/[^/]*$"
  if beside then folders[#folders + 1] = { path = beside, label = beside } end
  local user = user_folder()
  if user then folders[#folders + 1] = { path = user, label = user } end
  return folders
end

local most_files, most_bytes = 200, 8 << 20

--- Reads the files below a folder, without tests. Returns false if they exceed the limit.
local function gather(root, folder, files, tests)
  tests = tests or (folder == "." and "tests" or folder .. "/tests")
  for _, entry in ipairs(core.file.list(root, folder) or {}) do
    local path = folder == "." and entry.name or folder .. "/" .. entry.name
    if entry.type == "directory" then
      local counts = entry.name:sub(1, 1) ~= "." and path ~= tests
      if counts and not gather(root, path, files, tests) then return false end
    elseif entry.type == "file" then
      local text, _, cut = core.file.read(root, path, source_cap)
      files.count, files.bytes = files.count + 1, files.bytes + #(text or "")
      if not text or cut or files.count > most_files or files.bytes > most_bytes then
        return false
      end
      files.text[path] = text
    end
  end
  return true
end

local function hash_of(files)
  local lines = {}
  for path, text in pairs(files) do
    lines[#lines + 1] = core.text.sha256(text) .. " " .. path .. "\n"
  end
  table.sort(lines)
  return core.text.sha256(table.concat(lines))
end

local function embedded_hash(name)
  local files = {}
  for _, file in ipairs(embedded[name]) do files[file] = embedded_text(name, file) end
  return hash_of(files)
end

--- Makes the error for a missing file.
local function no_file(file)
  return record.invalid("there is no file " .. core.text.printable(file, 80))
end

--- Reads a preset's files once, so that nobody can change them after they were hashed.
local function disk_files(root, folder, main, text)
  local snapshot
  local function read(file)
    if snapshot then return snapshot[file], no_file(file) end
    if not folder then
      return nil, record.invalid(
        ("a preset of one file has no others: move it to presets/%s/init.lua first"):format(
        main:gsub("%.lua$", "")))
    end
    return core.file.read(root, folder == "." and file or folder .. "/" .. file, source_cap)
  end
  local function files()
    if snapshot then return snapshot end
    local found = { text = {}, count = 0, bytes = 0 }
    if folder and not gather(root, folder, found) then return nil end
    snapshot = {}
    for path, content in pairs(found.text) do
      snapshot[folder == "." and path or path:sub(#folder + 2)] = content
    end
    snapshot[main] = text
    return snapshot
  end
  return read, files
end

local function disk_source(folder, name)
  local root = core.file.root(folder.path)
  if not root then return nil end
  local main, inside = name .. ".lua", nil
  if not core.file.stat(root, main) then
    main, inside = name .. "/init.lua", name
    if not core.file.stat(root, main) then return nil end
  end
  local text, _, cut = assert(core.file.read(root, main, source_cap))
  if cut then record.refuse(folder.path .. "/" .. main .. " is larger than 1 MB") end
  local read, files = disk_files(root, inside, inside and "init.lua" or main, text)
  local source = { name = name, origin = folder.label .. "/" .. main, named = true, builtin = false,
    text = text, read = read,
    folder = inside and folder.path .. "/" .. inside or nil }
  function source.hash()
    local own = files()
    if not own then return nil end
    local hash = hash_of(own)
    source.builtin = inside and embedded[name] and embedded_hash(name) == hash or false
    return hash
  end
  return source
end

--- Returns a preset whose files the embedding program passed as texts, or nil.
local function host_source(name)
  local files = core.host.presets()[name]
  if not files then return nil end
  return { name = name, origin = name .. "/init.lua", named = true, builtin = false,
    text = files["init.lua"], read = function(file) return files[file], no_file(file) end,
    hash = function() return hash_of(files) end }
end

local function builtin_source(name)
  return {
    name = name, origin = "built in", builtin = true, text = embedded_text(name, "init.lua"),
    read = function(file) return embedded_text(name, file), no_file(file) end,
    code = function(file, globals, on_missing)
      return core.script.load_preset(name .. "/" .. file, globals, on_missing)
    end,
  }
end

--- Returns the built-in preset with this name, even if a folder contains a preset of the same name.
---@return moonlet.Source?
function M.built_in(name) return embedded[name] and builtin_source(name) end

--- M.open() raises the error of a preset that cannot be read.
local function listed_source(folder, name)
  local ok, source = pcall(disk_source, folder, name)
  if ok then return source end
  if type(source) ~= "table" then error(source, 0) end
  return { name = name, origin = folder.label .. "/" .. name, named = true,
    builtin = false, text = "", read = function() return nil, source end, unreadable = source }
end

--- Lists all presets by name. If a name occurs twice, the folder searched first wins.
---@return table<string, moonlet.Source>, string[] names
function M.all(home)
  local found, names = {}, {}
  local function add(source)
    if source and not found[source.name] then
      found[source.name] = source
      names[#names + 1] = source.name
    end
  end
  for name in pairs(core.host.presets()) do add(host_source(name)) end
  for _, folder in ipairs(M.folders(home)) do
    local root = core.file.root(folder.path)
    for _, entry in ipairs(root and core.file.list(root, ".") or {}) do
      local name = entry.type == "directory" and entry.name or entry.name:match("^(.+)%.lua$")
      if name and name:match("^%l[%l%d-]*$") then add(listed_source(folder, name)) end
    end
  end
  for name in pairs(embedded) do add(builtin_source(name)) end
  table.sort(names)
  return found, names
end

---@param asking moonlet.Source?  preset that runs the target
---@return moonlet.Source
function M.find(home, target, asking)
  if M.registered[target] then return M.registered[target]() end
  local given = host_source(target)
  if given then return given end
  if target:sub(-4) == ".lua" or target:find("/", 1, true) then return M.file(target) end
  for _, folder in ipairs(M.folders(home, asking)) do
    if target:match("^%l[%l%d-]*$") then
      local source = disk_source(folder, target)
      if source then return source end
    end
  end
  if embedded[target] then return builtin_source(target) end
  local _, names = M.all(home)
  record.refuse(("there is no preset '%s'"):format(core.text.printable(target, 80)),
    record.suggest(target, names))
end

---@return moonlet.Source
function M.file(path)
  local full = path:sub(1, 1) == "/" and path or core.system.cwd() .. "/" .. path
  local as_folder = core.file.root(full)
  as_folder = as_folder and core.file.stat(as_folder, "init.lua")
  if as_folder then
    full, path = full:gsub("/+$", "") .. "/init.lua", path:gsub("/+$", "") .. "/init.lua"
  end
  if full:sub(-1) == "/" then
    record.refuse(("%s is a folder, not a Lua file"):format(core.text.printable(path, 200)),
      "name a Lua file, or a preset: moonlet preset list")
  end
  local folder, name = full:match("^(.*)/([^/]+)$")
  local text, err, cut = read_path(full, source_cap)
  if not text then
    err.message = ("cannot read the script %s: %s"):format(path,
      err.message:gsub("^cannot read [^:]*: ", ""))
    err.at = path
    error(err, 0)
  end
  if cut then record.refuse(path .. " is larger than 1 MB", "a script is a small text file") end
  local root = core.file.root(folder == "" and "/" or folder)
  local read, files = disk_files(root, ".", name, text)
  return {
    name = as_folder and folder:match("[^/]*$") or name:gsub("%.lua$", ""), origin = path,
    builtin = false, text = text, path = full, read = read,
    folder = name == "init.lua" and folder or nil,
    hash = function()
      local own = files()
      return own and hash_of(own)
    end,
  }
end

local function read_own(source, file)
  local text, err = source.read(file)
  if text and not source.unhashed then source.used[file] = core.text.sha256(text) end
  return text, err
end

---@param config fun(): moonlet.Config
function M.use_prompts(source, config)
  prompts.use(source, config, function(file)
    local text = read_own(source, file)
    return text
  end)
end

local function script_m(source)
  local base = readonly.view(require "moonlet.engine.load.author_table", "m")
  local function asset(file)
    local text, err = read_own(source, tostring(file))
    if not text then
      record.refuse(("the preset has no file '%s'"):format(core.text.printable(tostring(file), 80)),
        err and err.message)
    end
    return text
  end
  local kept = core.frames.keep(asset)
  return setmetatable({}, {
    __index = function(_, key) return key == "asset" and kept or base[key] end,
    __newindex = function() error({ kind = "denied", message = "m is read-only" }, 0) end,
    __metatable = false,
  })
end

local function own_module(source, name, globals)
  if not name:match("^[%w_][%w_.-]*$") or name:find("..", 1, true) then
    record.refuse(("'%s' is not a valid module name"):format(core.text.printable(name, 80)),
      "modules are named by letters, digits, _ and .")
  end
  local file = name:gsub("%.", "/") .. ".lua"
  local code = source.code and source.code(file, globals, globals_of.refuse_read,
    globals_of.refuse_write)
  if code then return code end
  local text, err = read_own(source, file)
  if not text then
    record.refuse(("there is no module '%s'"):format(name),
      name:find "json$" and "m.json is there" or record.nearest(name, { "moonlet" })
        and "did you mean 'moonlet'?"
        or err and err.message)
  end
  return M.load(source.origin:gsub("[^/]*$", "") .. file, text, globals)
end

local function script_require(source, globals)
  local cache, loading = {}, {}
  source.forget = function(name)
    local was_there = cache[name] ~= nil
    cache[name] = nil
    return was_there
  end
  return function(name)
    if type(name) ~= "string" then record.refuse("require needs a name") end
    if name == "moonlet" then return globals.m end
    if cache[name] ~= nil then return cache[name] end
    if name:match("^moonlet%.") then
      local public = name:match("^moonlet%.([%l_]+)$")
      -- These two modules contain functions that only the loader may call.
      if public == "init" or public == "preset" then public = nil end
      local ok, module = pcall(require, public and name or "moonlet.")
      if not ok then record.refuse(("there is no module '%s'"):format(name)) end
      cache[name] = type(module) == "table" and readonly.view(module, name) or module
      return cache[name]
    end
    if loading[name] then record.refuse(("the modules require each other: %s"):format(name)) end
    loading[name] = true
    local result = own_module(source, name, globals)(name)
    loading[name] = nil
    if result == nil then
      record.refuse(("the module %s returns nothing"):format(name),
        "end it with return and what others use")
    end
    cache[name] = result
    return result
  end
end

--- Loads a script's text. `on_missing(name, environment)` returns an unknown global's value.
function M.load(origin, text, globals, on_missing)
  if text:byte(1) == 27 then record.refuse(origin .. " is bytecode; scripts are text") end
  text = text:gsub("^\xef\xbb\xbf", "")
  if text:sub(1, 1) == "#" then text = "--" .. text end
  local chunk, message = core.script.load(text, "@" .. origin, globals,
    on_missing or globals_of.refuse_read, globals_of.refuse_write)
  if chunk then return chunk end
  local line = message:match(":(%d+):")
  error({ kind = "invalid", message = "syntax error: " .. message:gsub("^.-:%d+:%s*", ""),
    at = line and origin .. ":" .. line or origin, hint = "the script was not started" }, 0)
end

function M.globals(source, args)
  local globals = { m = script_m(source), args = closed.copy(args or {}) }
  globals.require = script_require(source, globals)
  return globals
end

local function evaluation_error(source, value)
  local err = type(value) == "table" and value or nil
  if not err then
    local at, message = tostring(value):match("^(.-:%d+): (.*)$")
    err = traces.pass({ kind = "invalid", message = message or tostring(value), at = at }, value)
  end
  err.at = err.at or source.origin
  error(err, 0)
end

--- Returns the hash of an opened source: of its folder, or of the files that were read.
local function opened_hash(source)
  if source.folder then return source.hash() end
  local lines = { core.text.sha256(source.text) }
  for path, hash in pairs(source.used) do lines[#lines + 1] = hash .. " " .. path end
  table.sort(lines)
  return core.text.sha256(table.concat(lines, "\n"))
end

local function check_name(source, preset)
  if not source.named or preset.name == source.name then return end
  record.refuse(("the preset of %s calls itself '%s'"):format(source.origin, preset.name),
    ("give it the name that it is found by: name = \"%s\""):format(source.name), source.origin)
end

function M.name_warning(source, preset)
  if not preset or source.named or source.builtin then return nil end
  local file = source.path:match "([^/]+)/init%.lua$" or source.name
  if preset.name == file or preset.name == file:gsub("_", "-") then return nil end
  return ("%s: the preset calls itself '%s', and cannot be found by that name: write name = "
    .. "\"%s\", or rename the file")
    :format(source.origin, preset.name, file)
end

---@param recorded string?  the field `opened` of the record
function M.is_text(source, recorded)
  return source.builtin or source.opened ~= nil and source.opened == recorded
end

local function refuse_unreturned(source, value)
  local made, at = preset_module.last()
  local is_spec = type(value) == "table" and type(rawget(value, "run")) == "function"
  if not made and is_spec then
    record.refuse("the file returns a table with a function run, and not a preset",
      "write return m.preset { … } around it", core.text.place(value.run) or source.origin)
  end
  if not made then return end
  record.refuse(("the file makes the preset '%s' and returns %s"):format(made.name,
    value == nil and "nothing" or "a " .. type(value)), "write return m.preset { … }",
    at or source.origin)
end

local function outside_of_run(at)
  return record.invalid("ctx is used outside of run: a preset may use it only in its function",
    "move that into run = function(ctx, args) … end", at)
end

--- Guesses from the text whether the last statement returns a preset. Ignores strings and comments.
local function returns_preset(text)
  text = text:gsub("%[(=*)%[.-%]%1%]", "''"):gsub('"[^"\n]*"', "''"):gsub("%-%-[^\n]*", "")
  local last = ("\n" .. text):match "^.*\nreturn([^\n]*%.preset%s*[{(].*)$"
  return last ~= nil and not last:find "\n[%a_]"
end

--- Runs a source until it returns or reads `ctx`. Returns the preset, or resume(ctx) of a script.
---@param args string[]? arguments of a script
---@return moonlet.Preset?, (fun(ctx: moonlet.Ctx): any)? resume
function M.open(source, args)
  if source.unreadable then error(source.unreadable, 0) end
  source.used = {}
  M.use_prompts(source, function() return require("moonlet.engine.load.config").current() end)
  if source.body then
    source.opened = source.hash()
    return nil, source.body
  end
  local globals = M.globals(source, args)
  local current, is_preset, outside
  local words = globals.args
  globals.args = nil  -- only scripts have the global `args`; on_missing() supplies it
  local function on_missing(key, environment)
    if key == "args" and not is_preset then return words end
    if key ~= "ctx" or is_preset then return globals_of.refuse_read(key, environment) end
    outside = outside or core.text.place()
    if not current then core.coroutine.wait_outside() end
    return current
  end
  local chunk = source.code and source.code("init.lua", globals, on_missing,
    globals_of.refuse_write)
    or M.load(source.origin, source.text, globals, on_missing)
  preset_module.forget()
  local script = coroutine.create(function()
    local results = table.pack(xpcall(chunk, traces.handler))
    if not results[1] then error(results[2], 0) end
    return table.unpack(results, 2, results.n)
  end)
  local how, value = core.coroutine.drive(script)
  if how == "failed" then evaluation_error(source, value) end
  source.opened = not source.unhashed and opened_hash(source) or nil
  local function refuse_yield()
    record.refuse(source.origin .. " yields outside of any coroutine",
      "to wait, call ctx:sleep or another verb of ctx", source.origin)
  end
  if how == "yielded" then refuse_yield() end
  if preset_module.is(value) then
    check_name(source, value)
    is_preset = true
    return value
  end
  if how == "ended" then
    refuse_unreturned(source, value)
  elseif returns_preset(source.text) then
    error(outside_of_run(outside), 0)
  end
  return nil, function(ctx)
    if how == "ended" then return value end
    current = ctx
    local ended, result = core.coroutine.drive(script)
    if ended == "failed" then
      local err = type(result) == "table" and result or {}
      local kind = rawget(err, "kind")
      if rawget(err, "at") == nil and (kind == "invalid" or kind == "denied") then
        rawset(err, "at", source.origin)
      end
      error(result, 0)
    end
    if ended == "yielded" then refuse_yield() end
    if preset_module.is(result) then error(outside_of_run(outside), 0) end
    return result
  end
end

---@return moonlet.Preset
function M.preset(source)
  local preset = M.open(source)
  if preset then return preset end
  record.refuse(("%s returns no preset"):format(source.origin),
    "end it with: return m.preset { … }", source.origin)
end

--- Evaluates a preset for a list. A file that never ends is interrupted.
---@return boolean ok, moonlet.Preset|moonlet.Error preset
function M.try(source)
  core.script.interrupt_first(true)
  local ok, preset = pcall(M.preset, source)
  core.script.interrupt_first(false)
  if not ok then core.task.sleep(0) end
  return ok, preset
end

return M
