-- Row 33: a model's output is data. Code in an answer stays a text, also where data was asked for.
-- expect: result os.execute("x")
-- allow: agents
local answer = ctx:agent { prompt = "hello", argv = { "printf", 'os.execute("x")' } }
local ok, err = pcall(function()
  return ctx:agent { name = "data", prompt = "hello", schema = { type = "array" }, argv = { "printf", "load('x')" } }
end)
assert(not ok and type(err) == "table")
return answer.text
