--- Describes a file by its path only: documentation, code, configuration, test or generated file.
--- Whole words of the path are compared, so "tokenizer" does not count as "token".

local data = require "moonlet.paths.data"

local find, gsub, lower, match, sub = string.find, string.gsub, string.lower,
  string.match, string.sub

---@class moonlet.paths
local M = {}

---@class moonlet.paths.Description
---@field path string
---@field dir string          "" at the top
---@field name string
---@field stem string         the name without its last extension
---@field ext string          lower case, "" if there is none
---@field kind string         docs, asset, code, config, data, lock, binary or unknown
---@field language string?    for code and configuration
---@field test boolean        a test or its data
---@field fixture boolean     data that tests read
---@field generated boolean   written or copied by a program: vendored, minified, snapshots
---@field words table<string, boolean> every word of the path, lower case

--- Splits a path into lower-case words, at punctuation and where the case changes.
--- ```lua
--- require("moonlet.paths").words("src/readFile.c").file --> true
--- ```
---@param text string
---@return table<string, boolean>
function M.words(text)
  local spaced = gsub(text, "(%l)(%u)", "%1 %2")
  spaced = gsub(spaced, "(%u)(%u%l)", "%1 %2")
  local result = {}
  for word in string.gmatch(lower(spaced), "[%a][%w]*") do result[word] = true end
  return result
end

--- Splits a path into its folder and its file name.
--- ```lua
--- require("moonlet.paths").split "src/io/a.c" --> "src/io", "a.c"
--- ```
---@param path string
---@return string dir "" at the top
---@return string name
function M.split(path)
  local dir, name = match(path, "^(.*)/([^/]*)$")
  if dir then return dir, name end
  return "", path
end

--- Returns the package manager of a lock file by the file's name, such as "node" or "cargo".
--- ```lua
--- require("moonlet.paths").lock "Cargo.lock" --> "cargo"
--- ```
---@param name string
---@return string?
function M.lock(name) return data.locks[lower(name)] end

local function any_dir(dirs, wanted)
  for dir in string.gmatch(dirs, "[^/]+") do
    if wanted[dir] then return true end
  end
  return false
end

-- Describes a folder once for all files in it. A change has few folders, so the cache stays small.
local function describe_dir(dir, cache)
  local known = cache[dir]
  if not known then
    local dirs = lower(dir)
    known = {
      test = any_dir(dirs, data.test_dirs), fixture = any_dir(dirs, data.fixture_dirs),
      vendor = any_dir(dirs, data.vendor_dirs), docs = any_dir(dirs, data.doc_dirs),
    }
    cache[dir] = known
  end
  return known
end

-- Reports whether the file name follows a naming convention for tests.
local function is_test(low, name)
  if find(low, "^test[_.-]") or find(low, "[_.-]tests?%.[%w]+$") or find(low, "[_.-]spec%.[%w]+$")
    or find(low, "[_.-]tests?%.[%w]+%.[%w]+$") or low == "conftest.py"
      or find(low, "[_.-]cy%.[jt]sx?$") then
    return true
  end
  return find(name, "%l%d*Tests?%.%a+$") ~= nil or find(name, "^Test%u.*%.%a+$") ~= nil
end

local function read_by_tools(low)
  return data.not_docs[low] and low ~= "cmakelists.txt"
    or find(low, "^requirements[%w_.-]*%.txt$") ~= nil
    or find(low, "^constraints[%w_.-]*%.txt$") ~= nil
end

-- Reports whether the file is a manual page, such as doc/fd.1 or man/man5/git.5.
local function is_manual_page(folder, ext) return folder.docs and find(ext, "^[1-9]$") ~= nil end

local function docs_name(name, low, stem, ext)
  if name == "install" then return false end  -- `install` is a script, but `INSTALL` is a document
  if data.not_docs[low] or read_by_tools(low) then return false end
  if data.docs_ext[ext] then return true end
  local bare = gsub(stem, "-.*$", "")
  local may_be = ext == "" or not (data.languages[ext] or data.config[ext])
  return may_be and (data.docs_name[low] or data.docs_name[bare]) or false
end

--- Describes a file by its path only.
--- ```lua
--- local d = require("moonlet.paths").describe "tests/io_test.py"
--- d.language --> "python"
--- d.test --> true
--- ```
---@param path string
---@param cache table? reused between calls, so that each folder is described once
---@return moonlet.paths.Description
function M.describe(path, cache)
  local dir, name = M.split(path)
  local low, folder = lower(name), describe_dir(dir, cache or {})
  local stem, ext = match(low, "^(.+)%.([^.]+)$")
  stem, ext = stem or low, ext or ""
  local d = { path = path, dir = dir, name = name, stem = stem, ext = ext }
  d.fixture = folder.fixture
  d.test = folder.test or folder.fixture or is_test(low, name)
  d.generated = folder.vendor or find(low, "%.min%.[jc]ss?$") ~= nil or ext == "map"
    or ext == "snap"
    or find(low, "[._]pb%.[%w]+$") ~= nil or find(low, "_pb2%.py$") ~= nil
      or find(low, "%.generated%.") ~= nil
  d.in_docs = folder.docs
  local docker = find(low, "^dockerfile") or find(low, "^containerfile") or ext == "dockerfile"
  if data.locks[low] then
    d.kind, d.language, d.generated = "lock", data.locks[low], true
  elseif docs_name(name, low, stem, ext) or is_manual_page(folder, ext) then
    -- Plain text in a test folder is input or expected output of a test, so it is data.
    d.kind, d.test = "docs", d.fixture or (ext ~= "md" and ext ~= "rst" and folder.test)
    if d.test and not data.docs_name[stem] then d.kind = "data" end
    if d.kind == "docs" then d.test = false end
  elseif read_by_tools(low) or data.named_config[low] then
    d.kind, d.language = "config", data.named_config[low] or "ini"
  elseif data.named[low] or docker then
    d.kind, d.language = "code", data.named[low] or "docker"
  elseif data.languages[ext] then
    d.kind, d.language = "code", data.languages[ext]
  elseif data.config[ext] then
    d.kind, d.language = "config", data.config[ext]
  elseif data.asset_ext[ext] then
    d.kind = "asset"
  elseif data.binary_ext[ext] then
    d.kind = "binary"
  elseif data.data_ext[ext] then
    d.kind = "data"
  elseif sub(low, 1, 1) == "." then
    d.kind, d.language = "config", "ini"
  else
    d.kind = "unknown"
  end
  return d
end

--- Returns the words of the described path. They are computed on first use.
--- ```lua
--- local paths = require "moonlet.paths"
--- paths.words_of(paths.describe "src/auth/login.c").auth --> true
--- ```
---@param d moonlet.paths.Description
---@return table<string, boolean>
function M.words_of(d)
  d.words = d.words or M.words(d.path)
  return d.words
end

return M
