--- What models cost, as the user's config says: dollars for a million tokens. Prices change too often
--- for any to be built in.
---
---   prices = { ["gpt-5.3-codex-spark"] = { input = 1.25, cached = 0.125, output = 10 }, ["claude-"] = { … } }
---
--- A key is a model's name, or the beginning of one: the longest that fits wins.
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

--- The price of a model, or nil.
---@param model string?
---@param prices table?
---@return {input: number, cached: number?, output: number}?
function M.of(model, prices)
  if not model or not prices then return nil end
  local best, length
  for key, price in pairs(prices) do
    if type(key) == "string" and model:sub(1, #key) == key and (not length or #key > length) then
      best, length = price, #key
    end
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
