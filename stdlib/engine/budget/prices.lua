--- Reads prices of models from the user's config, in dollars per million tokens.
--- No prices are built in, because they change too often.
---
---   prices = { ["gpt-5"] = { input = 1.25, cached = 0.125, output = 10 }, ["claude-opus-*"] = { … } }
---
--- A key is a model's name and also matches its dated editions.
--- "gpt-5" matches "gpt-5-2025-08-07", but not "gpt-5-pro", which costs much more.
--- A key that ends with "*" or "-" is a prefix.
--- A model's full name has priority over a prefix, and a longer key over a shorter one.
local record = require "moonlet.record"

local M = {}

M.fields = { input = "number!", cached = "number", output = "number!" }

function M.check(price, what)
  record.check(price, M.fields, what)
  for _, name in ipairs { "input", "cached", "output" } do
    local value = price[name]
    if value and not (value >= 0 and value < 1e6) then
      record.refuse(("%s.%s must be dollars for a million tokens, 0 or more"):format(what, name))
    end
  end
end

function M.check_name(key, what)
  if key:find("*", 1, true) and key:find("*", 1, true) < #key then
    record.refuse(("%s: a * may only end a name"):format(what),
      'name each model, or write the beginning of their names, as in ["claude-*"]')
  end
end

--- Reports whether the suffix of a model's name is a date: -2025-08-07, -20250807 or @20250807.
local function is_edition(rest)
  local month, day = rest:match("^%-20%d%d%-(%d%d)%-(%d%d)$")
  if not month then month, day = rest:match("^[-@]20%d%d(%d%d)(%d%d)$") end
  return month ~= nil and month >= "01" and month <= "12" and day >= "01" and day <= "31"
end

local function fit(key, model)
  if key == model then return math.huge end
  local start = key:match("^(.*)%*$") or key:match("^.*%-$")
  if start then return model:sub(1, #start) == start and #start or nil end
  -- For "gpt-5-2025-08-07" the key "gpt-5" wins over the prefix "gpt-5*".
  if key ~= "" and model:sub(1, #key) == key and is_edition(model:sub(#key + 1)) then
    return #key + 0.5
  end
end

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

--- Estimates the cost in dollars; nil if the price or a token count is unknown.
--- Cached tokens without a price of their own cost as much as others.
function M.estimate(usage, model, prices)
  local price = M.of(model, prices)
  if not price or not usage.input_tokens or not usage.output_tokens then return nil end
  local cached = math.min(usage.cached_input_tokens or 0, usage.input_tokens)
  local cost = (usage.input_tokens - cached) * price.input + cached * (price.cached or price.input)
    + usage.output_tokens * price.output
  return cost / 1e6
end

return M
