local exit_text = require "moonlet.engine.base.exit_text"

test("each kind of process exit has a description", function()
  for _, case in ipairs {
    { { why = "exited", code = 3, signal = 0 }, nil, "ended with exit code 3" },
    { { why = "signalled", code = -1, signal = 9 }, nil, "was ended by signal 9" },
    { { why = "wall" }, { wall = 2000 }, "did not finish within 2s and was ended" },
    { { why = "wall" }, nil, "did not finish in time and was ended" },
    { { why = "idle" }, { idle = 3000 }, "printed nothing for 3s and was ended" },
    { { why = "idle" }, { wall = 3000 }, "printed nothing for too long and was ended" },
    { { why = "cancelled" }, nil, "was ended with its keeper" },
    { { why = "lost" }, nil, "was lost: its keeper died" },
    { { why = "not_started" }, nil, "could not be started" },
  } do
    is(exit_text.of(case[1], case[2]), case[3], case[1].why)
  end
end)
