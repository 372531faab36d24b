--- Continues an agent's conversation in a new session, by the id that the agent printed.
local conversation = require "moonlet.engine.session.conversation"
local grammars = require "moonlet.engine.session.grammars"
local judge = require "moonlet.engine.session.judge"
local log = require "moonlet.engine.session.log"
local record = require "moonlet.record"
local start = require "moonlet.engine.session.start"
local states = require "moonlet.engine.session.states"
local store = require "moonlet.engine.session.store"

local M = {}

local tail_bytes = 64 * 1024
local poll_ms, longest_ms = 200, 20000
-- An agent that waits for input may still be printing the resumed conversation. If it prints no new
-- line for five seconds, the whole conversation is on the screen.
local drawn_ms = 5000

local function conversation_id(root, id, grammar)
  local found
  for named in log.plain((log.tail(root, id, tail_bytes))):gmatch(grammar.resume.id) do
    found = named
  end
  return found
end

local function command(argv, grammar)
  local words, i = {}, 1
  repeat
    words[i] = argv[i]
    i = i + 1
  until i > #argv or grammars.named(grammars.of { words[i - 1] }) == grammar
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

---@param is_last boolean?  continue the newest conversation, whatever its id
function M.command(home, rec, is_last)
  local grammar = grammars.named(rec.agent)
  if not (grammar and grammar.resume) then
    record.refuse(("it is not known how to continue %s"):format(rec.id),
      ("moonlet session resume %s -- COMMAND names the command"):format(rec.id))
  end
  local id = not is_last and conversation_id(store.root(home), rec.id, grammar) or nil
  local words, program = command(rec.argv, grammar)
  for _, word in ipairs(words) do
    if word:find("[redacted", 1, true) then
      record.refuse(("the command of %s contained a secret, which is not recorded"):format(rec.id),
        ("moonlet session resume %s -- COMMAND names it"):format(rec.id))
    end
  end
  local more = id and grammar.resume.by_id(id) or grammar.resume.last
  return table.move(more, 1, #more, program + 1,
    table.move(words, program + 1, #words, program + #more + 1, words)), id
end

local function typed(home, id)
  local texts = {}
  for _, event in ipairs(store.events(home, id)) do
    if event.type == "input" and event.text then texts[#texts + 1] = event.text end
  end
  return texts
end

---@class moonlet.ResumeRecord  evidence of a conversation before the new session starts
---@field grammar table?
---@field id string?
---@field known moonlet.Conversation
---@field transcript moonlet.Transcript?

local function recorded(home, old, argv)
  local grammar = grammars.named(old.agent)
  grammar = grammar and grammar.resume and grammar
  local id = grammar and conversation_id(store.root(home), old.id, grammar)
  local transcript = id and conversation.transcript(grammar, id) or nil
  local texts = transcript and conversation.messages(transcript, grammar) or {}
  local printed = table.move(argv, 1, #argv, 2, { old.cwd })
  local known = conversation.known(states.screen(home, old.id, 200), grammar, typed(home, old.id),
    texts, printed)
  return { grammar = grammar, id = id, known = known, transcript = transcript }
end

local function missing(own, old)
  if own.id and not own.transcript then
    return ("%s has no transcript of the conversation %s"):format(old.agent, own.id)
  end
  if conversation.count(own.known) == 0 then
    return ("%s shows no line of a user or an agent that could be recognized"):format(old.id)
  end
  return "its screen shows none of what the user or the agent said"
end

--- Waits until the screen or the transcript shows the earlier conversation. Returns the evidence,
--- or false and the reason.
local function comes_back(home, old, id, own)
  local since = core.clock.monotonic()
  local is_hopeless = conversation.count(own.known) == 0 and not own.transcript
  repeat
    local facts = store.look(home, id, 2000)
    if not facts then
      local status, exit = core.session.status(home.handle, id)
      return false, status == "exited" and ("it has ended (%s)"):format(judge.cause(exit))
        or "its keeper does not answer"
    end
    local line = conversation.find(own.known, facts, own.grammar)
    if line then return line end
    if own.transcript and conversation.has_grown(own.transcript) then
      return ("the transcript of %s continues"):format(own.id)
    end
    local found = judge.judge("running", {}, facts, old.agent)
    if is_hopeless or found.waits == "instruction" and facts.same_ms >= drawn_ms then break end
    core.task.sleep(poll_ms)
  until core.clock.monotonic() - since >= longest_ms
  return false, missing(own, old)
end

--- Starts a session that continues another. `context` is the evidence that it does, or false.
---@param options {last: boolean?, argv: string[]?, verify: boolean?}
---@return {rec: moonlet.SessionRecord, context: string|false|nil, why: string?,
---   conversation: string?}
function M.resume(home, id, options)
  local old = store.read(home, id)
  if core.session.status(home.handle, id) == "running" then
    record.refuse(("%s still runs"):format(id), ("moonlet session kill %s ends it"):format(id))
  end
  core.session.sweep(home.handle, id)
  local argv, named = options.argv, nil
  if not argv or not argv[1] then argv, named = M.command(home, old, options.last) end
  local own = options.verify ~= false and recorded(home, old, argv)
  local rec = start.start(home, { argv = argv, cwd = old.cwd, agent = old.agent, rows = old.rows,
    cols = old.cols, limit = old.limit_ms, idle = old.idle_ms, parent = id })
  store.note(home, id, { type = "resumed", as = rec.id })
  local context, why
  if own then
    context, why = comes_back(home, old, rec.id, own)
    store.note(home, rec.id, { type = "context", seen = context, why = why })
  end
  return { rec = rec, context = context, why = why, conversation = named }
end

return M
