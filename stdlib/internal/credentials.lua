--- Command lines as they may be put on record: what looks like a credential in one is left out. The
--- environment is the better place for those, but some programs take them nowhere else.
local secrets = require "moonlet.secrets"

local M = {}

M.mark = "[redacted:argument]"
local shortest = 8
--- What a name is made of that is given a secret: x.api_key=, --token=, experimental_bearer_token=.
local telling = { key = true, apikey = true, token = true, secret = true, password = true, passwd = true,
  credential = true, credentials = true, authorization = true, bearer = true }

local function is_telling(name)
  local last
  for part in name:lower():gmatch("%a+") do last = part end
  return last ~= nil and telling[last] == true
end

--- Names of variables, numbers and paths are no secrets.
local function is_secret(value)
  return #value >= shortest and not value:find("^[%u][%u%d_]*$") and not value:find("^%d+$")
    and not value:find("^[/~.]") and not value:find(M.mark, 1, true)
end

--- One argument. `before`: the one in front of it, which may be the name that it is the value of.
---@param word string
---@param before string?
---@return string
function M.mask(word, before)
  if before and before:find("^%-%-?[%w_-]+$") and is_telling(before) and is_secret(word) then return M.mark end
  local function hide(lead, value) return is_secret(value) and lead .. M.mark or nil end
  word = word:gsub("([Bb][Ee][Aa][Rr][Ee][Rr]%s+)([%w._~+/=-]+)", hide)
  word = word:gsub("([%w_.-]+)(%s*[=:]%s*[\"']?)([^\"',;%s}%]]+)", function(name, sign, value)
    return is_telling(name) and hide(name .. sign, value) or nil
  end)
  local hits = secrets.scan(word)
  return #hits > 0 and (secrets.redact(word, hits)) or word
end

--- A whole command line.
---@param argv string[]
---@return string[]
function M.masked(argv)
  local list = core.json.array {}
  for i, word in ipairs(argv) do list[i] = type(word) == "string" and M.mask(word, argv[i - 1]) or word end
  return list
end

local function same(a, b)
  if #a ~= #b then return false end
  for i, word in ipairs(a) do
    if b[i] ~= word then return false end
  end
  return true
end

--- The runners of the config with the arguments of each as they may be put on record.
---@param runners table
---@return table
function M.of_runners(runners)
  local copy = {}
  for name, entry in pairs(runners) do
    copy[name] = entry
    if type(entry) == "table" and type(entry.args) == "table" then
      copy[name] = {}
      for key, value in pairs(entry) do copy[name][key] = value end
      copy[name].args = M.masked(entry.args)
    end
  end
  return copy
end

--- The runners of a record, with the credentials of the config as it is now where some were left out.
---@param recorded table
---@param now table
---@return table
function M.restored(recorded, now)
  local copy = {}
  for name, entry in pairs(recorded) do
    copy[name] = entry
    local current = type(now[name]) == "table" and now[name].args
    if type(entry) == "table" and type(entry.args) == "table" and type(current) == "table"
      and same(M.masked(current), entry.args) then
      copy[name] = {}
      for key, value in pairs(entry) do copy[name][key] = value end
      copy[name].args = current
    end
  end
  return copy
end

return M
