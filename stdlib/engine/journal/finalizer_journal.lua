--- Records what finalizers (ctx:finally) did. When their body ends for the Nth time, the keys of
--- their steps start with `#finally@N`. A resume reuses these steps if the body ends in the same
--- way, and if no step of the body follows them in the journal. Agent calls in them are never paid
--- twice.
local past_spend = require "moonlet.engine.journal.past_spend"

local M = {}

---@class moonlet.Ending
---@field number integer
---@field key string      prefix of the keys of the finalizers' steps
---@field how string      "ok", or kind of the error that ended the body
---@field over boolean?   true if the body has continued since, or is retried
---@field settled boolean? true if the unfinished steps were ended

local function key_of(path, number)
  -- A step's name cannot contain "#".
  return ("%s#finally@%d"):format(path == "" and "" or path .. "/", number)
end

function M.holds(key) return key:find("#finally@", 1, true) ~= nil end

local function each_around(key, fn, ...)
  fn("", ...)
  past_spend.each_around(key, fn, ...)
end

local function touch_path(path, endings, key)
  local ending = endings[path]
  if not ending or ending.over then return end
  -- A step in the body's own clean-ups does not show that the body continues.
  local own = (path == "" and "" or path .. "/") .. "#finally@"
  if key:sub(1, #own) ~= own then ending.over = true end
end

--- Marks the recorded end of each body around a new step as outdated.
function M.touch(endings, key)
  if next(endings) then each_around(key, touch_path, endings, key) end
end

---@param cleanups table<string, string[]>  key of a clean-up -> keys of its steps
function M.begin(cleanups, key)
  local _, last = key:find("#finally@%d+/")
  while last do
    local around = key:sub(1, last - 1)
    cleanups[around] = cleanups[around] or {}
    table.insert(cleanups[around], key)
    _, last = key:find("#finally@%d+/", last + 1)
  end
end

-- Lists the kinds of records that a running body writes. A `timeout` is not among them, because it
-- starts no step.
local happens = { begin = true, ["end"] = true, fact = true, answer = true }

function M.read(endings, item)
  if not happens[item.type] then return end
  M.touch(endings, item.key)
  if item.type ~= "fact" then return end
  local path, number = item.key:match("^(.*)#finally@(%d+)$")
  if not path then return end
  endings[path:gsub("/$", "")] = { number = math.tointeger(tonumber(number)) or 0, key = item.key,
    how = item.result }
end

--- Marks the recorded ends of functions as outdated, so that their finalizers get new keys. Without
--- `all`, does so only for functions that failed, and for the whole script (path "").
function M.forget(endings, all)
  for path, ending in pairs(endings) do
    if all or path == "" or ending.how ~= "ok" then ending.over = true end
  end
end

local function of_any(key) return (key:gsub("#finally@%d+", "#finally@")) end

--- Returns the keys of the same step in earlier runs of its finalizer, the latest first. They
--- differ only in the number after `#finally@`.
function M.twins(journal, key)
  if not M.holds(key) then return {} end
  if not journal.twins then
    journal.twins = {}
    for began in pairs(journal.begins) do
      if M.holds(began) then
        local list = journal.twins[of_any(began)] or {}
        journal.twins[of_any(began)] = list
        list[#list + 1] = began
      end
    end
  end
  local found = {}
  for _, began in ipairs(journal.twins[of_any(key)] or {}) do
    if began ~= key then found[#found + 1] = began end
  end
  local function rank(began) return journal.ends[began] and journal.ends[began].order or 0 end
  table.sort(found, function(a, b)
    if rank(a) ~= rank(b) then return rank(a) > rank(b) end
    return a > b
  end)
  return found
end

local function settle(path, endings, key, found)
  local ending = endings[path]
  if not ending or not ending.over or ending.settled
      or key:sub(1, #ending.key + 1) == ending.key .. "/" then
    return
  end
  ending.settled = true
  found[#found + 1] = ending.key
end

--- Finds finalizer runs that are outdated, because the function that they cleaned up now runs a new
--- step. Returns each of them only once.
---@return string[] keys  prefixes of the keys of the clean-ups' steps
function M.gone_by(endings, key)
  local found = {}
  if next(endings) then each_around(key, settle, endings, key, found) end
  return found
end

--- Returns the key prefix for the steps of a function's finalizers. If the function ends in the same
--- way as recorded (`how`), this is the recorded prefix, so that their results are reused.
function M.key(endings, path, how)
  local last = endings[path]
  if last and not last.over and last.how == how then return last.key end
  local number = last and last.number + 1 or 1
  endings[path] = { number = number, key = key_of(path, number), how = how }
  return endings[path].key
end

return M
