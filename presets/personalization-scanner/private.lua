--- Finds private text by its form: addresses, phone and card numbers, home folders, credentials.
--- Names of people have no fixed form, so the whole line around private text is dropped.
local m = require "moonlet"
local redaction = require "moonlet.redaction"
local set = require("moonlet.text").set

local find, gsub, match, sub = string.find, string.gsub, string.match, string.sub

local M = {}

local function mail(text, _, add)
  local at = find(text, "@", 1, true)
  while at do
    local user = match(sub(text, math.max(1, at - 64), at - 1), "[%w%.%+_%%-]+$")
    local host = match(sub(text, at + 1, at + 254), "^[%w%-]+%.[%w%.%-]*%w")
    if user and host then add(at - #user, at + #host, "mail address") end
    at = find(text, "@", at + 1, true)
  end
end

--- Computes the Luhn checksum, which card numbers pass and other numbers seldom do.
local function is_card(digits)
  if #digits < 13 or #digits > 19 then return false end
  local sum = 0
  for i = #digits, 1, -1 do
    local digit = tonumber(sub(digits, i, i))
    if (#digits - i) % 2 == 1 then digit = digit > 4 and 2 * digit - 9 or 2 * digit end
    sum = sum + digit
  end
  return sum % 10 == 0
end

local LINES = set "tel telephone phone mobile cell fax call sms"

local function is_phone(number, digits, before)
  if #digits < 7 or #digits > 15 then return false end
  if sub(number, 1, 1) == "+" or find(number, "^%(%d+%)") then return true end
  local word = match(before, "(%a+)[%.:%s]*$")
  if word and LINES[word] then return true end
  -- Dates, times and versions have separators like phone numbers, so skip them.
  if find(number, "^[12][09]%d%d[%-/ %.]?[01]%d") or find(number, "^%d+%.%d+%.%d+$") then return end
  local groups = select(2, gsub(number, "%d+", ""))
  return find(number, "^%d%d%d[%-%.]%d%d%d%d$") or #digits >= 9 and groups >= 2 and groups <= 6
end

local function numbers(text, low, add)
  for from, number in string.gmatch(text, "%f[%w+(]()([%+%(]?%d[%d %(%)%-%./]+%d)") do
    local digits, before = gsub(number, "%D", ""), sub(low, math.max(1, from - 16), from - 1)
    local kind = is_card(digits) and "card" or is_phone(number, digits, before) and "phone"
    if kind then add(from, from + #number - 1, kind) end
  end
end

local FORMS = {
  { "%f[%w]()%u%u%d%d ?%w%w%w%w ?%w%w%w%w ?%w%w%w%w[%w ]*()", "account number" },
  { "%f[%w.]()%d%d?%d?%.%d%d?%d?%.%d%d?%d?%.%d%d?%d?()", "address of a machine" },
  { "()/home/[%w._-]+()", "home folder" }, { "()[/\\]Users[/\\][%w._-]+()", "home folder" },
}

local function forms(text, _, add)
  for _, form in ipairs(FORMS) do
    for from, to in string.gmatch(text, form[1]) do add(from, to - 1, form[2]) end
  end
end

-- Finds words that look random, such as a password without a label.
local function random(text, _, add)
  for from, word in string.gmatch(text, "()([%w%+%*&#^!$%%_-]+)") do
    if #word >= 14 and find(word, "%l") and find(word, "%u") and find(word, "%d")
      and (find(word, "%l%d+%a") or find(word, "%u%d+%a") or find(word, "[&*#^!$%%]%w")) then
      add(from, from + #word - 1, "word drawn at random")
    end
  end
end

local SCANNERS = { redaction.credentials, { class = "personal", scan = function(text, low, add)
  for _, scan in ipairs { mail, numbers, forms, random } do scan(text, low, add) end
end } }

function M.holds(text) return redaction.holds(text, SCANNERS) ~= nil end

---@class scanner.Input
---@field label string                 path of the input, or "input 2" if the path itself is private
---@field path string
---@field lines table<integer, string|false>  false marks a dropped line
---@field left_out integer             number of dropped lines

--- Splits an input into lines. A line with private text becomes false.
---@param input moonlet.Input
---@param number integer
---@return scanner.Input
function M.lines(input, number)
  local text = gsub(m.prompt.clean(input.text or ""), "^\239\187\191", "")
  local lines, starts, at = {}, {}, 1
  for from, line in string.gmatch(text, "()([^\n]*)\n?") do
    if from <= #text then lines[#lines + 1], starts[#starts + 1] = line, from end
  end
  local left_out = 0
  for _, hit in ipairs(redaction.scan(text, SCANNERS)) do
    while at < #lines and starts[at + 1] <= hit.from do at = at + 1 end
    for i = at, #lines do
      if starts[i] > hit.to then break end
      if lines[i] then lines[i], left_out = false, left_out + 1 end
    end
  end
  local path = input.path or input.spec
  local label = M.holds(path) and "input " .. number or path
  return { label = label, path = path, lines = lines, left_out = left_out }
end

return M
