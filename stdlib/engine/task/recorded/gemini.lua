--- Records sessions of Gemini CLI, by the hooks in its settings.
local runner = require "moonlet.engine.runner.gemini"
local stream = require "moonlet.engine.runner.stream"
local transcript = require "moonlet.engine.task.recorded.transcript"

local M = { name = "gemini", title = "Gemini CLI",
  shows = 'its settings start it: "command": "moonlet hook gemini"' }

local margin_ms = 5000  -- the agent may write the first prompt before its first hook runs

local kinds = { SessionStart = "begin", BeforeAgent = "prompt", AfterTool = "tool",
  SessionEnd = "end" }

--- Returns the event in a hook's input, or nil if the input names no session or event.
function M.event(value)
  local session, name = stream.str(value.session_id), stream.str(value.hook_event_name)
  if not session or not name then return nil end
  local input = stream.tbl(value.tool_input) or {}
  return { session = session, name = name, kind = kinds[name] or "other",
    tool = stream.str(value.tool_name), file = stream.str(input.file_path),
    transcript = stream.str(value.transcript_path) }
end

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
  local since = session.began_ms and session.began_ms - margin_ms
  local from = session.from <= file.size and session.from or 0
  local whole = transcript.each_line(file, from, function(line)
    local entry = transcript.entry(line)
    if not entry or not transcript.is_since(entry, since) then return end
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
