--- Records sessions of Gemini CLI, by the hooks in its settings.
local runner = require "moonlet.engine.runner.gemini"
local stream = require "moonlet.engine.runner.stream"
local transcript = require "moonlet.engine.task.recorded.transcript"

local M = { name = "gemini", title = "Gemini CLI",
  shows = 'its settings start it: "command": "moonlet hook gemini"' }

local kinds = { SessionStart = "begin", BeforeAgent = "prompt", AfterTool = "tool",
  SessionEnd = "end" }

function M.event(value) return transcript.event(value, kinds) end

--- Adds a user's prompt. Gemini appends the files that a prompt names with @ to the same message.
local function add_prompt(prompts, entry)
  local typed = {}
  for _, text in ipairs(transcript.texts(entry.content)) do
    if text:find("--- Content from referenced files ---", 1, true) then break end
    typed[#typed + 1] = text
  end
  transcript.add_prompt(prompts, table.concat(typed))
end

function M.read(session)
  local found, state = { prompts = {} }, runner.begin()
  local file = transcript.open(session.transcript)
  if not file then return found end
  local whole = transcript.each_entry(file, session.from, session, function(entry, line)
    if entry.type == "user" then add_prompt(found.prompts, entry) end
    if entry.type ~= "gemini" then return end
    found.model = stream.str(entry.model) or found.model
    runner.transcript(state, line)
  end)
  found.usage = state.so_far
  if found.usage and not whole then found.usage.partial = true end
  return found
end

return M
