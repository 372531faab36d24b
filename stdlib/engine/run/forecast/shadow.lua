--- Copies a run's record to a temporary folder, the shadow, in which a forecast resumes it.
local files = require "moonlet.engine.base.files"
local temporary_dir = require "moonlet.engine.base.temporary_dir"

local M = {}

local record_cap = 256 << 20
local log_cap = 64 << 20

---@class moonlet.Shadow
---@field home moonlet.Home   home whose `.agent` is the shadow; `real` is the run's own home
---@field root any            the opened `.agent` of the shadow
---@field bring fun(dir: string)  copies the files of a step from the run
---@field read_value fun(name: string, cap: integer): string?  reads a large value of the run
---@field remove fun()

local function copy(from, to, path, cap)
  local text, err = core.file.read(from, path, cap)
  if not text then
    if err.kind ~= "invalid" then files.fail(err) end
    return
  end
  local written, why = core.file.write(to, path, text)
  if not written then files.fail(why) end
end

local function make_folder()
  local base = temporary_dir.path()
  local path = ("%s/moonlet-forecast-%s"):format(base, core.clock.random_hex(8))
  files.make_root(path)
  return path, function()
    local parent = core.file.root(base)
    if parent then core.file.remove(parent, path:match "[^/]+$") end
  end
end

--- Returns the shadow's home. The real `.agent` has no folder for a new run.
local function home_of(home, own, is_new)
  return { top = home.top, root = home.root, git = home.git, handle = own.handle, real = home,
    agent_path = is_new and own.agent_path or home.agent_path }
end

---@param id string?       nil for a new run
---@param sidecar string?  the run's folder below `.agent`
---@return moonlet.Shadow
function M.open(home, id, sidecar)
  local path, remove = make_folder()
  local ok, result = pcall(function()
    local own = core.run.home(path)
    if own.agent_path ~= core.system.real_path(path) .. "/.agent"
        and own.agent_path ~= path .. "/.agent" then
      error({ kind = "invalid",
        message = ("the folder for temporary files, %s, lies in a repository"):format(path),
        hint = "set TMPDIR to a folder outside of it" }, 0)
    end
    local root = files.make_root(own.agent_path)
    local real = id and files.root(home.agent_path)
    if id then
      files.make_root(("%s/runs/%s"):format(own.agent_path, id))
      files.make_root(("%s/%s/out"):format(own.agent_path, sidecar))
      for _, name in ipairs { "steps.jsonl", "run.json", "key" } do
        copy(real, root, ("runs/%s/%s"):format(id, name), record_cap)
      end
      copy(real, root, sidecar .. "/model.json", log_cap)
    end
    return { home = home_of(home, own, id == nil), root = root, remove = remove,
      bring = function(dir)
        if not real then return end
        files.make_root(("%s/%s/out"):format(own.agent_path, dir))
        for _, name in ipairs { "prompt.md", "stdout.log", "out/output.md" } do
          copy(real, root, dir .. "/" .. name, log_cap)
        end
      end,
      read_value = function(name, cap)
        local text = real and core.file.read(real, ("runs/%s/values/%s"):format(id, name), cap)
        return text or core.run.read_value(name, cap)
      end }
  end)
  if ok then return result end
  remove()
  error(result, 0)
end

return M
