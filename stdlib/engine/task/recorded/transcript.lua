--- Reads an agent's transcript by lines. An agent can write anything as its transcript (a link, a
--- device, a huge file), so the readable part is returned and nothing raises.
local conversation = require "moonlet.engine.session.conversation"
local stream = require "moonlet.engine.runner.stream"

local M = { texts = conversation.texts }

local margin_ms = 5000  -- the agent may write the first prompt before its first hook runs

local chunk_size = 1 << 20
local most_bytes = 256 << 20
local longest_line = 8 << 20
local most_prompts, longest_prompt = 500, 64 << 10

--- Opens a regular file, or returns nil.
---@param path any  absolute
---@return moonlet.Transcript?
function M.open(path)
  if type(path) ~= "string" or path:find "%z" then return nil end
  local folder, name = path:match "^(/.*)/([^/]+)$"
  local root = folder and core.file.root(folder)
  local info = root and core.file.stat(root, name)
  if not info or info.type ~= "file" then return nil end
  return { root = root, path = name, size = info.size }
end

--- Calls fn(line) for each complete line after a byte offset.
---@return boolean whole  false if lines were skipped
function M.each_line(transcript, from, fn)
  local whole, rest, skips = true, "", false
  local last = math.min(transcript.size, from + most_bytes)
  if last < transcript.size then whole = false end
  while from < last do
    local bytes = core.file.part(transcript.root, transcript.path, from,
      math.min(chunk_size, last - from))
    if not bytes or bytes == "" then return false end
    from = from + #bytes
    rest = rest .. bytes
    local at, stop = 1, rest:find("\n", 1, true)
    while stop do
      if not skips then fn(rest:sub(at, stop - 1)) end
      skips, at = false, stop + 1
      stop = rest:find("\n", at, true)
    end
    rest = rest:sub(at)
    if #rest > longest_line then rest, skips, whole = "", true, false end
  end
  return whole
end

function M.entry(line)
  if line:sub(1, 1) ~= "{" then return nil end
  local ok, value = pcall(core.json.decode, line)
  return ok and type(value) == "table" and value or nil
end

--- Reports whether an entry was written at or after `since` (ms), if given.
local function is_since(entry, since)
  if not since then return true end
  local at = type(entry.timestamp) == "string" and core.clock.parse(entry.timestamp)
  return at ~= nil and at ~= false and at >= since
end

--- Returns the event in a hook's input, or nil if the input names no session or event.
---@param kinds table<string, string>  the agent's name of an event -> its kind
---@return moonlet.RecordedEvent?
function M.event(value, kinds)
  local session, name = stream.str(value.session_id), stream.str(value.hook_event_name)
  if not session or not name then return nil end
  return { session = session, name = name, kind = kinds[name] or "other",
    tool = stream.str(value.tool_name),
    file = stream.str(stream.at(value, "tool_input", "file_path")),
    transcript = stream.str(value.transcript_path) }
end

--- Calls fn(entry, line) for the entries that a session added to its transcript.
---@param accepts (fun(line: string): any)?  true for the lines to decode
---@return boolean whole  false if lines were skipped
function M.each_entry(file, from, session, fn, accepts)
  local since = session.began_ms and session.began_ms - margin_ms
  return M.each_line(file, from <= file.size and from or 0, function(line)
    local entry = (not accepts or accepts(line)) and M.entry(line)
    if entry and is_since(entry, since) then fn(entry, line) end
  end)
end

function M.add_prompt(prompts, text)
  if type(text) ~= "string" or not text:find "%S" or #prompts >= most_prompts then return end
  prompts[#prompts + 1] = core.text.cut(core.text.clean(text), longest_prompt)
end

return M
