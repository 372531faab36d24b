local fields = require "moonlet.engine.agent.fields"
local reference = require "moonlet.engine.cli.doc.reference"
local record = require "moonlet.record"

test("the types for editors have the fields of ctx:agent", function()
  local known = {}
  for _, field in ipairs(reference.fields "moonlet.AgentCall") do
    known[field.name] = true
    is(fields.all[field.name] ~= nil, true, "ctx:agent knows " .. field.name)
  end
  for name in pairs(fields.all) do is(known[name], true, "meta/agent.lua has " .. name) end
end)

test("exactly the fields with an input change the input hash of a step", function()
  local sample = { string = "x", list = { "x" }, table = { type = "string" }, boolean = true, duration = "9s", integer = 9 }
  local function input_with(name, value)
    local job = { call = { prompt = "Do it." }, run = { options = {} }, runner = { name = "codex" }, sandbox = "read-only" }
    job.call[name] = value
    -- The run resolves these fields, so the test puts them into the job directly.
    if name == "runner" then job.runner = { name = value } end
    if name == "model" or name == "argv" or name == "sandbox" or name == "prompt_tokens" or name == "on" then
      job[name] = value
    end
    return core.json.encode(fields.input_of(job))
  end
  local plain = input_with("name", nil)
  for name, field in pairs(fields.all) do
    local changed = input_with(name, sample[field.type:gsub("!", "")]) ~= plain
    is(changed, field.input ~= false, name)
  end
end)

test("a field of a wrong type is refused", function()
  for name, kind in pairs(fields.types) do
    local call = { prompt = "Do it." }
    call[name] = function() end
    is(pcall(record.check, call, fields.types, "ctx:agent"), false, name .. ", which is a " .. kind)
  end
end)
