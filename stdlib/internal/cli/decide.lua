--- `moonlet decide R-007 …`: writes decision.md, the main agent's or person's word on a result.
local options = require "moonlet.internal.options"
local artifacts = require "moonlet.internal.artifacts"
local home_module = require "moonlet.internal.home"
local integrity = require "moonlet.internal.integrity"
local record_store = require "moonlet.internal.record_store"

local M = {}

local known = {
  repo = { value = "DIR", help = "the repository or folder (default: here)" },
  why = { value = "TEXT", help = "the reason" },
  by = { value = "NAME", help = "who decides (default: the user of this shell)" },
  json = { help = "print one JSON envelope and nothing else" },
  help = { help = "this text" },
}
--- A reason of several lines stays what it is: none of them may pass for a line of the form.
local function shown(why)
  local lines = {}
  for line in (why:gsub("\r\n?", "\n") .. "\n"):gmatch "(.-)\n" do
    lines[#lines + 1] = core.text.printable(line, 256 * 1024)
  end
  return (table.concat(lines, "\n  "):match "^%s*(.-)%s*$")
end

local decisions = { take = true, ["take-with-changes"] = true, leave = true }

---@param words string[]
---@return table? envelope, integer exit_code, string? text
function M.main(words)
  local found, rest = options.parse(words, known, 2)
  if found.help then
    options.print_help("usage: moonlet decide RUN take|take-with-changes|leave [options]\n\noptions:\n"
      .. options.help(known) .. "\n", found.json)
    return nil, 0
  end
  if #rest ~= 2 or not decisions[rest[2]] then
    error(options.usage("decide what?", "moonlet decide R-007 take, take-with-changes or leave"), 0)
  end
  local home = home_module.open(found.repo)
  local id, rec = record_store.find(home, rest[1])
  if not rec.ended then
    error({ kind = "invalid", usage = true, message = id .. " has not ended", hint = "moonlet run show " .. id }, 0)
  end
  local by = found.by or core.system.env "USER" or core.system.env "LOGNAME" or "user"
  local text = (core.secret.hide(artifacts.decision(rec, rest[2], found.why and shown(found.why), by)))
  local root = record_store.root(home)
  local noted, why = integrity.note(home, id, { t = "decision", decision = rest[2], by = by,
    at = core.clock.iso(core.clock.wall()), sha256 = core.text.sha256(text) })
  -- The decision counts also where the journal is damaged.
  if not noted then
    core.system.print(2, ("moonlet: the decision is not in the journal: %s\n"):format(
      core.text.printable(why.message, 400)))
  end
  local written, err = core.file.write(root, rec.sidecar .. "/decision.md", text)
  if not written then error(err, 0) end
  local path = home.agent_path .. "/" .. rec.sidecar .. "/decision.md"
  return { ok = true, command = "decide", run = record_store.envelope(home, rec), error = core.json.null,
    result = { decision = rest[2], by = by, why = found.why or core.json.null, file = path } }, 0,
    ("%s: %s; written to %s\n"):format(id, rest[2], path)
end

return M
