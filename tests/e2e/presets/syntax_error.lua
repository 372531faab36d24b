local m = require "moonlet"
return m.preset {
  name = "broken"
  summary = "A comma is missing above.",
}
