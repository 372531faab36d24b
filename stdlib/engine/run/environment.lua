--- Builds the environment of a run's children.
local plain_environment = require "moonlet.engine.base.plain_environment"
local record = require "moonlet.record"
local trace = require "moonlet.engine.run.trace"

local M = {}

local function as_list(env)
  local list = {}
  for name, value in pairs(env) do
    if value:find("\0", 1, true) then record.refuse(("env.%s contains a NUL byte"):format(name)) end
    list[#list + 1] = name .. "=" .. value
  end
  table.sort(list)
  return list
end

local plain = plain_environment.map

function M.plain(extra)
  local env = plain()
  for name, value in pairs(extra) do env[name] = value end
  return as_list(env)
end

function M.add(run)
  --- Returns the environment of a child: PATH, HOME and the like, granted variables, and `extra`.
  function run.child_environment(extra, names)
    local env = plain()
    env.TRACEPARENT = trace.of_children(run)
    for name in pairs(run.grants.env) do env[name] = core.system.env(name) end
    for _, name in ipairs(names or {}) do env[name] = core.system.env(name) end
    for name, value in pairs(extra or {}) do
      if type(name) ~= "string" or name == "" or name:find("[=%z]") then
        record.refuse("env: names of variables are texts without '='")
      end
      if value == false then
        env[name] = nil
      elseif type(value) ~= "string" and not math.type(value) then
        record.refuse(("env.%s must be text"):format(name))
      else
        env[name] = tostring(value)
      end
    end
    return as_list(env)
  end
end

return M
