--- Merges statements: one preference for all the places that state it, its confidence, and contradictions.
local placing = require "placing"

local find, gsub, lower, sub = string.find, string.gsub, string.lower, string.sub

local M = {}

local STOP = {}
for word in string.gmatch([[a an the of to in on at for and or with without by from as is are be it its this that
  these those all any every each do does not no never always please use used using keep kept make sure prefer
  preferred avoid run wanted should must may can will we our us you your i rather than instead over only when whenever
  before after if unless while so too also again more most very just there here what which who nobody somebody anybody
  user than but them they their]], "%S+") do
  STOP[word] = true
end

local function stem(word)
  if #word > 5 then word = gsub(word, "ing$", "") end
  if #word > 4 then word = gsub(word, "ies$", "y") end
  if #word > 4 then word = gsub(word, "ed$", "") end
  if #word > 3 then word = gsub(word, "([^s])s$", "%1") end
  return (gsub(word, "e$", ""))
end

--- The meaningful words of a text, as a set; code counts whole.
local function bag(text)
  local words, count = {}, 0
  local function take(word)
    if word ~= "" and not words[word] then
      words[word] = true
      count = count + 1
    end
  end
  local rest = gsub(lower(text), "`([^`]+)`", function(code)
    take("`" .. code)
    return " "
  end)
  for word in string.gmatch(rest, "[%w\128-\255][%w\128-\255_%-]*") do
    if not STOP[word] then take(stem(word)) end
  end
  return words, count
end

--- The likeness of two bags: {shared part of the smaller, shared part of both, shared code}
local function likeness(a, b)
  local shared, code = 0, false
  for word in pairs(a.bag) do
    if b.bag[word] then
      shared = shared + 1
      code = code or sub(word, 1, 1) == "`"
    end
  end
  local smaller = math.min(a.size, b.size)
  if smaller == 0 then return 0, 0, false end
  return shared / smaller, shared / (a.size + b.size - shared), code, shared
end

local function same(a, b)
  if a.negative ~= b.negative then return false end
  local part, both, code, shared = likeness(a, b)
  if a.b and b.b and a.a ~= b.a and (a.a == b.b or find(b.a or "", a.b, 1, true)) then return false end
  if both >= 0.7 then return true end
  if code and part >= 0.99 and shared >= 2 then return true end
  return part >= 0.75 and shared >= 3 and both >= 0.45
end

-- Prefer A over B against prefer B over A; do against do not.
local function against(a, b)
  if a.a and a.b and b.a and b.b then
    local function near(x, y) return x == y or find(x, y, 1, true) == 1 or find(y, x, 1, true) == 1 end
    return near(a.a, b.b) and near(a.b, b.a)
  end
  local _, both, _, shared = likeness(a, b)
  return a.negative ~= b.negative and both >= 0.8 and shared >= 2
end

local BASE = { instructions = 0.1, guide = 0, memory = 0.05, chat = 0.05, log = 0, decision = 0, review = 0,
  notes = -0.05 }

--- The confidence in one statement, from its wording and place.
---@param marks table
---@param unit table
---@return number
function M.confidence(marks, unit)
  local value = 0.5
  if marks.negative or marks.preference or marks.request or marks.should then value = 0.6 end
  if marks.strong or marks.always or marks.never or marks.decided or marks.norm then value = 0.7 end
  if marks.label then value = 0.8 end
  value = value + (BASE[unit.kind] or 0)
  if marks.correction then value = value + 0.1 end
  if marks.hedge then value = value - 0.15 end
  if marks.habit then value = value - 0.05 end
  return math.max(0.2, math.min(0.9, value))
end

local function again(confidence, other)
  return math.min(0.97, 1 - (1 - math.max(confidence, other)) * 0.6)
end

local function add_place(item, place)
  for _, known in ipairs(item.evidence) do
    if known == place then return false end
  end
  item.evidence[#item.evidence + 1] = place
  return true
end

-- Limits of comparison: with preferences that share a word, and with all others.
local bucket_cap, conflict_cap = 40, 300

-- The item with the same meaning as a statement.
local function find_same(statement, buckets)
  local looked = {}
  for word in pairs(statement.bag) do
    local bucket = buckets[word] or {}
    for i = 1, math.min(#bucket, bucket_cap) do
      local item = bucket[i]
      if not looked[item] then
        looked[item] = true
        if same(item, statement) then return item end
      end
    end
  end
end

local function no_pause() end

--- Merges statements that say the same. Each is {text, negative, a, b, confidence, place, unit, marks}.
---@param statements table[]
---@param pause fun()? called now and then
---@return table[] items, integer conflicts
function M.merge(statements, pause)
  local items, buckets, known = {}, {}, {}
  pause = pause or no_pause
  for _, statement in ipairs(statements) do
    pause()
    local target = known[statement.text]
    if not target then
      statement.bag, statement.size = bag(statement.text)
      target = find_same(statement, buckets)
      known[statement.text] = target or statement
    end
    if target then
      if add_place(target, statement.place) then target.confidence = again(target.confidence, statement.confidence) end
      target.firsthand = target.firsthand or statement.firsthand
      if not target.stands_in then target.stands_in = statement.stands_in end
      for mark in pairs(statement.marks or {}) do target.marks[mark] = true end
    else
      local item = statement
      item.evidence = { statement.place }
      items[#items + 1] = item
      for word in pairs(item.bag) do
        buckets[word] = buckets[word] or {}
        table.insert(buckets[word], item)
      end
    end
  end
  local conflicts = 0
  for i = 1, math.min(#items, conflict_cap) do
    pause()
    for j = i + 1, math.min(#items, conflict_cap) do
      if against(items[i], items[j]) then
        conflicts = conflicts + 1
        items[i].conflict, items[j].conflict = items[j], items[i]
        items[i].confidence, items[j].confidence = math.min(0.4, items[i].confidence), math.min(0.4,
          items[j].confidence)
      end
    end
  end
  for _, item in ipairs(items) do item.topic = placing.topic(item.text) end
  table.sort(items, function(x, y)
    if x.confidence ~= y.confidence then return x.confidence > y.confidence end
    if x.evidence[1] ~= y.evidence[1] then return x.evidence[1] < y.evidence[1] end
    return x.text < y.text
  end)
  return items, conflicts
end

return M
