--- Manages the git work trees in which a client may work: those of the client's roots, or that of the
--- working directory. Refuses a path outside of these work trees.
local repository = require "moonlet.engine.run.repository"

local M = {}

---@class moonlet.McpPlaces
---@field homes table[]   from repository.open(); the first is the default
local Places = {}
Places.__index = Places

local function path_of(uri)
  local path = type(uri) == "string" and uri:match "^file://[^/]*(/.*)$"
  return path and not path:find("%%00") and (path:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)) or nil
end

local function opened(folders)
  local homes, seen = {}, {}
  for _, folder in ipairs(folders) do
    local ok, home = pcall(repository.open, folder)
    if ok and not seen[home.top] then
      seen[home.top] = true
      -- A client works at the top of the work tree, even if its root is a subfolder.
      home.from = home.top
      homes[#homes + 1] = home
    end
  end
  return homes
end

--- Returns the work tree of the working directory, for a client without roots.
---@return moonlet.McpPlaces
function M.of_cwd()
  return setmetatable({ homes = opened { core.system.cwd() } }, Places)
end

--- Replaces the served work trees by those of the client's roots. Ignores invalid roots.
---@param roots any   from roots/list
function Places:take_roots(roots)
  local folders = {}
  for _, root in ipairs(type(roots) == "table" and roots or {}) do
    folders[#folders + 1] = type(root) == "table" and path_of(root.uri) or nil
  end
  local homes = opened(folders)
  if #homes > 0 then self.homes = homes end
end

local function beneath(top, path) return path == top or path:sub(1, #top + 1) == top .. "/" end

--- Finds the work tree that a call names. The default is the first work tree.
---@param path string?
---@return table home
function Places:find(path)
  local home = self.homes[1]
  if not home then
    error({ kind = "invalid", message = "the server has no folder to work in",
      hint = "start it in a repository" }, 0)
  end
  if path == nil then return home end
  local real = core.system.real_path(path)
  for _, candidate in ipairs(real and self.homes or {}) do
    if beneath(core.system.real_path(candidate.top) or candidate.top, real) then
      return candidate
    end
  end
  local tops = {}
  for i, candidate in ipairs(self.homes) do tops[i] = candidate.top end
  error({ kind = "denied", message = ("%s is outside of the folders that are served")
    :format(core.text.printable(path, 200)),
    hint = "served: " .. core.text.printable(table.concat(tops, ", "), 800) }, 0)
end

return M
