local m = require "moonlet"

return m.preset {
  name = "runtime-error",
  summary = "Indexes nil.",
  run = function()
    local nothing
    return nothing.field
  end,
}
