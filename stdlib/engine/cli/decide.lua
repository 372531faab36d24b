--- `moonlet decide R-007 …` records in decision.md that a result is accepted or rejected.
local person = require "moonlet.engine.base.person"
local options = require "moonlet.engine.cli.options"
local sidecar = require "moonlet.engine.agent.sidecar"
local repository = require "moonlet.engine.run.repository"
local seal = require "moonlet.engine.run.seal"
local store = require "moonlet.engine.run.store"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

M.known = options.with_common {
  why = { value = "TEXT", help = "the reason" },
  by = { value = "NAME", help = "who decides (default: the user of this shell)" },
}
local decisions = { take = true, ["take-with-changes"] = true, leave = true }
local tries = 5  -- maximum number of tries; a write fails if the run is resumed meanwhile

--- Indents each line of a reason after the first.
--- Without the indent, a line could look like a field of decision.md.
local function shown(why)
  local lines = {}
  for line in (why:gsub("\r\n?", "\n") .. "\n"):gmatch "(.-)\n" do
    lines[#lines + 1] = core.text.printable(line, 256 * 1024)
  end
  return (table.concat(lines, "\n  "):match "^%s*(.-)%s*$")
end

--- Records a decision about an ended run and writes decision.md.
--- If the run was resumed since its result was read, the new result is read first.
local function put_decision(home, run, decision, why, by)
  local err
  for _ = 1, tries do
    local id, rec = store.find(home, run)
    if not rec.ended then
      error({ kind = "invalid", usage = true, message = id .. " has not ended",
        hint = "moonlet show " .. id }, 0)
    end
    local text = (core.secret.hide(sidecar.decision(rec, decision, why and shown(why), by)))
    local done
    done, err = seal.change(home, id, store.hash(rec),
      { type = "decision", decision = decision, by = by, at = core.clock.iso(core.clock.wall()),
        sha256 = core.text.sha256(text) },
      rec.sidecar .. "/decision.md", text)
    -- The decision is valid even if it could not be added to the journal.
    if done and err then
      core.system.print(2, ("moonlet: the decision is not in the journal: %s\n"):format(
        core.text.printable(err.message, 400)))
    end
    if done then return id, rec end
  end
  error(err or { kind = "failed", message = run .. " is still running",
    hint = "decide when it has finished" }, 0)
end

function M.main(words)
  local found, rest = verbs.read("decide", words, M.known)
  if #rest ~= 2 or not decisions[rest[2]] then
    options.refuse("decide what?", "moonlet decide R-007 take, take-with-changes or leave")
  end
  local home = repository.open(found.repo)
  local by = found.by or person.name()
  local id, rec = put_decision(home, rest[1], rest[2], found.why, by)
  local path = home.agent_path .. "/" .. rec.sidecar .. "/decision.md"
  return options.envelope({ decision = rest[2], by = by, why = found.why or core.json.null,
    file = path }, store.envelope(home, rec)), 0,
    ("%s: %s; written to %s\n"):format(id, rest[2], path)
end

return M
