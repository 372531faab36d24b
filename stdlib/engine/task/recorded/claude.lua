--- Records sessions of Claude Code, by the hooks in its settings.
local stream = require "moonlet.engine.runner.stream"
local transcript = require "moonlet.engine.task.recorded.transcript"
local usage = require "moonlet.engine.runner.usage"

local M = { name = "claude", title = "Claude Code",
  shows = 'its settings start it: "command": "moonlet hook claude"' }

local most_messages = 200000

local kinds = { SessionStart = "begin", UserPromptSubmit = "prompt", PostToolUse = "tool",
  SessionEnd = "end", PermissionDenied = "denied", PermissionRequest = "denied" }

function M.event(value)
  local event = transcript.event(value, kinds)
  if not event then return nil end
  if event.kind == "other" and value.notification_type == "permission_prompt" then
    event.kind = "denied"
  end
  event.model = stream.str(value.model)
  return event
end

--- Matches texts that a transcript lists as prompts although the user did not type them.
local not_typed = { "^<local%-command", "^<bash%-std", "^<task%-notification", "^<system%-reminder",
  "^%[Request interrupted", "^Caveat: " }

local function typed(text)
  for _, pattern in ipairs(not_typed) do
    if text:find(pattern) then return nil end
  end
  local command = text:match "<command%-name>(.-)</command%-name>"
  if not command then return text end
  local args = text:match "<command%-args>(.-)</command%-args>" or ""
  return (command .. " " .. args):gsub("%s+$", "")
end

local function add_prompts(prompts, entry)
  local content = stream.at(entry, "message", "content")
  if entry.isSidechain == true or entry.isMeta == true or entry.isCompactSummary == true then
    return
  end
  if stream.at(entry, "toolUseResult") ~= nil then return end
  for _, text in ipairs(transcript.texts(content)) do
    transcript.add_prompt(prompts, typed(text))
  end
end

--- Records model and usage of a message. If the message has several entries, the last one counts.
local function note_answer(found, entry)
  local message = stream.tbl(entry.message) or {}
  local id, given = stream.str(message.id), stream.tbl(message.usage)
  local model = stream.str(message.model)
  if model and model ~= "<synthetic>" and entry.isSidechain ~= true then found.model = model end
  local reported = given and usage.claude(given)
  if not id or not reported or not reported.input_tokens or model == "<synthetic>" then return end
  if not found.answers[id] then found.count = found.count + 1 end
  if found.count > most_messages then return end
  found.answers[id] = reported
end

local function is_message(line)
  return line:find('"type":"assistant"', 1, true) or line:find('"type":"user"', 1, true)
end

local function read_file(file, from, found, session)
  return transcript.each_entry(file, from, session, function(entry)
    if entry.type == "assistant" then note_answer(found, entry) end
    if entry.type == "user" then add_prompts(found.prompts, entry) end
  end, is_message)
end

function M.read(session)
  local found = { answers = {}, count = 0, prompts = {} }
  local file = transcript.open(session.transcript)
  if not file then return found end
  local whole = read_file(file, session.from, found, session)
  local folder = file.path:gsub("%.jsonl$", "") .. "/subagents"
  for _, entry in ipairs(core.file.list(file.root, folder) or {}) do
    local path = folder .. "/" .. entry.name
    local info = entry.type == "file" and path:find "%.jsonl$" and core.file.stat(file.root, path)
    local other = { answers = found.answers, count = found.count, prompts = {} }
    local part = info and { root = file.root, path = path, size = info.size }
    if part and not read_file(part, 0, other, session) then whole = false end
    found.count = other.count
  end
  for _, one in pairs(found.answers) do found.usage = usage.add(found.usage, one) end
  if found.usage and not whole then found.usage.partial = true end
  return found
end

return M
