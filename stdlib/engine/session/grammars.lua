--- Readings of an agent's screen: which prompt it shows, that it works, that its provider refuses. Knowledge of
--- single agents is data, a file each.
local M = {}

local files = { "codex", "claude" }
local any = require "moonlet.engine.session.agents.any"
--- Lines of the lower part of the screen, where a program asks.
local lower = 30

local function load(name) return require("moonlet.engine.session.agents." .. name) end

---@return string[]
function M.names() return files end

--- The grammar of an agent; nil for an unknown one.
---@param name string?
function M.named(name)
  for _, known in ipairs(files) do
    if known == name then return load(name) end
  end
end

--- The agent that a command starts, by the name of its program or of a script behind an interpreter.
---@param argv string[]
---@return string?
function M.of(argv)
  for i = 1, math.min(#argv, 2) do
    local base = (argv[i]:match "([^/]+)$" or ""):gsub("%.m?js$", "")
    for _, name in ipairs(files) do
      for _, program in ipairs(load(name).programs) do
        if base == program then return name end
      end
    end
  end
end

---@param agent string?
---@return integer? ms
function M.enter_pause(agent)
  local grammar = M.named(agent)
  return grammar and grammar.enter_pause_ms
end

local function trimmed(text) return (text:gsub("[%s│┃|]+$", "")) end

--- The lines with text in the lower part of the screen, last one last, and the line that the cursor is in.
local function lower_lines(facts)
  local lines = {}
  for _, line in ipairs(facts.lines) do
    local text = trimmed(line)
    if text ~= "" then lines[#lines + 1] = text end
  end
  local part = table.move(lines, math.max(1, #lines - lower + 1), #lines, 1, {})
  local row = facts.cursor.row + 1
  return part, { facts.lines[row] or "", facts.lines[row - 1] or "" }
end

local function found(lines, pattern)
  for i = #lines, 1, -1 do
    if lines[i]:find(pattern) then return lines[i] end
  end
end

local function first_of(lines, patterns)
  for _, pattern in ipairs(patterns or {}) do
    local line = found(lines, pattern)
    if line then return line end
  end
end

--- The line that says that the prompt is there.
local function matched(prompt, lines, at_cursor)
  local line
  for _, pattern in ipairs(prompt.all or {}) do
    local one = found(lines, pattern)
    if not one then return nil end
    line = line or one
  end
  if prompt.at_cursor then
    local at = first_of(at_cursor, prompt.at_cursor)
    if not at then return nil end
    line = line or at
  end
  return line
end

---@class moonlet.ScreenReading
---@field prompt table?     the prompt of the grammar that is shown
---@field line string?      the line that says so
---@field is_whole boolean?   all lines of a prompt of the agent's own grammar are there
---@field detail string?    what the prompt is about
---@field is_ready boolean?   the agent waits for its next instruction
---@field is_working boolean?
---@field quota string?     the line that says that the provider refuses
---@field shell string?     the prompt of a shell that the cursor stands behind
---@field download string?  the line that says that something is loaded

--- Reads a screen.
---@param facts table
---@param agent string?
---@return moonlet.ScreenReading
function M.read(facts, agent)
  local lines, at_cursor = lower_lines(facts)
  local grammar, reading = M.named(agent), {}
  for _, part in ipairs(grammar and { grammar, any } or { any }) do
    for _, prompt in ipairs(part.prompts) do
      local line = not reading.prompt and matched(prompt, lines, at_cursor)
      if line then
        reading.prompt, reading.line = prompt, line:gsub("^%s+", "")
        reading.is_whole = part == grammar and prompt.all ~= nil
        local detail = first_of(lines, prompt.shows)
        reading.detail = detail and detail:gsub("^%s+", "")
      end
    end
  end
  if grammar then
    reading.is_working = first_of(lines, grammar.working) ~= nil
    reading.is_ready = not reading.is_working and first_of(lines, grammar.ready) ~= nil
  end
  local before = (facts.lines[facts.cursor.row + 1] or ""):sub(1, facts.cursor.col)
  if #trimmed(facts.lines[facts.cursor.row + 1] or "") <= facts.cursor.col and before:find(any.shell) then
    reading.shell = before
  end
  -- A refusal further up is past.
  local last = table.move(lines, math.max(1, #lines - 11), #lines, 1, {})
  reading.quota = first_of(last, grammar and grammar.quota) or first_of(last, any.quota)
  reading.download = first_of(table.move(lines, math.max(1, #lines - 3), #lines, 1, {}), any.downloads)
  return reading
end

return M
