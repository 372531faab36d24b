local closed = require "moonlet.engine.context.closed"

local M = {}

local views = setmetatable({}, { __mode = "k" })

local function refuse()
  error({ kind = "denied", message = "the standard library is read-only",
    hint = "keep functions of your own in a table of your own" }, 0)
end

local function is_data(value, depth)
  if getmetatable(value) ~= nil and not core.json.is_array(value) then return false end
  for _, item in pairs(value) do
    if type(item) == "function" then return false end
    if type(item) == "table" and (depth > 32 or not is_data(item, depth + 1)) then return false end
  end
  return true
end

local function shown(value, name)
  if type(value) ~= "table" then return value end
  if is_data(value, 0) then return closed.copy(value) end
  return M.view(value, name)
end

local function unknown(module, name, key)
  local known = {}
  for own in pairs(module) do known[own] = true end
  local record = require "moonlet.record"
  record.refuse(("%s has no '%s'"):format(name, core.text.printable(tostring(key), 80)),
    record.hint(tostring(key), known))
end

-- Returns a view of a module. Functions are cached, and data is copied at each access.
local function window(module, name)
  return setmetatable({}, { __index = function(self, key)
    local value = shown(module[key], ("%s.%s"):format(name, tostring(key)))
    if value == nil then unknown(module, name, key) end
    if type(value) ~= "function" then return value end
    local kept = core.frames.keep(value)
    rawset(self, key, kept)
    return kept
  end })
end

---@param name string  the module's name in messages
function M.view(module, name)
  local view = views[module]
  if view then return view end
  view = setmetatable({}, {
    __index = window(module, name),
    __newindex = refuse,
    __pairs = function(self)
      local step = pairs(module)
      local at
      return function()
        local value
        at, value = step(module, at)
        return at, shown(value, ("%s.%s"):format(name, tostring(at)))
      end, self, nil
    end,
    __metatable = false,
  })
  views[module] = view
  return view
end

return M
