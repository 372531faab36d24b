--- The view of the repository that `check` of a preset gets.
local grants = require "moonlet.engine.context.grants"

---@param home table
---@param given moonlet.Grants
---@param inputs moonlet.Input[]
---@param reason string?
---@return moonlet.Look
return function(home, given, inputs, reason)
  return {
    repo = home.top, git = home.git and true or false, inputs = inputs, reason = reason,
    read = function(_, path, look)
      grants.check_read(given, path)
      return core.file.read(home.root, path, look and look.cap or 1 << 20)
    end,
  }
end
