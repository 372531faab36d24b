--- Records turns of opencode by its plugin, which sends only counts and the user's prompts.
local stream = require "moonlet.engine.runner.stream"
local transcript = require "moonlet.engine.task.recorded.transcript"
local usage = require "moonlet.engine.runner.usage"

local M = { name = "opencode", title = "opencode", by_turn = true,
  shows = "its plugin starts it, which moonlet hook opencode --plugin prints" }

local kinds = { ["chat.message"] = "begin", ["tool.execute.after"] = "tool",
  ["session.idle"] = "end", ["permission.rejected"] = "denied" }

function M.event(value)
  local event = transcript.event(value, kinds)
  if not event then return nil end
  event.file, event.cwd = stream.str(value.file), stream.str(value.cwd)
  event.prompts, event.answers = stream.tbl(value.prompts), stream.tbl(value.answers)
  return event
end

function M.read(session)
  local found, seen = { prompts = {} }, {}
  for _, text in ipairs(session.prompts or {}) do transcript.add_prompt(found.prompts, text) end
  for _, answer in ipairs(session.answers or {}) do
    local id, tokens = stream.str(stream.at(answer, "id")), stream.tbl(stream.at(answer, "tokens"))
    local input = tokens and stream.count(tokens.input)
    if id and input and not seen[id] then
      seen[id] = true
      found.model = answer.sub ~= true and stream.str(answer.model) or found.model
      local read = stream.count(stream.at(tokens, "cache", "read")) or 0
      local made = stream.count(stream.at(tokens, "cache", "write")) or 0
      local output, thoughts = stream.count(tokens.output), stream.count(tokens.reasoning)
      local cost = stream.amount(answer.cost)
      found.usage = usage.add(found.usage,
        usage.of { input_tokens = input + read + made, cached_input_tokens = read,
        output_tokens = output and output + (thoughts or 0), reasoning_output_tokens = thoughts,
        cost_usd = cost and cost > 0 and cost or nil })
    end
  end
  return found
end

function M.plugin() return require("moonlet.engine.task.recorded.opencode_plugin") end

return M
