--- Checks closed records, which are tables of options with known keys.
--- The error for a wrong key suggests the nearest known key.
--- The records of a run are in moonlet.engine.journal.records.
---@class moonlet.record
local M = {}

--- Returns the edit distance with transpositions. Returns `limit` + 1 at once if the lengths differ
--- by more than `limit`.
--- ```lua
--- m.record.distance("prompt", "promt", 2) --> 1
--- ```
---@param a string
---@param b string
---@param limit integer
---@return integer
function M.distance(a, b, limit)
  if math.abs(#a - #b) > limit then return limit + 1 end
  local before, previous = {}, {}
  for j = 0, #b do previous[j] = j end
  for i = 1, #a do
    local current = { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        best = math.min(best, before[j - 2] + 1)
      end
      current[j] = best
    end
    before, previous = previous, current
  end
  return previous[#b]
end

--- Returns the nearest of some names to a misspelt name, or nil.
--- ```lua
--- m.record.nearest("promt", { "prompt", "schema" }) --> "prompt"
--- ```
---@param name string
---@param names string[]
---@return string?
function M.nearest(name, names)
  if #name > 64 then return nil end
  local limit = math.max(1, #name // 3)
  local best, best_distance
  for _, candidate in ipairs(names) do
    local d = M.distance(name:lower(), candidate:lower(), limit)
    if candidate:sub(1, #name) == name and #name >= 3 then d = math.min(d, 1) end
    if d <= limit and (not best_distance or d < best_distance) then
      best, best_distance = candidate, d
    end
  end
  return best
end

local most_listed = 60

--- Returns a hint for a misspelt name: "did you mean 'x'?", or a list of the known names.
--- ```lua
--- m.record.suggest("promt", { "prompt", "schema" }) --> "did you mean 'prompt'?"
--- ```
---@param name string
---@param names string[]
---@return string
function M.suggest(name, names)
  names = { table.unpack(names) }
  table.sort(names)
  local near = M.nearest(name, names)
  if near then return ("did you mean '%s'?"):format(near) end
  if #names == 0 then return "there is none" end
  local more = #names - most_listed
  return "known are: " .. table.concat(names, ", ", 1, math.min(#names, most_listed))
    .. (more > 0 and (" and %d more"):format(more) or "")
end

--- Maps option names of other tools to moonlet's names.
local synonyms = {}
for name, others in pairs {
  schema = "returns output_schema response_format response_schema json_schema outputSchema output",
  timeout = "timeout_ms timeout_s timeout_seconds timeout_sec max_time deadline time_limit",
  idle = "idle_timeout idle_timeout_ms",
  limit = "max_parallel max_concurrency concurrency parallel workers jobs width total max",
  need = "min_success quorum at_least required", settle = "all_settled allSettled catch",
  argv = "command cmd args", cwd = "directory dir workdir working_directory", env = "environment",
  prompt = "instructions message text", text = "question", name = "label title id",
  role = "system_prompt", runner = "agent provider engine", model = "llm",
  retry = "retries max_retries max_attempts", turns = "max_turns", inputs = "files attachments",
  writes = "write writable", in_place = "inplace", network = "network_access",
  web_search = "web search", summary = "description help",
  args = "arguments params inputs parameters", needs = "permissions grants allow",
  run = "main handler", choices = "enum options", default = "default_value", left = "remaining",
  exec = "shell sh system popen", used = "spent", usd = "money cost dollars", wall = "time",
  agents = "calls",
} do
  for other in others:gmatch "%S+" do synonyms[other] = name end
end

local examples = { timeout = 'timeout = "8m", or seconds', idle = 'idle = "10m", or seconds' }

--- Returns a hint for an unknown name. The hint is moonlet's option with the same meaning, or else
--- the most similar known name.
--- ```lua
--- m.record.hint("output_schema", { schema = "table" }) --> "write schema"
--- ```
---@param name string
---@param known table<string, any>
---@return string
function M.hint(name, known)
  local own = synonyms[name]
  if own and known[own] ~= nil then return "write " .. (examples[own] or own) end
  local names = {}
  for key in pairs(known) do
    if type(key) == "string" then names[#names + 1] = key end
  end
  return M.suggest(name, names)
end

--- Makes an error table of kind `invalid`.
--- ```lua
--- m.record.invalid("no such lens", "name one of errors, risks").kind --> "invalid"
--- ```
---@param message string
---@param hint string?
---@param at string?
---@return moonlet.Error
function M.invalid(message, hint, at)
  return { kind = "invalid", message = message, hint = hint, at = at or core.text.place() }
end

--- Raises an error of kind `invalid`.
--- Errors: `invalid` always.
--- ```lua
--- select(2, pcall(m.record.refuse, "no such lens", "name one of errors, risks")).kind --> "invalid"
--- ```
---@param message string
---@param hint string?
---@param at string?
function M.refuse(message, hint, at) error(M.invalid(message, hint, at), 0) end

local function type_name(value)
  if math.type(value) == "integer" then return "integer" end
  return type(value)
end

local accepts = {
  any = function() return true end,
  duration = function(v) return type(v) == "string" or type(v) == "number" end,
  integer = function(v) return math.type(v) == "integer" end,
  list = function(v) return type(v) == "table" end,
  callable = function(v) return type(v) == "function" end,
}

-- Caches the parsed form of each field type.
local wishes = {}

local function wish_of(wanted)
  local wish = wishes[wanted]
  if wish then return wish end
  local name, mark = wanted:match "^(.-)(!?)$"
  wish = { options = {}, required = mark == "!", is_list = name == "list" }
  for option in name:gmatch "[^|]+" do wish.options[#wish.options + 1] = option end
  wishes[wanted] = wish
  return wish
end

local function fits(wish, value)
  for _, option in ipairs(wish.options) do
    local test = accepts[option]
    if test and test(value) or type(value) == option then return true end
  end
  return false
end

--- Returns the index of the first nil in a list with holes, or nil.
--- ```lua
--- m.record.hole { "a", nil, "c" } --> 2
--- ```
---@param list table
---@return integer? index
function M.hole(list)
  local size = 0
  while rawget(list, size + 1) ~= nil do size = size + 1 end
  for key in pairs(list) do
    if math.type(key) == "integer" and key > size then return size + 1 end
  end
end

--- Describes the first part of a value that JSON cannot encode, with its path.
--- ```lua
--- m.record.fault({ scores = { 1, nil, 3 } }, "result") --> "result.scores: item 2 is nil"
--- ```
---@param value any
---@param path string  name of the value in messages
---@param depth integer?
---@return string? fault
function M.fault(value, path, depth)
  depth = depth or 0
  local kind = type(value)
  if kind == "function" or kind == "thread" then return ("%s is a %s"):format(path, kind) end
  if kind == "number" and (value ~= value or value == -math.huge) then
    return ("%s is %s, which JSON cannot hold"):format(path,
      value ~= value and "NaN" or "-infinity")
  end
  if kind ~= "table" then return nil end
  if depth > 100 then
    return ("%s… nests deeper than 100 levels, or contains itself"):format(path:sub(1, 40))
  end
  local hole = M.hole(value)
  if hole then return ("%s: item %d is nil"):format(path, hole) end
  local listed = #value > 0
  for key, item in pairs(value) do
    if math.type(key) ~= "integer" and listed then
      return ("%s is a list, and has the field '%s' too"):format(path,
        core.text.printable(tostring(key), 60))
    end
    if type(key) ~= "string" and math.type(key) ~= "integer" then
      return ("%s has a key that is a %s"):format(path, type(key))
    end
    local name = math.type(key) == "integer" and ("%s[%d]"):format(path, key)
      or key:find "^[%a_][%w_]*$" and path .. "." .. key or ("%s[%q]"):format(path, key)
    local fault = M.fault(item, name, depth + 1)
    if fault then return fault end
  end
end

local function with_article(name)
  return (name == "nil" and "" or name:find "^[aeiou]" and "an " or "a ") .. name
end

local function expected(wanted)
  local names = {}
  for _, option in ipairs(wish_of(wanted).options) do
    names[#names + 1] = with_article(option == "callable" and "function" or option)
  end
  return table.concat(names, " or ")
end

--- Returns a field for the example in an error, preferably a required one.
local function first_field(fields)
  local names = {}
  for name, wanted in pairs(fields) do
    if wish_of(wanted).required then return name .. " = …" end
    names[#names + 1] = name
  end
  table.sort(names)
  return names[1] and names[1] .. " = …" or ""
end

--- Checks `value` against `fields`, a map of names to types.
--- Types are those of Lua, and integer, duration, list, callable, any.
--- A trailing "!" means required; "a|b" allows either.
--- Errors: `invalid` an unknown key, a wrong type, or a missing key.
--- ```lua
--- m.record.check({ lens = "risks" }, { lens = "string!", need = "integer" }, "review")
--- select(2, pcall(m.record.check, { lenz = "risks" }, { lens = "string!" }, "review")).hint --> "did you mean 'lens'?"
--- ```
---@param value table
---@param fields table<string, string>
---@param what string name of the record in messages
---@return table value
function M.check(value, fields, what)
  if type(value) ~= "table" then
    core.lost.refuse(value)
    error(M.invalid(("%s takes one table, not %s"):format(what, with_article(type(value))),
      ("write %s { %s }"):format(what:find "^[%w_.:]+$" and what or "it as", first_field(fields))),
      0)
  end
  for key, given in pairs(value) do
    local wanted = fields[key]
    if not wanted then
      error(M.invalid(("%s has no key '%s'"):format(what, tostring(key)),
        M.hint(tostring(key), fields)), 0)
    end
    if not fits(wish_of(wanted), given) then
      core.lost.refuse(given)
      error(M.invalid(("%s.%s must be %s, not %s"):format(what, key, expected(wanted),
        with_article(type_name(given))), type(given) == "string" and wanted:find "^list"
          and ("write %s = { %q }"):format(key, given) or nil), 0)
    end
  end
  for name, wanted in pairs(fields) do
    local wish = wish_of(wanted)
    local hole = wish.is_list and value[name] ~= nil and M.hole(value[name])
    if hole then
      error(M.invalid(("%s.%s: item %d is nil"):format(what, name, hole),
        "nil ends a list: leave the item out, or write \"\" for an empty text"), 0)
    end
    if wish.required and value[name] == nil then
      error(M.invalid(("%s needs '%s'"):format(what, name)), 0)
    end
  end
  return value
end

return M
