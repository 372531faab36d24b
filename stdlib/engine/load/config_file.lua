local config = require "moonlet.engine.load.config"
local record = require "moonlet.record"
local runners = require "moonlet.engine.load.runners"

local M = {}

local source_cap = 1 << 20

local function by_hand(path, runner, why)
  record.refuse(("%s: %s"):format(path, why),
    ('write runner = "%s", into it by hand'):format(runner))
end

--- Returns the config's text with a new default runner, or nil if the place is ambiguous.
function M.with_runner(text, runner)
  local line = ('runner = "%s"'):format(runner)
  -- Match an indent of at most two spaces, because settings in nested tables have a longer indent.
  local changed, count = text:gsub('(\n ? ?)runner%s*=%s*"[^"\n]*"', function(before)
    return before .. line
  end)
  if count == 1 then return changed end
  if count > 1 then return nil end
  changed, count = text:gsub('(%f[%w_]return%s*{%s*)runner%s*=%s*"[^"\n]*"', function(before)
    return before .. line
  end)
  if count == 1 then return changed end
  changed, count = text:gsub("(%f[%w_]return%s*{)", function(before)
    return before .. "\n  " .. line .. ","
  end)
  return count == 1 and changed or nil
end

---@param runner string  a value of --runner
---@return string path, string line
function M.set_runner(runner)
  runners.parse(runner, config.current())
  local path = config.user_path()
  if not path then
    record.refuse("neither HOME nor XDG_CONFIG_HOME names a folder for the config")
  end
  path = core.system.real_path(path) or path
  local folder, name = path:match "^(.*)/([^/]+)$"
  local root = assert(core.file.make_root(folder))
  local text = core.file.read(root, name, source_cap)
  local changed = M.with_runner(text or "return {\n}\n", runner)
  if not changed then
    by_hand(path, runner, "it is not clear where in the file the runner is set")
  end
  local ok, read = pcall(config.read, changed, path)
  if not ok or read.runner ~= runner then
    by_hand(path, runner, "it cannot be changed by a program")
  end
  assert(core.file.write(root, name, changed))
  return path, ('runner = "%s"'):format(runner)
end

return M
