--- The library that presets and scripts load with `local m = require "moonlet"`.
--- The functions of `m` have no side effects. Only the methods of ctx have side effects.
---@class moonlet.m
---@field arg moonlet.arg
---@field duration moonlet.duration
---@field facts moonlet.facts
---@field findings moonlet.findings
---@field git moonlet.git
---@field glob moonlet.glob
---@field merge moonlet.merge
---@field pack moonlet.pack
---@field pattern moonlet.pattern
---@field patterns moonlet.patterns
---@field prompt moonlet.prompt
---@field record moonlet.record
---@field schema moonlet.schema
local M = {}

M.null = core.json.null
M.json = { encode = core.json.encode }

-- If the JSON text has a syntax error, report the script line that called this function.
function M.json.decode(text)
  local ok, value = pcall(core.json.decode, text)
  if ok then return value end
  if type(value) == "table" and value.kind == "invalid" then
    value.at = core.text.place()
    value.hint = value.hint or "an agent call with a schema gives its answer decoded, as data"
  end
  error(value, 0)
end
M.arg = require "moonlet.arg"
M.preset = require("moonlet.preset").preset

--- Marks a list so that it stays a JSON array even when it is empty.
--- ```lua
--- m.json.encode { bugs = m.array {} } --> '{"bugs":[]}'
--- ```
---@generic T
---@param list T[]?
---@return T[]
function M.array(list) return core.json.array(list or {}) end

--- Reports whether a value stands for a failed branch.
--- ```lua
--- local results = ctx:parallel({ "src/a.lua", "gone.lua" }, function(c, path)
---   if path == "gone.lua" then m.fail { message = "no " .. path } end
---   return c:read(path)
--- end, { need = 1 })
--- m.is_lost(results[1]) --> false
--- m.is_lost(results[2]) --> true
--- ```
---@param value any
---@return boolean
function M.is_lost(value) return core.lost.record(value) ~= nil end

--- Returns the results of a fan-out's successful branches, and the items of these branches.
--- Errors: `invalid` an argument that is not a list.
--- ```lua
--- local files = { "src/a.lua", "gone.lua" }
--- local results = ctx:parallel(files, function(c, path)
---   if path == "gone.lua" then m.fail { message = "no " .. path } end
---   return path:upper()
--- end, { need = 1 })
--- local found, theirs = m.found(results, files)
--- found[1] --> "SRC/A.LUA"
--- theirs[1] --> "src/a.lua"
--- ```
---@generic R, T
---@param results R[]
---@param items T[]?
---@return R[] results
---@return T[]? items
function M.found(results, items)
  local record = require "moonlet.record"
  if type(results) ~= "table" or items ~= nil and type(items) ~= "table" then
    core.lost.refuse(results)
    record.refuse("m.found takes the results of a fan-out and, if wanted, its items",
      "m.found(results, items)")
  end
  local found, theirs = core.json.array {}, items and core.json.array {}
  for i = 1, #results do
    if not M.is_lost(results[i]) then
      found[#found + 1] = results[i]
      if items then theirs[#found] = items[i] end
    end
  end
  return found, theirs
end

local kinds = { invalid = true, failed = true, rejected = true, denied = true }

---@class moonlet.Failure
---@field kind "invalid"|"failed"|"rejected"|"denied"|nil  any other kind becomes "failed"
---@field message string
---@field hint string?   the remedy

--- Raises an error with a hint for the user.
--- Errors: the given error.
--- ```lua
--- local ok, err = pcall(m.fail, { kind = "invalid", message = "no such branch", hint = "name one with --branch" })
--- err.hint --> "name one with --branch"
--- ```
---@param failure moonlet.Failure
function M.fail(failure)
  local record = require "moonlet.record"
  record.check(failure, { kind = "string", message = "string!", hint = "string" }, "m.fail")
  error({ kind = kinds[failure.kind] and failure.kind or "failed", message = failure.message,
    hint = failure.hint, at = core.text.place() }, 0)
end

-- `m` loads these modules on first use.
-- Few presets need paths, secrets, redaction, lenses or text, which have to be required by name.
-- `m.record` checks a preset's own options.
local lazy = {
  duration = true, facts = true, findings = true, git = true, glob = true, merge = true,
  pack = true, pattern = true, patterns = true, prompt = true, record = true, schema = true,
}

return setmetatable(M, {
  __index = function(_, name)
    if not lazy[name] then return nil end
    local module = require("moonlet." .. name)
    M[name] = module
    return module
  end,
  __pairs = function(self)
    for name in next, lazy do local _ = self[name] end
    return next, self, nil
  end,
})
