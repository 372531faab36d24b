--- Restricts a writing agent to certain files, folders and globs (`edits` of ctx:agent).
--- The paths are relative to the top of the repository.
local glob = require "moonlet.glob"
local record = require "moonlet.record"

local M = {}

local function normal(path)
  path = path:gsub("^%./+", ""):gsub("/+$", "")
  return path == "." and "" or path
end

--- Rejects a path that cannot be in the repository.
---@param edits any[]
function M.check(edits)
  for i, path in ipairs(edits) do
    if type(path) ~= "string" or path == "" or path:sub(1, 1) == "/" or path:find("\0", 1, true)
      or ("/" .. path .. "/"):find("/../", 1, true) then
      error(record.invalid(("ctx:agent: edits[%d] is not a path of the repository: '%s'"):format(i,
        core.text.printable(tostring(path), 80)), "write it relative to the top, without .."), 0)
    end
  end
end

--- Returns the paths that `edits` does not cover, in their given order.
---@param paths string[]  a folder's path ends with "/"
function M.outside(edits, paths)
  local roots, folders, fits, list = {}, {}, {}, {}
  for i, path in ipairs(edits) do
    roots[i] = normal(path)
    if glob.is_glob(path) then
      fits[#fits + 1] = glob.compile(roots[i])
      fits[#fits + 1] = glob.compile(roots[i] .. "/**")
      -- A glob matches files only, so allow new folders anywhere below the glob's fixed prefix.
      local root = glob.root(roots[i])
      if root ~= "" or roots[i]:sub(1, 3) == "**/" then folders[#folders + 1] = root end
    end
  end
  local function lies_in(path, some)
    for _, root in ipairs(some) do
      if root == "" or path == root or path:sub(1, #root + 1) == root .. "/" then return true end
    end
    return false
  end
  local function is_inside(path, is_folder)
    if lies_in(path, roots) or is_folder and lies_in(path, folders) then return true end
    for _, fit in ipairs(fits) do
      if fit(path) then return true end
    end
    return false
  end
  for _, path in ipairs(paths) do
    if not is_inside(normal(path), path:sub(-1) == "/") then list[#list + 1] = path end
  end
  return list
end

--- Returns the error of a step that changed files outside of `edits`.
---@param paths string[]  files outside of `edits`
---@param where string    phrase for the message that says where the changes are now
function M.error(edits, paths, where)
  local shown = {}
  for i = 1, math.min(#paths, 8) do shown[i] = core.text.printable(paths[i], 200) end
  local allowed = {}
  for i, path in ipairs(edits) do allowed[i] = core.text.printable(path, 100) end
  return { kind = "failed", class = "failed",
    message = ("the agent changed %s%s, but may change %s: %s"):format(table.concat(shown, ", "),
      #paths > 8 and (" and %d more"):format(#paths - 8) or "",
      allowed[1] and "only " .. table.concat(allowed, ", ") or "nothing", where) }
end

return M
