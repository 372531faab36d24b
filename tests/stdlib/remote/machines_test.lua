-- Tests which remote machine the option `on` selects.
local machines = require "moonlet.engine.remote.machines"

local config = { machines = { big = { ssh = "big.example" }, bare = {},
  slurm = { partitions = { "short", "gpu" }, via = "ssh:big" } } }

test("on names a machine of the config or a partition of Slurm", function()
  is(machines.of(config, "ssh:big").host, "big.example", "ssh")
  is(machines.of(config, "slurm").partition, "short", "the first partition is the default")
  is(machines.of(config, "slurm:gpu").partition, "gpu", "partition")
  is(machines.of(config, "slurm").host, "big.example", "via")
end)

test("on that names no machine is refused", function()
  local wrong = { ["ssh:"] = "names no machine", ["ssh"] = "names no machine", ["slurm:"] = "names no machine",
    [""] = "names no machine", ["ssh:bigg"] = "names no machine 'bigg'", ["ssh:bare"] = "has no ssh",
    ["slurm:long"] = "no submission to the partition 'long'", ["ssh:-oProxyCommand=x"] = "names no machine '-oProxyCommand=x'" }
  for on, why in pairs(wrong) do raises(function() machines.of(config, on) end, why, on) end
end)
