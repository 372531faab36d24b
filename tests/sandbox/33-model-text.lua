-- Row 33: a model's output is data. Code in an answer stays a text, also where data was asked for.
-- expect: result os.execute("x")
local answer = ctx:agent { prompt = "hello", rules = function() return 'os.execute("x")' end }
local ok, err = pcall(function()
  return ctx:agent { name = "data", prompt = "hello", schema = { type = "array" }, rules = function() return "load('x')" end }
end)
assert(not ok and type(err) == "table")
return answer.text
