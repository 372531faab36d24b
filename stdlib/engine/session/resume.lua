--- Going on with an agent's conversation in a new session: by the agent's own id where its output names one.
local grammars = require "moonlet.engine.session.grammars"
local log = require "moonlet.engine.session.log"
local record = require "moonlet.record"
local start = require "moonlet.engine.session.start"
local states = require "moonlet.engine.session.states"
local store = require "moonlet.engine.session.store"

local M = {}

local tail_bytes = 64 * 1024
local poll_ms, longest_ms = 200, 20000
local shortest_line = 12

--- The agent's own id of its conversation: the last one that its output names.
local function conversation(root, id, grammar)
  local found
  for named in log.plain((log.tail(root, id, tail_bytes))):gmatch(grammar.resume.id) do found = named end
  return found
end

--- The program of a session and its options, without the prompt that it began with.
local function command(argv, grammar)
  local words, i = {}, 1
  repeat
    words[i] = argv[i]
    i = i + 1
  until i > #argv or grammars.of { words[i - 1] } == grammar.name
  local program = #words
  while i <= #argv do
    if argv[i]:sub(1, 1) == "-" then
      words[#words + 1] = argv[i]
      if grammar.resume.valued[argv[i]] and argv[i + 1] then
        words[#words + 1] = argv[i + 1]
        i = i + 1
      end
    end
    i = i + 1
  end
  return words, program
end

--- The command that goes on with a session.
---@param home table
---@param rec moonlet.SessionRecord
---@param is_last boolean?  the newest conversation, whatever its id
---@return string[] argv, string? conversation
function M.command(home, rec, is_last)
  local grammar = grammars.named(rec.agent)
  if not grammar then
    error(record.invalid(("how to go on with %s is not known"):format(rec.id),
      ("moonlet session resume %s -- COMMAND names the command"):format(rec.id)), 0)
  end
  local id = not is_last and conversation(store.root(home), rec.id, grammar) or nil
  local words, program = command(rec.argv, grammar)
  for _, word in ipairs(words) do
    if word:find("[redacted", 1, true) then
      error(record.invalid(("the command of %s held a secret, which is not on record"):format(rec.id),
        ("moonlet session resume %s -- COMMAND names it"):format(rec.id)), 0)
    end
  end
  local more = id and grammar.resume.by_id(id) or grammar.resume.last
  return table.move(more, 1, #more, program + 1, table.move(words, program + 1, #words, program + #more + 1, words)), id
end

--- Lines of the last screen by which a conversation is known again.
local function known_lines(home, id)
  local facts = states.screen(home, id, 200)
  local lines, seen = {}, {}
  for _, list in ipairs { facts.history, facts.lines } do
    for _, line in ipairs(list) do
      local text = line:gsub("^[%s%p]*[^%w]*", ""):gsub("%s+$", "")
      if #text >= shortest_line and not seen[text] then lines[#lines + 1], seen[text] = text, true end
    end
  end
  return lines
end

--- Looks whether the new session shows lines of the conversation that the screen of a fresh one has not.
local function comes_back(home, old, id, grammar)
  local wanted = {}
  for _, line in ipairs(known_lines(home, old.id)) do
    local is_common = false
    for _, pattern in ipairs(grammar and grammar.resume.common or {}) do
      is_common = is_common or line:find(pattern) ~= nil
    end
    if not is_common then wanted[#wanted + 1] = line end
  end
  local since = core.clock.monotonic()
  while core.clock.monotonic() - since < longest_ms do
    local facts = store.look(home, id, 2000)
    if not facts then return false end
    local text = table.concat(facts.history, "\n") .. "\n" .. table.concat(facts.lines, "\n")
    for _, line in ipairs(wanted) do
      if text:find(line, 1, true) then return line end
    end
    if #wanted == 0 then return false end
    core.task.sleep(poll_ms)
  end
  return false
end

--- Starts the new session. `context` of the result is the line by which the conversation is known again, or false.
---@param home table
---@param id string
---@param options {last: boolean?, argv: string[]?, verify: boolean?}
---@return {rec: moonlet.SessionRecord, context: string|false|nil, conversation: string?}
function M.resume(home, id, options)
  local old = store.read(home, id)
  if core.session.status(home.handle, id) == "running" then
    error(record.invalid(("%s still runs"):format(id), ("moonlet session kill %s ends it"):format(id)), 0)
  end
  core.session.sweep(home.handle, id)
  local argv, named = options.argv, nil
  if not argv or not argv[1] then argv, named = M.command(home, old, options.last) end
  local rec = start.start(home, { argv = argv, cwd = old.cwd, agent = old.agent, rows = old.rows, cols = old.cols,
    limit = old.limit_ms, idle = old.idle_ms, parent = id })
  store.note(home, id, { type = "resumed", as = rec.id })
  local context
  if options.verify ~= false then
    context = comes_back(home, old, rec.id, grammars.named(old.agent))
    store.note(home, rec.id, { type = "context", seen = context or false })
  end
  return { rec = rec, context = context, conversation = named }
end

return M
