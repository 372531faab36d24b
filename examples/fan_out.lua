-- A script: it returns no preset, so it runs with ctx, m and args as globals.
--   moonlet run examples/fan_out.lua --allow run=wc README.md LICENSE
local m = m

local counts = ctx:parallel(args, function(c, file)
  local result = c:exec { "wc", "-l", "--", file }
  if result.code ~= 0 then
    error { kind = "failed", message = ("cannot count %s: %s"):format(file, result.stderr) }
  end
  return { file = file, lines = tonumber(result.stdout:match "%d+") }
end, { limit = 4 })

return { counts = m.array(counts) }
