--- Builds the table for `require "moonlet"`: the public library, m.route and m.runner.
local public = require "moonlet"

local provided = { route = "moonlet.engine.load.route", runner = "moonlet.engine.runner.reader" }

return setmetatable({}, {
  __index = function(library, name)
    local module = provided[name]
    local value
    if module then value = require(module) else value = public[name] end
    rawset(library, name, value)
    return value
  end,
  __pairs = function(library)
    for name in pairs(provided) do local _ = library[name] end
    for name in pairs(public) do local _ = library[name] end
    return next, library, nil
  end,
})
