--- `local m = require "moonlet"`: what presets and scripts build with. Nothing here does anything
--- by itself: everything that acts is a verb of ctx.
local M = {}

M.null = core.json.null
M.json = { encode = core.json.encode, decode = core.json.decode }
M.arg = require "moonlet.arg"
M.preset = require("moonlet.preset").preset

--- Marks a list so that it stays a JSON array even when it is empty.
---@param list table?
---@return table
function M.array(list)
  return core.json.array(list or {})
end

--- Modules that load when first used.
local lazy = {
  duration = true, facts = true, findings = true, git = true, merge = true, prompt = true, record = true,
}

return setmetatable(M, {
  __index = function(_, name)
    if not lazy[name] then return nil end
    local module = require("moonlet." .. name)
    M[name] = module
    return module
  end,
})
