--- Checks an agent's answer against the schema of its call.
local sidecar = require "moonlet.engine.agent.sidecar"

local schemas = require "moonlet.engine.runner.schema"

local M = {}

--- Parses the answer as JSON. If that fails, parses the answer's only fenced code block.
local function parse_json(text)
  local ok, value = pcall(core.json.decode, text)
  if ok then return value end
  local blocks = {}
  for block in ("\n" .. text):gmatch("\n```%w*[ \t]*\r?\n(.-)\n[ \t]*```") do
    blocks[#blocks + 1] = block
  end
  if #blocks == 1 then ok, value = pcall(core.json.decode, blocks[1]) end
  if ok then return value end
  return nil, value.message
end

--- Checks an answer against a schema. Returns the data. If the answer is invalid, returns nil, all
--- problems for the agent, and a summary in one line for people.
---@param normalise (fun(data: any, schema: table): any)?  removes what a strict schema added
function M.check(schema, text, normalise)
  if not text:find "%S" then return nil, "the answer is empty", "it is empty" end
  local data, why = parse_json(text)
  if data == nil then
    why = tostring(why):gsub("^not valid JSON at ", "")
    return nil, "the answer is not JSON: " .. why, "it is not JSON: " .. why
  end
  if normalise then data = normalise(data, schema) end
  data = schemas.shaped(data, schema)
  local problems = core.json.validate(schema, data)
  if problems then return nil, problems, schemas.in_words(problems) end
  return data
end

--- Redacts a decoded value, because JSON escapes can hide a secret in the raw output.
---@generic T
---@param value T
---@return T
function M.redacted(value)
  if type(value) == "string" then return core.run.redact(value) end
  if type(value) ~= "table" then return value end
  local renamed = {}
  for key, item in pairs(value) do
    value[key] = M.redacted(item)
    local told = type(key) == "string" and core.run.redact(key)
    if told and told ~= key then renamed[key] = told end
  end
  for key, told in pairs(renamed) do value[key], value[told] = nil, value[key] end
  return value
end

--- Builds a repair round's prompt: the call's prompt and the problems of the last answer.
function M.repair_prompt(prompt, answer, problems)
  return table.concat({
    prompt, "\n\n---\nYour last answer could not be used:\n\n", problems,
    "\n\nIt began with:\n\n", sidecar.fence(core.text.cut(answer, 4000)),
    "\n\nAnswer again, with nothing but the JSON value that is asked for.\n",
  })
end

return M
