--- Masks arguments that look like credentials before a command line is recorded.
--- The environment is a better place for credentials, but some programs only accept arguments.
local secrets = require "moonlet.secrets"

local M = {}

M.mark = "[redacted:argument]"
--- This text replaces an argument that could not be scanned.
M.unreadable = "[redacted]"
local shortest = 8
local longest_name = 200
--- A name whose last word is one of these has a secret value, as in x.api_key= or --token=.
local telling = { key = true, apikey = true, token = true, secret = true, password = true,
  passwd = true, credential = true, credentials = true, authorization = true, bearer = true }

local function is_telling(name)
  local last
  for part in name:lower():gmatch("%a+") do last = part end
  return last ~= nil and telling[last] == true
end

--- Reports whether a value may be a secret. Names of variables, numbers and paths are not secrets.
local function is_secret(value)
  return #value >= shortest and not value:find("^[%u][%u%d_]*$") and not value:find("^%d+$")
    and not value:find("^[/~.]") and not value:find(M.mark, 1, true)
end

--- Masks values such as TOKEN=value in linear time, because an argument may be a long prompt.
local function mask_assigned(word)
  local parts, kept, from = {}, 1, 1
  while true do
    local _, stop, name = word:find("%f[%w_.-]([%w_.-]+)%s*[=:]%s*[\"']?", from)
    if not stop then break end
    from = stop + 1
    local last = is_telling(name) and select(2, word:find("^[^\"',;%s}%]]+", from))
    if last then
      if is_secret(word:sub(from, last)) then
        parts[#parts + 1] = word:sub(kept, stop) .. M.mark
        kept = last + 1
      end
      from = last + 1
    end
  end
  parts[#parts + 1] = word:sub(kept)
  return table.concat(parts)
end

local function mask(word, before)
  local is_named = before and #before <= longest_name and before:find("^%-%-?[%w_-]+$")
    and is_telling(before)
  if is_named and is_secret(word) then return M.mark end
  word = word:gsub("([Bb][Ee][Aa][Rr][Ee][Rr]%s+)([%w._~+/=-]+)", function(lead, value)
    return is_secret(value) and lead .. M.mark or nil
  end)
  word = mask_assigned(word)
  local hits = secrets.scan(word)
  return #hits > 0 and (secrets.redact(word, hits)) or word
end

--- Masks one argument. `before` is the argument in front of it, which may name a secret: "--token".
--- Never raises an error, because the result of the call must not be lost if masking fails.
function M.mask(word, before)
  local ok, shown = pcall(mask, word, before)
  return ok and shown or M.unreadable
end

function M.masked(argv)
  local list = core.json.array {}
  for i, word in ipairs(argv) do
    list[i] = type(word) == "string" and M.mask(word, argv[i - 1]) or word
  end
  return list
end

--- Copies the runners with the arguments that `changed(name, args)` returns, if any.
local function with_args(runners, changed)
  local copy = {}
  for name, entry in pairs(runners) do
    copy[name] = entry
    local args = type(entry) == "table" and type(entry.args) == "table"
      and changed(name, entry.args)
    if args then
      copy[name] = {}
      for key, value in pairs(entry) do copy[name][key] = value end
      copy[name].args = args
    end
  end
  return copy
end

function M.of_runners(runners)
  return with_args(runners, function(_, args) return M.masked(args) end)
end

--- Restores masked arguments from the current config, unless it has other arguments now.
function M.restored(recorded, now)
  return with_args(recorded, function(name, args)
    local current = type(now[name]) == "table" and now[name].args
    local is_same = type(current) == "table"
      and table.concat(M.masked(current), "\0") == table.concat(args, "\0")
    return is_same and current
  end)
end

return M
