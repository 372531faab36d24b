--- The prices of models, from the user's config: dollars for a million tokens. Prices change too often for any to
--- be built in.
---
---   prices = { ["gpt-5"] = { input = 1.25, cached = 0.125, output = 10 }, ["claude-opus-*"] = { … } }
---
--- A key is a model's name, which is also that of its dated editions: "gpt-5" is "gpt-5-2025-08-07" and not
--- "gpt-5-pro", which costs twelve times as much. One that ends with "*" or "-" is the beginning of names.
--- A name wins over a beginning, a long one over a short one.
local record = require "moonlet.record"

local M = {}

M.fields = { input = "number!", cached = "number", output = "number!" }

--- Checks one entry; raises `invalid`.
---@param price table
---@param what string
function M.check(price, what)
  record.check(price, M.fields, what)
  for _, name in ipairs { "input", "cached", "output" } do
    local value = price[name]
    if value and not (value >= 0 and value < 1e6) then
      error(record.invalid(("%s.%s must be dollars for a million tokens, 0 or more"):format(what, name)), 0)
    end
  end
end

--- Checks what an entry is for; raises `invalid`.
---@param key string
---@param what string
function M.check_name(key, what)
  if key:find("*", 1, true) and key:find("*", 1, true) < #key then
    error(record.invalid(("%s: a * stands at the end of a name alone"):format(what),
      'name each model, or write the beginning of their names, as in ["claude-*"]'), 0)
  end
end

--- True if a suffix of a model's name is the day of an edition: -2025-08-07, -20250807 or @20250807.
local function is_edition(rest)
  local month, day = rest:match("^%-20%d%d%-(%d%d)%-(%d%d)$")
  if not month then month, day = rest:match("^[-@]20%d%d(%d%d)(%d%d)$") end
  return month ~= nil and month >= "01" and month <= "12" and day >= "01" and day <= "31"
end

--- How well a key fits a model; nil where it does not.
local function fit(key, model)
  if key == model then return math.huge end
  local start = key:match("^(.*)%*$") or key:match("^.*%-$")
  if start then return model:sub(1, #start) == start and #start or nil end
  -- Half a letter more than a beginning that is as long.
  if key ~= "" and model:sub(1, #key) == key and is_edition(model:sub(#key + 1)) then return #key + 0.5 end
end

--- The price of a model, or nil.
---@param model string?
---@param prices table?
---@return {input: number, cached: number?, output: number}?
function M.of(model, prices)
  if not model or not prices then return nil end
  local best, most
  for key, price in pairs(prices) do
    local how = type(key) == "string" and fit(key, model)
    if how and (not most or how > most) then best, most = price, how end
  end
  return best
end

--- Dollars; nil where a price or a count is not known. Without a price of its own, what came from a
--- cache costs as much as the rest.
---@param usage table
---@param model string?
---@param prices table?
---@return number?
function M.estimate(usage, model, prices)
  local price = M.of(model, prices)
  if not price or not usage.input_tokens or not usage.output_tokens then return nil end
  local cached = math.min(usage.cached_input_tokens or 0, usage.input_tokens)
  local cost = (usage.input_tokens - cached) * price.input + cached * (price.cached or price.input)
    + usage.output_tokens * price.output
  return cost / 1e6
end

return M
