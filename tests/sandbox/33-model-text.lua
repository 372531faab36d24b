-- The output of a model is data. Code in an answer is never executed, even when the caller asked for data.
-- expect: result os.execute("x")
-- allow: agents
local answer = ctx:agent { prompt = "hello", argv = { "printf", 'os.execute("x")' } }
local ok, err = pcall(function()
  return ctx:agent { name = "data", prompt = "hello", schema = { type = "array" }, argv = { "printf", "load('x')" } }
end)
assert(not ok and type(err) == "table")
return answer.text
