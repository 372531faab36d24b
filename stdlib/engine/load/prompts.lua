--- Replaces built-in prompt templates by those of the preset (its folder `prompts/`) or of the config.
--- The preset's hash covers `prompts/`. A config has `prompts = { reviewer = "reviewer.md" }`.
local record = require "moonlet.record"
local templates = require "moonlet.prompt.templates"

local M = {}

M.cap = 64 << 10

local function check(text, origin)
  if #text > M.cap then
    record.refuse(("the template %s is larger than 64 KB"):format(origin), nil, origin)
  end
  if not core.text.is_utf8(text) or text:find("\0", 1, true) then
    record.refuse(("the template %s is not UTF-8 text"):format(origin), nil, origin)
  end
  if not text:find "%S" then
    record.refuse(("the template %s is empty"):format(origin),
      "remove it to get the built-in one", origin)
  end
  return text
end
M.check = check

---@param config fun(): moonlet.Config
---@param read fun(file: string): string?  reads a file of the preset's folder
function M.use(source, config, read)
  local own_folder = source.folder or source.builtin
  templates.replace(function(role)
    local file = ("prompts/%s.md"):format(role)
    local text = own_folder and read(file)
    if text then
      local origin = source.origin:gsub("[^/]*$", "") .. file
      return check(text, origin), origin
    end
    local own = (config().prompts or {})[role]
    if own then return own, ("prompts.%s of the config"):format(role) end
  end)
end

return M
