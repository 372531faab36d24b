--- Builds the read-only view of the repository that a preset's `check` function gets.
local grants = require "moonlet.engine.context.grants"

---@return moonlet.Look
return function(home, given, inputs, reason, prompt_tokens)
  return {
    repo = home.top, git = home.git and true or false, inputs = inputs, reason = reason,
    prompt_tokens = prompt_tokens,
    read = function(_, path, look)
      grants.check_read(given, path)
      return core.file.read(home.root, path, grants.read_cap("look:read", look and look.cap))
    end,
  }
end
