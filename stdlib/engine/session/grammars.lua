--- Reads an agent's screen as its runner declares in `screen`: prompt, work, and quota messages.
local any = require "moonlet.engine.session.any_program"
local builtin = require "moonlet.engine.runner.names"
local runners = require "moonlet.engine.load.runners"

local M = {}

--- Limits the search for prompts to this many lines from the bottom of a screen.
local lower = 30

-- Maps a name to its runner, or to false if no runner with a screen has this name.
local known = {}

local function runner_of(name)
  if known[name] == nil then
    local ok, runner = pcall(runners.get, name)
    known[name] = ok and runner.screen and runner or false
  end
  return known[name] or nil
end

function M.names()
  local names = {}
  for _, list in ipairs { builtin.agents, runners.own_names() } do
    for _, name in ipairs(list) do names[#names + 1] = runner_of(name) and name end
  end
  return names
end

function M.named(name)
  local runner = name and runner_of(name)
  return runner and runner.screen
end

--- Returns the agent that a command starts. The first word may be an interpreter of its script.
function M.of(argv)
  for i = 1, math.min(#argv, 2) do
    local base = (argv[i]:match "([^/]+)$" or ""):gsub("%.m?js$", "")
    for _, name in ipairs(M.names()) do
      if base == runner_of(name).program then return name end
    end
  end
end

function M.enter_pause(agent)
  local grammar = M.named(agent)
  return grammar and grammar.enter_pause_ms
end

local function trimmed(text) return (text:gsub("[%s│┃|]+$", "")) end

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
---@field prompt table?     the prompt on the screen, from the grammar
---@field line string?      the line with the prompt
---@field is_whole boolean?   the screen has all lines of a prompt of the agent's grammar
---@field detail string?    the subject of the prompt
---@field is_ready boolean?   the agent waits for its next instruction
---@field is_working boolean?
---@field quota string?     a line that reports an exhausted quota
---@field shell string?     the shell prompt before the cursor
---@field download string?  a line that reports a download

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
  if #trimmed(facts.lines[facts.cursor.row + 1] or "") <= facts.cursor.col
      and before:find(any.shell) then
    reading.shell = before
  end
  -- A quota message further up is outdated, so search only the last lines.
  local last = table.move(lines, math.max(1, #lines - 11), #lines, 1, {})
  reading.quota = first_of(last, grammar and grammar.quota) or first_of(last, any.quota)
  reading.download = first_of(table.move(lines, math.max(1, #lines - 3), #lines, 1, {}),
    any.downloads)
  return reading
end

return M
