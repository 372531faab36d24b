local m = require "moonlet"

return m.preset {
  name = "unknown-key",
  sumary = "The key is misspelt.",
  run = function() end,
}
