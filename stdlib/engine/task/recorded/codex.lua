--- Records turns of Codex, by the program in its setting `notify`, which starts after a turn.
local conversation = require "moonlet.engine.session.conversation"
local grammar = require("moonlet.engine.runner.codex").screen
local stream = require "moonlet.engine.runner.stream"
local transcript = require "moonlet.engine.task.recorded.transcript"
local usage = require "moonlet.engine.runner.usage"

local M = { name = "codex", title = "Codex", by_turn = true,
  shows = 'its config starts it: notify = ["moonlet", "hook", "codex"]' }

local shortest_id = 8

function M.event(value)
  local thread, turn = stream.str(value["thread-id"]), stream.str(value["turn-id"])
  if not thread or not turn or #thread < shortest_id then return nil end
  local prompts = {}
  for _, text in ipairs(stream.tbl(value["input-messages"]) or {}) do
    transcript.add_prompt(prompts, text)
  end
  return { session = thread, name = stream.str(value.type) or "",
    kind = value.type == "agent-turn-complete" and "end" or "other", turn = turn,
    cwd = stream.str(value.cwd), prompts = prompts }
end

local function thread_usage(entry)
  return entry.type == "event_msg" and stream.at(entry, "payload", "type") == "token_count"
    and stream.tbl(stream.at(entry, "payload", "info", "total_token_usage")) or nil
end

local function note_prompt(found, payload)
  local item = payload.type == "item_completed" and stream.tbl(payload.item) or {}
  local texts = item.type == "UserMessage" and transcript.texts(item.content)
    or payload.type == "user_message" and transcript.texts(payload.message) or {}
  if texts[1] then transcript.add_prompt(found.prompts, table.concat(texts, "\n")) end
end

--- Adds one entry of the thread's transcript to the facts about a turn.
--- Entries outside of the turn supply only the commit and the usage before the turn.
local function note(found, entry, turn)
  local payload = stream.tbl(entry.payload) or {}
  local at = type(entry.timestamp) == "string" and core.clock.parse(entry.timestamp) or nil
  local now = thread_usage(entry)
  if entry.type == "session_meta" then
    found.commit = found.commit or stream.str(stream.at(payload, "git", "commit_hash"))
  end
  if payload.type == "task_started" then
    found.inside = payload.turn_id == turn
    if found.inside then found.began_ms = at end
  end
  if entry.type == "turn_context" and payload.turn_id == turn then
    found.model = stream.str(payload.model)
  end
  if found.inside then note_prompt(found, payload) end
  if now and found.inside then found.usage = usage.codex(now, found.before) end
  if now and not found.inside and not found.ended_ms then found.before = now end
  if payload.type == "task_complete" and payload.turn_id == turn then
    found.ended_ms, found.inside = at, false
  end
end

function M.read(session)
  local found = { prompts = {} }
  local file = conversation.transcript(grammar, session.id)
  local info = file and core.file.stat(file.root, file.path)
  -- Codex passes the messages of the whole thread. The last message belongs to this turn.
  if not info or info.type ~= "file" then
    local given = session.prompts or {}
    return { prompts = { given[#given] } }
  end
  local whole = transcript.each_line(file, 0, function(line)
    -- Parse only the needed lines, because most lines contain answers or output of tools.
    local is_of_use = line:find('"token_count"', 1, true) or line:find('"task_', 1, true)
      or line:find('"turn_context"', 1, true) or line:find('"session_meta"', 1, true)
      or line:find('"UserMessage"', 1, true) or line:find('"user_message"', 1, true)
    local entry = is_of_use and transcript.entry(line)
    if entry then note(found, entry, session.turn) end
  end)
  if found.usage and not whole then found.usage.partial = true end
  return found
end

return M
