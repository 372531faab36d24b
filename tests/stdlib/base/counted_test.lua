local counted = require "moonlet.engine.base.counted"

is(counted(1, "line"), "1 line", "one")
is(counted(0, "line"), "0 lines", "none")
is(counted(2, "process", "processes"), "2 processes", "a plural of its own")
