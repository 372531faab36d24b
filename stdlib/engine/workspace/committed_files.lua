--- Reads files from a commit, not from the work tree. Runs no filter or hook, and fetches nothing.
local record = require "moonlet.record"
local scratch_index = require "moonlet.engine.workspace.scratch_index"

local M = {}

local most_links = 5
local env = { GIT_NO_LAZY_FETCH = "1" }

local function git(run, words, cap)
  return scratch_index.git(run, "instructions", run.top,
    { "--no-replace-objects", table.unpack(words) },
    { may_fail = true, may_cut = true, cap = cap, env = env })
end

local function refuse(exit, what)
  return nil, record.invalid(("%s: %s"):format(what, core.text.printable(exit.stderr, 300)))
end

--- Resolves a revision to the id of its commit or tree.
---@return string? id   nil if the revision does not exist
---@return table? err   set if git failed
function M.id(run, revision)
  local exit = git(run, { "rev-parse", "--verify", "--quiet", "--end-of-options",
    revision .. "^{object}" })
  if exit.code > 1 then return refuse(exit, "git cannot look for " .. revision) end
  return exit.stdout:match "^%x+"
end

---@class moonlet.Blob
---@field path string
---@field mode string
---@field id string
---@field bytes integer

--- Returns mode, id and size of these files in a commit, by path. Omits missing files.
---@param id string        id of the commit
---@param paths string[]   paths from the top of the repository
---@return table<string, moonlet.Blob>? blobs
function M.list(run, id, paths)
  local exit = git(run, { "ls-tree", "-z", "-l", "--full-tree", id, "--", table.unpack(paths) })
  if exit.code ~= 0 then return refuse(exit, "git cannot list the files of " .. id) end
  local blobs = {}
  for mode, blob, bytes, path in exit.stdout:gmatch "(%d+) blob (%x+) +(%d+)\t([^%z]+)%z" do
    blobs[path] = { path = path, mode = mode, id = blob, bytes = math.tointeger(tonumber(bytes)) }
  end
  return blobs
end

--- Resolves a path relative to another file. Returns nil if it leaves the repository.
local function beside(path, target)
  if target == "" or target:find("^[/~]") then return nil end
  local parts = {}
  for part in ((path:match "^(.*/)[^/]*$" or "") .. target):gmatch "[^/]+" do
    if part == ".." then
      if not parts[1] then return nil end
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return parts[1] and table.concat(parts, "/") or nil
end

---@class moonlet.CommittedFile
---@field path string   path after following links
---@field text string   at most `cap` bytes
---@field bytes integer

--- Reads a file. Follows symbolic links and files that only import another file (`@AGENTS.md`).
---@param id string   id of the commit
---@param blob moonlet.Blob
---@return moonlet.CommittedFile?
---@return table? err  why the file was not read
function M.read(run, id, blob, cap)
  local first = blob.path
  for _ = 0, most_links do
    local exit = git(run, { "cat-file", "blob", blob.id }, cap)
    if exit.code ~= 0 then return refuse(exit, blob.path .. " cannot be read") end
    local target = blob.mode == "120000" and exit.stdout or exit.stdout:match "^%s*@([^%s]+)%s*$"
    if not target then return { path = blob.path, text = exit.stdout, bytes = blob.bytes } end
    local path = beside(blob.path, target)
    if not path then
      return nil, record.invalid(("%s leads out of the repository, to %s"):format(blob.path,
        core.text.printable(target, 200)))
    end
    local blobs, err = M.list(run, id, { path })
    if not blobs then return nil, err end
    if not blobs[path] then
      return nil, record.invalid(("%s leads to %s, which is not a file of that commit"):format(
        first, path))
    end
    blob = blobs[path]
  end
  return nil, record.invalid(first .. " leads from link to link")
end

return M
