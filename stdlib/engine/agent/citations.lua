--- Compares an agent's findings with what the agent has read: its prompt, and its tools' output in
--- the event stream. A finding is marked `unsupported` if its cited lines are in neither. If the
--- stream hides tool output, the findings are marked `unknown`.
local findings = require "moonlet.findings"

local M = {}

local near_lines = 3
local file_cap = 4 << 20
local long_enough = 8 -- Shorter lines do not identify a place.
local telling = 12 -- Two lines this long count even without their file's name.

--- Collapses white space, so that line numbers and indents before a line do not matter.
local function squeeze(text) return (text:gsub("%s+", " ")) end

local function word_char(char) return char ~= "" and char:find "[%w_.-]" ~= nil end

--- Reports whether a text names a path, either in full or by its file name without a folder.
local function names(text, path)
  local base = path:match "[^/]+$"
  for _, name in ipairs { path, base } do
    local from = 1
    while true do
      local s, e = text:find(name, from, true)
      if not s then break end
      local before, after = text:sub(s - 1, s - 1), text:sub(e + 1, e + 1)
      local is_bare = s == 1 or not word_char(before) and (name == path or before ~= "/")
      if is_bare and not after:find "[%w_]" then return true end
      from = s + 1
    end
  end
  return false
end

-- Splits a text into its files at the header lines of diffs, prompt material, `head` and `tail`.
local function add_parts(chunks, text)
  local lines = {}
  local function close()
    if #lines > 0 then
      local part = table.concat(lines, "\n")
      chunks[#chunks + 1] = { text = part, squeezed = squeeze(part) }
    end
    lines = {}
  end
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    if line:find "^diff %-%-git " or line:find "^Data: " or line:find "^==> .* <==$" then close() end
    lines[#lines + 1] = line
  end
  close()
end

local function chunks_of(prompt, seen)
  local chunks = {}
  add_parts(chunks, prompt)
  for _, text in ipairs(seen) do
    local about, shown = text:match "^([^\n]*)\n(.*)$"
    local parts = {}
    add_parts(parts, shown or text)
    -- Each part of the output gets its command, because the command may name the file.
    for _, part in ipairs(parts) do
      chunks[#chunks + 1] = { text = (about or "") .. "\n" .. part.text, squeezed = part.squeezed }
    end
  end
  return chunks
end

local function lines_of(text)
  local lines = {}
  for line in (text:gsub("\r\n", "\n") .. "\n"):gmatch "([^\n]*)\n" do
    lines[#lines + 1] = squeeze(line):match "^ ?(.-) ?$"
  end
  return lines
end

-- Returns the cited line and its neighbours.
local function cited(lines, line)
  local list = {}
  if not line or line > #lines then return lines end
  for i = math.max(1, line - near_lines), math.min(#lines, line + near_lines) do list[#list + 1] = lines[i] end
  return list
end

local function count_in(chunk, lines, least)
  local count, once = 0, {}
  for _, line in ipairs(lines) do
    if #line >= least and not once[line] and chunk.squeezed:find(line, 1, true) then
      once[line] = true
      count = count + 1
    end
  end
  return count
end

-- Reports whether the evidence quotes a line that the agent has read, under any line number.
local function quotes(evidence, lines, chunk)
  local said = squeeze(evidence)
  for _, line in ipairs(lines) do
    if #line >= long_enough and said:find(line, 1, true) and chunk.squeezed:find(line, 1, true) then return true end
  end
  return false
end

local function least_of(lines)
  for _, line in ipairs(lines) do
    if #line >= long_enough then return long_enough end
  end
  return 1
end

local function is_supported(path, line, evidence, text, chunks)
  local lines = text and lines_of(text)
  local window = lines and cited(lines, line)
  local least = window and least_of(window)
  for _, chunk in ipairs(chunks) do
    if names(chunk.text, path) then
      -- A deleted file has no lines to compare, so its name in a diff or a list is enough.
      if not lines then return true end
      if count_in(chunk, window, least) > 0 or quotes(evidence, lines, chunk) then return true end
      if chunk.text:find "tokens truncated" or chunk.text:find "lines omitted" or chunk.text:find "%[cut here" then
        return true
      end
    elseif window and count_in(chunk, window, telling) >= 2 then
      return true
    end
  end
  return false
end

local encoded

--- Reports whether the call's schema is the schema of findings.
local function asks_for_findings(schema)
  encoded = encoded or core.json.encode(findings.schema)
  return schema.items ~= nil and core.json.encode(schema) == encoded
end

local function text_of(value) return type(value) == "string" and value or "" end

--- Marks each finding of an answer as seen, unsupported or unknown.
---@param data any  the validated answer
function M.mark(job, attempt, evidence, data)
  if not asks_for_findings(job.call.schema) or type(data) ~= "table" then return end
  local list = rawget(data, "findings") or data
  local shown = evidence.seen
  -- A repair round has its own stream, which does not show what the agent read before.
  local known = shown and not attempt.repairs
  local chunks = known and chunks_of(attempt.prompt, shown)
  local texts = {}
  for _, finding in ipairs(list) do
    local path, line = findings.path(rawget(finding, "file"), job.run.top)
    local number = math.tointeger(tonumber((tostring(rawget(finding, "line") or ""):match "%d+"))) or line
    if not path then
      finding.support = nil
    elseif not known then
      finding.support = "unknown"
    else
      if texts[path] == nil then texts[path] = core.file.read(job.run.home.root, path, file_cap) or false end
      local supported = is_supported(path, number, text_of(rawget(finding, "evidence")), texts[path] or nil, chunks)
      finding.support = supported and "seen" or "unsupported"
    end
  end
end

return M
