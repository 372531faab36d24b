--- Decides how far a place speaks in rules: a sentence under "Conventions" is one even if it does not say so, a
--- sentence under "Architecture" is none unless it says so.
local find, gsub, lower = string.find, string.gsub, string.lower

local M = {}

local function list(text)
  local result = {}
  for pattern in string.gmatch(text, "%S+") do result[#result + 1] = "%f[%w\128-\255]" .. gsub(pattern, "~", " ") end
  return result
end

-- Each begins a word; ~ stands for a space.
local RULES = list [[rules? convention guideline standard principle preference prefer style etiquette house~
  how~to~work how~we~%l how~i~%l how~to~write what~we~expect ways~of~working working~agreement working~with agreement
  expectation do'?s do~not don't don'?ts dos~and never always must start$ stop$ continue$ keep$ lessons? learn
  takeaway insight feedback correction
  likes dislikes wants wishes care~about we~want~to~change agreed decided policy policies practice tone voice answers
  communication talking~to commits? commit~ branch pull~request merge~request code~review reviewing remember
  non%-negotiable pet~peeve habits quality~bar handbook definition~of~done next~time next~runs for~future in~future
  from~now~on what~i~expect dealing~with working~style coding guardrail boundaries regel konvention stil richtlinie
  vorgabe arbeitsweise vorlieben wünsche beschl gelernt grundsätze schreibstil schreibweise gewohnheit règle
  préférence bonnes~pratiques regla preferencia convenci estilo acuerdo afspraken voorkeur regole stile]]
local FACTS = list [[set-?~?up install getting~started getting~access onboarding quick~?start prerequisite architect
  structure layout overview about~the~project background stack tech~ components? services? module director files?
  commands? usage examples? faq trouble known~issues status links? resources? references? contacts? team~members
  people~ credential secrets? environment data~model glossary history changelog roadmap todo to~do ideas
  open~questions next~steps personal~ what~went what~happened timeline results? action~items attendees present agenda
  budget costs? incident alternatives context considered rejected options obsolete deprecated superseded old~
  requirements? features? motivation summary acknowledg license support glossar architektur aufbau einrichtung
  überblick offene kontakte umgebung beispiele statut équipe estado equipo api~reference typical~workflow]]

local function any(text, patterns)
  for i = 1, #patterns do
    if find(text, patterns[i]) then return true end
  end
  return false
end

local said = {}

--- The level of a heading, a key or a file name: "rules", "facts", or nil if it shows neither.
---@param text string
---@return "rules"|"facts"|nil
function M.of(text)
  -- The same few headings and keys come again and again.
  if said[text] == nil then said[text] = M.look(text) or false end
  return said[text] or nil
end

---@private
function M.look(text)
  local low = lower(gsub(gsub(text, "Ü", "ü"), "[_`%*#]", " "))
  -- "Review of pull request 118" is about one, not about all.
  if find(low, "%d%d") or find(low, " of the ") then return nil end
  if find(low, "^%W*not ") or find(low, "^%W*no ") or find(low, "^%W*non%-") and not find(low, "negotiable") then
    return "facts"
  end
  if any(low, RULES) then return "rules" end
  -- The last word of a path of keys or headings counts; "project rules" is above that.
  if any(low, FACTS) then return "facts" end
end

local FILES = { "rules", "convention", "writing", "how[-_]we", "naming", "coding", "handbook", "cursorrules",
  "windsurfrules", "clinerules", "copilot%-instructions", "code[-_]?style", "guideline", "style", "preference",
  "standards", "etiquette", "lessons", "learned", "learnings", "stil%f[%A]", "regeln", "richtlinien", "konventionen",
  "feedback", "practices", "house[-_ ]?rules", "working[-_ ]?agreement", "manners", "principles", "policy",
  "policies", "schreibstil", "reglas", "normas", "regles" }

--- True if a file of such a name is made of rules.
---@param path string
---@return boolean
function M.file(path)
  local name = lower(string.match(path, "[^/]*$"))
  for i = 1, #FILES do
    if find(name, FILES[i]) then return true end
  end
  return false
end

--- Follows the headings of a text: returns a function that takes each, and returns the level of the text below.
---@param base "rules"|"facts"|nil
---@return fun(depth: integer, heading: string): string?
function M.follow(base)
  local open = {}
  return function(depth, heading)
    for level in pairs(open) do
      if level >= depth then open[level] = nil end
    end
    local says = M.of(heading)
    local above = base
    for level = 1, depth - 1 do above = open[level] or above end
    open[depth] = says or above
    -- The title of a text about rules makes all of it rules; "Overview" as a title does not decide about its parts.
    if depth == 1 and says == "facts" then open[depth] = base end
    return says or above
  end
end

return M
