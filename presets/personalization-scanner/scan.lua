--- The scan: reads the listed inputs, finds preferences in them and leaves out private text.
--- Without a model this is the whole answer; tests/presets/personalization counts what it finds, rightly and wrongly.
local m = require "moonlet"
local units = require "units"
local statements = require "statements"
local placing = require "placing"
local privacy = require "privacy"
local merge = require "merge"
local W = require "words"
local report = require "report"

local most_preferences, most_places = 300, 50
local prompt_cap = 200000

local SCOPES = { "user", "project", "repository", "tool" }

local s = m.schema
local schema = s.object {
  preferences = s.list(s.object {
    text = s.string { min = 1, max = 400 },
    scope = s.enum(SCOPES),
    confidence = s.number { min = 0, max = 1 },
    evidence = s.list(s.string { min = 1, max = 300 }, { min = 1 }),
    target = s.string { min = 1, max = 300 },
    privacy = s.string { min = 1, max = 400 },
  }),
}

-- Yields now and then: many inputs take longer than a preset may compute in one go.
local function pauses(ctx)
  local count = 0
  return function()
    count = count + 1
    if count % 200 == 0 then ctx:yield() end
  end
end

--- The content of the inputs: sentences with their places, and the names that occur in any of them.
local function read_inputs(inputs, outcome, pause)
  local texts, segments = {}, {}
  for _, input in ipairs(inputs) do
    for _ = 1, 1 + #input.text // 64 do pause() end
    texts[#texts + 1] = input.text
    local found, why = units.segments(input)
    for _, segment in ipairs(found) do segments[#segments + 1] = segment end
    local shown = privacy.holds(input.path) and "an input" or input.path
    if why then outcome.skipped[#outcome.skipped + 1] = { path = shown, why = why } end
    if input.cut then outcome.cut[#outcome.cut + 1] = shown end
  end
  local names, sentences = privacy.names(texts), {}
  for _, segment in ipairs(segments) do
    for _ = 1, 1 + #segment.lines do pause() end
    -- A path can hold a name as well as a text can.
    local shown = privacy.holds(segment.path, { names = names }) and "input" or segment.path
    for _, unit in ipairs(units.units(segment, names)) do
      unit.place = ("%s:%d"):format(shown, unit.line)
      sentences[#sentences + 1] = unit
    end
  end
  return sentences, names
end

local function copy_of(unit, text)
  local copy = {}
  for key, value in pairs(unit) do copy[key] = value end
  copy.text, copy.class = text, nil
  return copy
end

-- The rest of a sentence without its private parts: its last part, or a person's wish without their name.
local function unprivate(unit, names)
  if unit.class ~= "personal" then return end
  local rest = unit.text:match(";%s+([^;]+)$")
  if rest and statements.is_order(rest) and not privacy.holds(rest, { names = names }) then
    return copy_of(unit, rest)
  end
  local verb, what = unit.text:match("^%u[%w\128-\255'’%-]+ (%l+) (.+)$")
  if not W.wants[verb] then verb, what = unit.text:match(":%s+%u[%w\128-\255'’%-]+ (%l+) (.+)$") end
  if verb and W.wants[verb] and not privacy.holds(what, { names = names }) then
    return copy_of(unit, ("The user %s %s"):format(verb, what))
  end
end

local function statement_of(found, unit, names)
  local stands_in
  if unit.kind == "instructions" and unit.place:sub(1, 6) ~= "input:" then
    local heading = unit.heading
    if heading and privacy.holds(heading, { names = names, strict = true }) then heading = nil end
    stands_in = { path = unit.path, heading = heading }
  end
  return { text = found.text, a = found.a, b = found.b, negative = found.marks.negative or false, marks = found.marks,
    place = unit.place, unit = unit, confidence = merge.confidence(found.marks, unit), stands_in = stands_in }
end

--- The statements of all sentences; counts those that are left out.
local function gather(sentences, names, outcome, pause)
  local list = {}
  for _, sentence in ipairs(sentences) do
    pause()
    local unit = sentence.class and unprivate(sentence, names) or sentence
    local found, injected = statements.read(unit)
    if injected then outcome.injected = outcome.injected + 1 end
    if unit.class and #found > 0 then
      outcome.dropped[unit.class] = outcome.dropped[unit.class] + 1
      found = {}
    end
    for _, statement in ipairs(found) do
      local class = privacy.holds(statement.text, { names = names, strict = true })
      if class then
        outcome.dropped[class] = outcome.dropped[class] + 1
      else
        list[#list + 1] = statement_of(statement, unit, names)
      end
    end
  end
  return list
end

local function any(low, patterns)
  for _, pattern in ipairs(patterns) do
    if low:find(pattern) then return true end
  end
  return false
end

-- True if a wish takes a safeguard away. "Never push without asking" keeps one.
local function loosens(text)
  local low = text:lower()
  return any(low, W.unsafe_bans) or any(low, W.unsafe) and not any(low, W.bans)
end

local function privacy_note(item)
  local notes = {}
  if item.scope == "user" then
    notes[1] = "About one person: keep it out of memory that the repository shares."
  else
    notes[1] = "Nothing private was found in it."
  end
  if item.unit and item.unit.kind == "chat" then notes[#notes + 1] =
    "It comes from a conversation: do not quote that." end
  if item.unsafe then notes[#notes + 1] = "It takes a safeguard away: a person decides." end
  return table.concat(notes, " ")
end

--- Preferences in the form that is promised, from statements.
local function preferences_of(list, memory, outcome, pause)
  local items, conflicts = merge.merge(list, pause)
  outcome.conflicts = outcome.conflicts + conflicts
  local result = {}
  for i, item in ipairs(items) do
    if i > most_preferences then break end
    item.scope = item.scope or placing.scope(item.text, item.marks, item.unit)
    item.unsafe = loosens(item.text)
    if item.unsafe then item.confidence = math.min(item.confidence, 0.35) end
    result[i] = {
      text = item.text, scope = item.scope, confidence = math.floor(item.confidence * 100 + 0.5) / 100,
      evidence = m.array(table.move(item.evidence, 1, math.min(#item.evidence, most_places), 1, {})),
      target = item.target or placing.target(item, memory),
      privacy = item.privacy or privacy_note(item),
    }
  end
  return m.array(result)
end

-- True if an agent may read a sentence. Beside private text only a wish may leave: "She is still in hospital" says as
-- much as the text that was taken out before it.
local function may_leave(unit, names)
  if unit.class or privacy.holds(unit.text, { names = names, strict = true }) then return false end
  return not unit.paragraph.private or #statements.read(unit) > 0
end

--- The sentences of each input.
local function material(sentences)
  local order, by_path = {}, {}
  for _, unit in ipairs(sentences) do
    if unit.speaker ~= "other" then
      local path = unit.place:match("^(.*):%d+$")
      if not by_path[path] then
        by_path[path] = {}
        order[#order + 1] = path
      end
      table.insert(by_path[path], unit)
    end
  end
  return order, by_path
end

-- Numbered as in their file, without those that hold private text.
local function numbered(list, names, pause)
  local lines = {}
  for i, unit in ipairs(list) do
    pause()
    lines[i] = ("%d: %s"):format(unit.line, may_leave(unit, names) and unit.text or "[left out: private]")
  end
  return table.concat(lines, "\n")
end

local function prompt_data(sentences, names, outcome, pause)
  local order, by_path = material(sentences)
  local data, left = {}, prompt_cap
  for _, path in ipairs(order) do
    local text = numbered(by_path[path], names, pause)
    if #text > left then
      outcome.cut[#outcome.cut + 1] = path
      text = text:sub(1, math.max(0, left)) .. "\n[cut: the material is too large for one task]"
    end
    left = left - #text
    data[#data + 1] = { label = path, text = text, limit = prompt_cap }
    if left <= 0 then break end
  end
  return data
end

local function prompt_of(sentences, names, outcome, pause)
  local text = m.prompt.sections(m.asset "prompt.md")
  return m.prompt.worker {
    task = text.task, goal = text.goal, non_goals = text["non-goals"], steps = text.how, inspect = text.inspect,
    edits = false, output = text.output, escalate = text.escalate, privacy = text.privacy,
    data = prompt_data(sentences, names, outcome, pause),
  }
end

local function normal_text(text)
  text = text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
  if #text > 240 then
    local cut = text:sub(1, (utf8.offset(text, 0, 240) or 240) - 1)
    text = cut:match("^(.*)%s") or cut
  end
  if not text:find("[%.!%?]$") then text = text .. "." end
  return text
end

--- An agent's answer, as statements: only with places that were listed, and filtered once more.
local function statements_of(answer, sentences, names, outcome)
  local places, list = {}, {}
  for _, unit in ipairs(sentences) do places[unit.place] = unit end
  for _, item in ipairs(answer.preferences) do
    local class = privacy.holds(item.text, { names = names, strict = true })
    local found = {}
    for _, place in ipairs(item.evidence) do
      local known = place:match("^(.-:%d+)") and places[place:match("^(.*:%d+)") or place]
        or places[place:match("^(.-:%d+)") or ""]
      if known then found[#found + 1] = known.place end
    end
    if class then
      outcome.dropped[class] = outcome.dropped[class] + 1
    elseif #found == 0 then
      outcome.unfounded = outcome.unfounded + 1
    else
      local low = item.text:lower()
      local private = function(text) return privacy.holds(text, { names = names, strict = true }) ~= nil end
      for i, place in ipairs(found) do
        list[#list + 1] = { text = normal_text(item.text), confidence = math.min(0.95, item.confidence), place = place,
          unit = places[place], marks = {}, scope = item.scope, target = not private(item.target) and item.target
            or nil,
          privacy = not private(item.privacy) and normal_text(item.privacy) or nil, first = i == 1,
          negative = (low:find("^avoid") or low:find("not ", 1, true) or low:find("never ", 1, true)) and true
            or false }
      end
    end
  end
  return list
end

local M = {}

---@param ctx moonlet.Ctx
---@return table result
function M.run(ctx)
  local outcome = { inputs = #ctx.inputs, dropped = { secret = 0, personal = 0 }, injected = 0, unfounded = 0,
    conflicts = 0, skipped = {}, cut = {} }
  ctx:phase("read", #ctx.inputs)
  local pause = pauses(ctx)
  local sentences, names = read_inputs(ctx.inputs, outcome, pause)
  local paths = {}
  for _, input in ipairs(ctx.inputs) do
    -- A path can be a name; then nothing suggests it.
    if not privacy.holds(input.path, { names = names }) then paths[#paths + 1] = input.path end
  end
  local memory = placing.memory(paths)

  ctx:phase("scan", 1)
  local found
  if not ctx.runner then
    found = preferences_of(gather(sentences, names, outcome, pause), memory, outcome, pause)
  end
  local preferences = found
  if ctx.runner then
    local answer = ctx:agent { name = "scan", prompt = prompt_of(sentences, names, outcome, pause),
      schema = schema }.data
    preferences = preferences_of(statements_of(answer, sentences, names, outcome), memory, outcome, pause)
  end
  local result = { preferences = preferences, dropped = outcome.dropped }
  ctx:write("findings.json", report.json(result))
  ctx:write("findings.md", report.markdown(preferences, outcome, ctx.runner))
  if outcome.dropped.secret + outcome.dropped.personal > 0 then
    ctx:log(("candidates left out: %d for a secret, %d for something personal"):format(outcome.dropped.secret,
      outcome.dropped.personal))
  end
  return result
end

return M
