--- Checks an agent's findings against the text that it read: its prompt and its tools' output.
--- A finding is marked `unsupported` if the agent never read the cited lines.
--- If the stream hides tool output, the findings are marked `unknown`.
local findings = require "moonlet.findings"

local M = {}

local near_lines = 3
local file_cap = 4 << 20
local long_enough = 8  -- Shorter lines occur in many files, so they prove nothing.
local telling = 12  -- Two lines of at least this length identify a file without its name.

--- Collapses white space, so that the same text with another indent still matches.
local function squeeze(text) return (text:gsub("%s+", " ")) end

local function plain(text) return (text:gsub("%p", "%%%0")) end

--- Reports whether a text names a path, either in full or by its file name without a folder.
local function names(text, path)
  text = "\n" .. text .. "\n"
  return text:find("[^%w_.-]" .. plain(path) .. "[^%w_]") ~= nil
    or text:find("[^%w_./-]" .. plain(path:match "[^/]+$") .. "[^%w_]") ~= nil
end

--- Splits a text at the headers of `git diff`, `head` and `tail`, and of data in a prompt. A part
--- keeps the command that printed it, because it may name the file.
local function add_chunks(chunks, text, about)
  text = ("\n" .. text .. "\n"):gsub("%z", ""):gsub("\ndiff %-%-git ",
    "\0%0"):gsub("\nData: ", "\0%0")
    :gsub("\n==> [^\n]* <==\n", "\0%0")
  for part in text:gmatch "[^%z]+" do
    chunks[#chunks + 1] = { text = about .. "\n" .. part, squeezed = squeeze(part) }
  end
end

local function chunks_of(prompt, seen)
  local chunks = {}
  add_chunks(chunks, prompt, "")
  for _, text in ipairs(seen) do
    local about, shown = text:match "^([^\n]*)\n(.*)$"
    add_chunks(chunks, shown or text, about or "")
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

--- Returns the cited line with its neighbours. Also returns the minimum length of those lines that
--- are searched for in the text that the agent read.
local function cited(lines, line)
  if not line or line > #lines then line = nil end
  local list, least = {}, 1
  for i = math.max(1, (line or 1) - near_lines),
      math.min(#lines, line and line + near_lines or #lines) do
    list[#list + 1] = lines[i]
    if #lines[i] >= long_enough then least = long_enough end
  end
  return list, least
end

--- Counts how many different lines of `lines` are in the chunk. With `said`, counts a line only if
--- the text `said` contains it, too.
local function count_in(chunk, lines, least, said)
  local count, once = 0, {}
  for _, line in ipairs(lines) do
    if #line >= least and not once[line] and chunk.squeezed:find(line, 1, true)
      and (not said or said:find(line, 1, true)) then
      once[line], count = true, count + 1
    end
  end
  return count
end

local function is_supported(path, line, evidence, text, chunks)
  local lines = text and lines_of(text)
  local window, least
  if lines then window, least = cited(lines, line) end
  for _, chunk in ipairs(chunks) do
    if names(chunk.text, path) then
      -- A deleted file has no lines to compare, so any text that names it supports the finding.
      if not lines or count_in(chunk, window, least) > 0
        or count_in(chunk, lines, long_enough, squeeze(evidence)) > 0
          or chunk.text:find "tokens truncated"
        or chunk.text:find "lines omitted" or chunk.text:find "%[cut here" then
        return true
      end
    elseif window and count_in(chunk, window, telling) >= 2 then
      return true
    end
  end
  return false
end

local encoded

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
  -- The output of a repair round does not show what the agent read before the repair.
  local known = shown and not attempt.repairs
  local chunks = known and chunks_of(attempt.prompt, shown)
  local texts = {}
  for _, finding in ipairs(list) do
    local path, line = findings.path(rawget(finding, "file"), job.run.top)
    local number = math.tointeger(tonumber((tostring(rawget(finding, "line") or ""):match "%d+")))
      or line
    if not path then
      finding.support = nil
    elseif not known then
      finding.support = "unknown"
    else
      if texts[path] == nil then
        texts[path] = core.file.read(job.run.home.root, path, file_cap) or false
      end
      local supported = is_supported(path, number, text_of(rawget(finding, "evidence")),
        texts[path] or nil, chunks)
      finding.support = supported and "seen" or "unsupported"
    end
  end
end

return M
