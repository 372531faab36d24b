--- Journals `ctx:finally`. Every time a body exits, its finalizers run under a fresh key, `#finally@N`. On resume
--- they are replayed only if the body exits with the same status and ran no step since. Completed agent calls of an
--- earlier exit are reused in any case, and calls still in flight are taken up.
local past_spend = require "moonlet.engine.journal.past_spend"

local M = {}

---@class moonlet.Ending
---@field number integer
---@field key string      prefix of the clean-up's steps
---@field how string      "ok", or the kind of the error that the body ended with
---@field over boolean?   the body has gone on since, or is tried again
---@field settled boolean? its in-flight steps have ended since

local function key_of(path, number)
  -- No name of a step holds a "#".
  return ("%s#finally@%d"):format(path == "" and "" or path .. "/", number)
end

--- Distinguishes the key of a clean-up's step from all others.
---@param key string
---@return boolean
function M.holds(key) return key:find("#finally@", 1, true) ~= nil end

--- Calls fn(path, …) for each body around the step `key`, the outermost first.
local function each_around(key, fn, ...)
  fn("", ...)
  past_spend.each_around(key, fn, ...)
end

local function touch_path(path, endings, key)
  local ending = endings[path]
  if not ending or ending.over then return end
  -- Steps that an earlier clean-up left in flight are none of the body's.
  local own = (path == "" and "" or path .. "/") .. "#finally@"
  if key:sub(1, #own) ~= own then ending.over = true end
end

--- Something has happened in the step `key`: the bodies around it have not ended as they had.
---@param endings table<string, moonlet.Ending>
---@param key string
function M.touch(endings, key)
  if next(endings) then each_around(key, touch_path, endings, key) end
end

--- The step `key` begins: if it belongs to clean-ups, it is noted for each of them.
---@param cleanups table<string, string[]>  key of an ending -> the steps below it
---@param key string
function M.begin(cleanups, key)
  local _, last = key:find("#finally@%d+/")
  while last do
    local around = key:sub(1, last - 1)
    cleanups[around] = cleanups[around] or {}
    table.insert(cleanups[around], key)
    _, last = key:find("#finally@%d+/", last + 1)
  end
end

-- A timeout is none of them: its key is not that of a step, and it only ends steps that have happened.
local happens = { begin = true, ["end"] = true, fact = true, answer = true }

--- Takes in a record of the journal.
---@param endings table<string, moonlet.Ending>
---@param item table
function M.read(endings, item)
  if not happens[item.type] then return end
  M.touch(endings, item.key)
  if item.type ~= "fact" then return end
  local path, number = item.key:match("^(.*)#finally@(%d+)$")
  if not path then return end
  endings[path:gsub("/$", "")] = { number = math.tointeger(tonumber(number)) or 0, key = item.key, how = item.result }
end

--- Forgets exits when the run is retried: it exits anew, and so do bodies that failed.
---@param endings table<string, moonlet.Ending>
---@param all boolean?
function M.forget(endings, all)
  for path, ending in pairs(endings) do
    if all or path == "" or ending.how ~= "ok" then ending.over = true end
  end
end

--- A key as it would be in any ending of its body.
local function of_any(key) return (key:gsub("#finally@%d+", "#finally@")) end

--- The steps of agents in other endings of the body that stand where this one does: those with an answer first, and the
--- latest of them.
---@param journal moonlet.Journal
---@param key string
---@return string[]
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
  if not ending or not ending.over or ending.settled or key:sub(1, #ending.key + 1) == ending.key .. "/" then return end
  ending.settled = true
  found[#found + 1] = ending.key
end

--- The clean-ups whose body has resumed before the step `key`, each of them once.
---@param endings table<string, moonlet.Ending>
---@param key string
---@return string[] keys  below which their steps are
function M.gone_by(endings, key)
  local found = {}
  if next(endings) then each_around(key, settle, endings, key, found) end
  return found
end

--- The key below which the finalizers of the body at `path` run: the last one if the body exits as it did then, else
--- a fresh one.
---@param endings table<string, moonlet.Ending>
---@param path string
---@param how string
---@return string key
function M.key(endings, path, how)
  local last = endings[path]
  if last and not last.over and last.how == how then return last.key end
  local number = last and last.number + 1 or 1
  endings[path] = { number = number, key = key_of(path, number), how = how }
  return endings[path].key
end

return M
