--- Hashes inputs so that a resumed run recognizes them even if secrets of the environment changed.
--- Records contain the name of a secret in place of its value.
---
--- The field `h` is the hash of an input after names have replaced its secrets.
--- If the input has secrets, `raw` is the keyed hash of the full text.
--- An input equals the recorded input in each of these cases:
---   Both have the same `h`. A secret's value may have changed, because only its name is hashed.
---   The plain hash of the full text is the recorded `h`. A text has become a secret meanwhile.
---   The keyed hash of the full text is the recorded `raw`. A text is not a secret any more.
--- Redacted parts of an observed text (redactions.lua) are treated like secrets.
--- The text that replaces a redacted part serves as its name.
local infrastructure_error = require "moonlet.engine.base.infrastructure_error"
local records = require "moonlet.engine.journal.records"
local redactions = require "moonlet.engine.journal.redactions"
local values = require "moonlet.engine.journal.values"

local M = {}

local function digest(text) return core.text.sha256(text):sub(1, 32) end

--- Encodes an input as JSON. If the input is not valid UTF-8, encodes its bytes, because the JSON
--- encoder would replace them.
local function encode(input)
  local text = core.json.encode_record(input)
  return text:find("\u{FFFD}", 1, true) and values.text(input) or text
end

--- Returns the text to hash. It contains a hash of stdin in place of stdin. `hide` removes secrets
--- from stdin first.
local function text_of(input, hide)
  if not input.stdin then return encode(input) end
  local copy = {}
  for name, value in pairs(input) do copy[name] = value end
  copy.stdin = core.text.sha256(hide and (hide(input.stdin)) or input.stdin)
  return encode(copy)
end

--- Returns the hash in the form of old journals, which had no keyed hashes.
local function digest_of_old(input)
  if type(input.prompt) ~= "string" then return nil end
  local copy = {}
  for name, value in pairs(input) do copy[name] = value end
  copy.prompt = core.secret.hide(input.prompt)
  return digest(text_of(copy))
end

function M.hidden(journal, text)
  if journal.unkept[1] then text = redactions.hide(journal.unkept, text) end
  return (core.secret.hide(text))
end

function M.hidden_json(journal, text)
  if journal.unkept[1] then text = redactions.hide(journal.unkept, text, true) end
  return (core.secret.hide(text))
end

--- Returns the hash of an input. If an equal input is recorded, returns the recorded hash.
--- If the input has secrets, `journal.raws` gets its keyed hash.
---@param first table?   record that may have the input: { h, raw? }
function M.of(journal, input, first, second)
  local all = text_of(input)
  local known = core.secret.hide(text_of(input, core.secret.hide))
  local shown = known
  if journal.unkept[1] then
    local function hide(text) return M.hidden(journal, text) end
    shown = M.hidden_json(journal, text_of(input, hide))
  end
  local hash = digest(shown)
  local keyed = shown ~= all and values.keyed(all) or nil
  local plain = shown ~= all and digest(all) or nil
  local old = shown ~= all and digest_of_old(input) or nil
  local function is_same(item)
    if item.input_hash == hash or item.input_hash == plain or item.input_hash == old then
      return true
    end
    if shown ~= known and item.input_hash == digest(known) then return true end
    return item.raw ~= nil and item.raw == (keyed or values.keyed(all))
  end
  for i = 1, 2 do
    local item = i == 1 and first or i == 2 and second
    if item and is_same(item) then
      journal.raws[item.input_hash] = item.raw or keyed
      return item.input_hash
    end
  end
  journal.raws[hash] = keyed
  return hash
end

local function stand_in(journal, told)
  local name, number = told, 1
  while journal.stand_ins.taken[name] do
    number = number + 1
    name = ("%s~%d"):format(told, number)
  end
  return name
end

--- Returns a name for keys in which secrets are replaced. A resume finds the recorded replacement
--- by the keyed hash of the full name.
function M.name(journal, name)
  local names = journal.stand_ins
  local told = names.told[name]
  if told then return told end
  told = core.secret.hide(name)
  if told == name and not next(names.on_record) then return name end
  local keyed = values.keyed(name)
  local own = names.on_record[keyed]
  if not own and told ~= name then
    own = stand_in(journal, told)
    names.on_record[keyed], names.taken[own] = own, true
    infrastructure_error.call(core.journal.note,
      core.json.encode_record { type = "name", stand_in = own, raw = keyed })
  end
  names.told[name] = own or name
  return names.told[name]
end

--- Returns the positions of secrets in a record's fields, for M.with_secrets().
---@return table<string, {places: integer[], whole: string}>?
function M.places(record, fields)
  local found
  for _, name in ipairs(fields) do
    local text = record[name] ~= nil and core.json.encode_record(record[name])
    local places = text and select(2, core.secret.hide(text))
    if places then
      found = found or {}
      found[name] = { places = core.json.array(places), whole = values.keyed(text) }
    end
  end
  return found
end

---@param key string?  key of another run; default: the current run's
---@return string[] lost  fields whose secrets are unknown
function M.with_secrets(record, key)
  local copy, lost = {}, {}
  if type(record.places) ~= "table" or record.places == core.json.null then return record, lost end
  for name, value in pairs(record) do copy[name] = value end
  for name, told in pairs(record.places) do
    local text = type(told) == "table" and type(told.places) == "table" and record[name] ~= nil
      and core.secret.restore(core.json.encode_record(record[name]), told.places)
    if text and values.keyed(text, key) == told.whole then
      copy[name] = core.json.decode_record(text)
    else
      lost[#lost + 1] = name
    end
  end
  return copy, lost
end

function M.stand_ins() return { told = {}, on_record = {}, taken = {}, clear = {} } end

local function is_on_record(journal, key)
  return (journal.ends[key] or journal.begins[key] or journal.facts[key]
    or journal.answers[key]) ~= nil
end

--- Returns a step's recorded key, which may contain a text that has become a secret.
function M.key(journal, key)
  if not journal.resumed or is_on_record(journal, key) then return key end
  local clear = key:gsub("[^/#]+", journal.stand_ins.clear)
  return is_on_record(journal, clear) and clear or key
end

function M.read_name(journal, item)
  journal.stand_ins.on_record[item.raw],
    journal.stand_ins.taken[item.stand_in] = item.stand_in, true
end

---@param kept any         redacted value
function M.put(journal, item, value, kept, durable)
  local places
  if kept ~= value then redactions.learn(journal.unkept, value, kept) end
  item.result, places = values.put(kept, durable)
  if kept == value and not places then return end
  item.whole = values.keyed(values.text(value))
  -- Other parts that the script has redacted cannot be restored, so store no positions then.
  item.places = kept == value and places or nil
end

--- Remembers the redacted form of an unchanged value, so that texts with it get the recorded hash.
---@param kept any   recorded form of the value
function M.seen(journal, value, kept) redactions.learn(journal.unkept, value, kept) end

--- Returns nil if the secrets in the value are unknown or have changed.
function M.restored(item)
  if not item.places then return nil end
  local text = values.stored_text(records.stored(item, "result"))
  local all = text and core.secret.restore(text, item.places)
  if not all or values.keyed(all) ~= item.whole then return nil end
  return values.read(all)
end

return M
