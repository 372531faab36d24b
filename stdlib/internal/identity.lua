--- Whether something is what it was, whatever the environment has by now. Of an input, or of what was observed,
--- a record has no secret; the script of a resumed run may hold a secret where the first one held its name, or the
--- reverse, for secrets come and go with the environment.
---
--- An input has two hashes: `h` of it with the names in place of the secrets that are known, and `raw`, which is keyed,
--- of all of it; that is on record where it is another text. It is the same input where one of them fits, with
--- the secrets of then or those of now:
---   secrets were added    what was recorded as it was, has the hash of all of it
---   secrets were removed  what is given by the script has the same keyed hash; what comes from the record has
---                         the names already
---   secrets are others    the same names stand in their place
--- What is not kept of an observed text (unkept.lua) counts like a secret of the environment: what is on record in its
--- place is its name.
local unkept = require "moonlet.internal.unkept"
local values = require "moonlet.internal.values"

local M = {}

local function digest(text) return core.text.sha256(text):sub(1, 32) end

--- The input as text, as `hide` shows what of it counts by its hash.
local function text_of(input, hide)
  if not input.stdin then return core.json.encode_record(input) end
  local copy = {}
  for name, value in pairs(input) do copy[name] = value end
  copy.stdin = core.text.sha256(hide and (hide(input.stdin)) or input.stdin)
  return core.json.encode_record(copy)
end

--- As it was hashed before there were keys.
local function digest_of_old(input)
  if type(input.prompt) ~= "string" then return nil end
  local copy = {}
  for name, value in pairs(input) do copy[name] = value end
  copy.prompt = core.secret.hide(input.prompt)
  return digest(text_of(copy))
end

--- A text without the secrets that are known, and without what is not kept of what was observed.
---@param journal moonlet.Journal
---@param text string
---@return string
function M.hidden(journal, text)
  if journal.unkept[1] then text = unkept.hide(journal.unkept, text) end
  return (core.secret.hide(text))
end

--- The hash of an input: where a record has the same input, the one that it has there. What else is to be recorded
--- beside it is noted in the journal.
---@param journal moonlet.Journal
---@param input table
---@param first table?   records that may have it: { h, raw? }
---@param second table?
---@return string
function M.of(journal, input, first, second)
  local all = text_of(input)
  local known = core.secret.hide(text_of(input, core.secret.hide))
  local shown = known
  if journal.unkept[1] then
    local function hide(text) return M.hidden(journal, text) end
    shown = core.secret.hide(unkept.hide(journal.unkept, text_of(input, hide), true))
  end
  local hash = digest(shown)
  local keyed = shown ~= all and values.keyed(all) or nil
  local plain = shown ~= all and digest(all) or nil
  local old = shown ~= all and digest_of_old(input) or nil
  local function is_same(item)
    if item.h == hash or item.h == plain or item.h == old then return true end
    if shown ~= known and item.h == digest(known) then return true end
    return item.raw ~= nil and item.raw == (keyed or values.keyed(all))
  end
  for i = 1, 2 do
    local item = i == 1 and first or i == 2 and second
    if item and is_same(item) then
      journal.raws[item.h] = item.raw or keyed
      return item.h
    end
  end
  journal.raws[hash] = keyed
  return hash
end

--- What a record is to hold of a value, in its fields `v`, `whole` and `places`.
---@param journal moonlet.Journal
---@param item table
---@param value any
---@param kept any         what of the value may be kept
---@param durable boolean
function M.put(journal, item, value, kept, durable)
  local places
  if kept ~= value then unkept.learn(journal.unkept, value, kept) end
  item.v, places = values.put(kept, durable)
  if kept == value and not places then return end
  item.whole = values.keyed(values.text(value))
  -- What was left out of it cannot be put in again.
  item.places = kept == value and places or nil
end

--- What was observed once more, and is what it was.
---@param journal moonlet.Journal
---@param value any
---@param kept any   what of it is on record
function M.seen(journal, value, kept) unkept.learn(journal.unkept, value, kept) end

--- The value of a record whose secrets are known: nil where they are not, or are others by now.
---@param item table
---@return any
function M.restored(item)
  if not item.places then return nil end
  local text = values.stored_text(item.v)
  local all = text and core.secret.restore(text, item.places)
  if not all or values.keyed(all) ~= item.whole then return nil end
  return values.read(all)
end

return M
