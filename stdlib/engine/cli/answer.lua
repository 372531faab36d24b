--- `moonlet answer R-007 …`: answers a gate or a question of a parked run, and resumes the run.
local person = require "moonlet.engine.base.person"
local options = require "moonlet.engine.cli.options"
local record = require "moonlet.record"
local gate = require "moonlet.engine.effects.gate"
local repository = require "moonlet.engine.run.repository"
local store = require "moonlet.engine.run.store"
local resume = require "moonlet.engine.cli.resume"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

M.known = {
  key = { value = "KEY", help = "which gate or question, where there are several" },
  note = { value = "TEXT", help = "why, for the record" },
  sha = { value = "HASH",
    help = "the hash of what you were shown; refused if it has changed since" },
  by = { value = "NAME", help = "who answers (default: the user of this shell)" },
}
for name, option in pairs(resume.known) do M.known[name] = option end

local function expected(item)
  if item.kind == "gate" then return "approve or reject" end
  if item.options and #item.options > 0 then
    return "one of: " .. table.concat(item.options, ", ")
  end
  return "write a text"
end

local function pick(id, rec, key)
  local open, keys = rec.ended and rec.verdict == "needs-human" and rec.parked or {}, {}
  if #open == 0 then
    record.refuse(("%s does not wait for an answer"):format(id), "moonlet show " .. id)
  end
  for i, item in ipairs(open) do
    if item.key == key or not key and #open == 1 then return item end
    keys[i] = item.key
  end
  if not key then
    options.refuse(("%s waits at %d points"):format(id, #open),
      "say which: --key " .. table.concat(keys, ", --key "))
  end
  options.refuse(("%s does not wait at '%s'"):format(id, core.text.printable(key, 80)),
    record.suggest(key, keys))
end

function M.main(words, output)
  local found, rest = verbs.read("answer", words, M.known)
  if not rest[1] then options.refuse("answer which run?", "moonlet answer R-007 approve") end
  output.json, output.events = found.json or false, found.events or false
  local home = repository.open(found.repo)
  local id, rec = store.find(home, rest[1])
  if not rest[2] then
    local asked = { "run", "show", id, found.repo and "--repo=" .. found.repo or nil }
    return require("moonlet.engine.cli.show").main(asked)
  end
  local item = pick(id, rec, found.key)
  if found.sha and found.sha ~= item.shown then
    record.refuse(("%s now asks something else at '%s'"):format(id,
      core.text.printable(item.key, 80)), "moonlet run show " .. id)
  end
  local text = table.concat(rest, " ", 2)
  if not core.text.is_utf8(text) then
    options.refuse("the answer is not UTF-8", "give it in the encoding of the record")
  end
  local value, option = gate.read_answer(item, text)
  if not value then
    options.refuse(("'%s' is not an answer to the %s"):format(core.text.printable(text, 80),
      item.kind), expected(item))
  end
  local now = core.clock.wall()
  local answer = { type = "answer", key = item.key, shown = item.shown, value = value,
    option = option, note = found.note, by = found.by or person.name(), at = core.clock.iso(now),
    at_ms = now }
  local function plan_of(of)
    local plan = resume.plan(home, id, of, found)
    gate.check_open(id, of, answer)
    plan.answer, plan.detached = answer, found.detached
    return plan
  end
  local plan = plan_of(rec)
  core.event.display(options.display(found, output))
  local function drive() return resume.drive(home, id, plan, plan_of) end
  if found.detached then return require("moonlet.engine.cli.task.detached").drive(plan, drive) end
  return drive()
end

return M
