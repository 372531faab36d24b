--- The speaker of a line in a conversation.
local set = require("moonlet.text").set

local find, lower, match, sub = string.find, string.lower, string.match, string.sub

local M = {}

M.user = set "user human me"
local OTHERS = set [[assistant agent claude codex gemini gpt chatgpt copilot ai bot system tool model sidecar reviewer
  function result output ci jenkins github dependabot renovate]]

--- The speaker that a line names by their role, and the start of their words.
---@param text string
---@return "user"|"other"|nil speaker, integer? rest
function M.role(text)
  local name, rest = match(text, "^[%s#]*%*?%*?(%a+)%*?%*?:%*?%*?%s*()")
  if not name then name, rest = match(text, "^#+%s*(%a+)%s*()$") end
  local low = name and lower(name)
  if low and M.user[low] and low ~= "me" then return "user", rest end
  if low and OTHERS[low] then return "other", rest end
end

local NICK = "([%a\128-\255][%w\128-\255%._%-]*)"
-- ann 10:02, with her words in the lines below.
local HEADER = "^%**" .. NICK .. "%**%s+%[?%(?%d%d?:%d%d[%d:]*%s?[APap]?[Mm]?%]?%)?%s*$"

local FORMS = {
  -- [2024-03-12 09:14] torben: …
  "^%[?%d[%d%-:/%.T ,APMapmZ]+%]?[%s%-–|]+<?@?" .. NICK .. ">?:%s+()",
  -- 09:14 <torben> …
  "^%[?%d[%d%-:/%.T ,]+%]?%s+<[@%+]?" .. NICK .. ">%s+()",
  "^<[@%+]?" .. NICK .. ">%s+()",
  -- torben (09:14): …
  "^%**" .. NICK .. "%** [%(%[]%d%d?:%d%d[%d:]*%s?[APap]?[Mm]?[%)%]]:?%s+()",
}
-- Ann: …, **Ann Lee:** …
local NAMED = "^[%-%*%s]*%**([%u\195-\197][%l\128-\255]+)%s?[%u%.]?[%l\128-\255]*%**:%**%s+()"
-- Behind these stands no speech.
local LABELS = set [[note notes present attendees date time subject from to cc re author title status decision why run
  follow context todo action actions done next blocked result results question answer example rule rejected cause
  impact symptom fix summary risk risks owner due source type scope tested agenda minutes anwesend protokoll beschluss
  offen datum ort thema pros cons warning error tip info important reason rationale topic goal input output]]

local function find_speaker(text)
  local header = match(text, HEADER)
  if header then return header, #text + 1, true end
  for i = 1, #FORMS do
    local name, rest = match(text, FORMS[i])
    if name then return name, rest, true end
  end
  local part, said = match(text, "^%**(%l+)%**:%**%s+()")
  if part and (M.user[part] or OTHERS[part]) then return part, said, false end
  local name, rest = match(text, NAMED)
  if name and not LABELS[lower(name)] then return name, rest, false end
end

--- The speakers of a text, if it is a conversation of people: the names, lower case.
---@param lines {text: string}[]
---@return table<string, boolean>? speakers
function M.speakers(lines)
  local counts, total, filled, stamped = {}, 0, 0, 0
  for i = 1, #lines do
    if find(lines[i].text, "%S") then filled = filled + 1 end
    local name, _, sure = find_speaker(lines[i].text)
    if name then
      name = lower(name)
      counts[name], total = (counts[name] or 0) + 1, total + 1
      if sure then stamped = stamped + 1 end
    end
  end
  local speakers, again, distinct = {}, false, 0
  for name, count in pairs(counts) do
    speakers[name], distinct = true, distinct + 1
    again = again or count >= 2
  end
  -- A log has a time in each line too, and programs in the place of people: many of them, or one alone.
  if total < 3 or not again or distinct < 2 or distinct > 30 then return nil end
  if total * 2 < filled and stamped * 3 < filled and total < 6 then return nil end
  return speakers
end

--- The speaker of a line of a conversation of people.
---@param text string
---@param speakers table<string, boolean>
---@return "user"|"team"|"other"|nil speaker, integer? rest
function M.line(text, speakers)
  local name, rest = find_speaker(text)
  if not name then return nil end
  name = lower(name)
  if not speakers[name] then return nil end
  if M.user[name] then return "user", rest end
  if OTHERS[name] or find(name, "bot$") then return "other", rest end
  return "team", rest
end

--- A sentence without its speaker's name: "Ann: agreed, …".
---@param text string
---@param speakers table<string, boolean>?
---@return string
function M.unnamed(text, speakers)
  local name, rest = match(text, "^%**([%u\195-\197][%l\128-\255]+)%**:%**%s+()")
  if name and speakers and speakers[lower(name)] then return sub(text, rest) end
  return text
end

return M
