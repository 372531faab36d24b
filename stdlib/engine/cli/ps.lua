--- `moonlet ps`: every live child of the runs and sessions of this repository, and whatever runs without its folder.
local context = require "moonlet.engine.context.context"
local repository = require "moonlet.engine.run.repository"
local options = require "moonlet.engine.cli.options"
local duration = require "moonlet.duration"
local removed = require "moonlet.engine.base.removed"
local states = require "moonlet.engine.session.states"
local verbs = require "moonlet.engine.cli.verbs"

local M = {}

M.known = options.with_common()

local function row_text(child, now)
  local left = child.deadline_ms and duration.text(math.max(child.deadline_ms - now, 0)) or "none"
  return ("%-7s %7d %9s %9s  %s"):format(child.run, child.pid, duration.text(child.age_ms), left,
    core.text.printable(context.plain(child.step), 120))
end

function M.main(words)
  local found, rest = verbs.read("ps", words, M.known)
  options.no_more(rest, 0, "ps")
  local folder = repository.folder(found.repo)
  local home = core.run.home(folder)
  local swept = core.runs.sweep(home.handle)
  local children = core.runs.live(home.handle)
  states.add_live(home, children, swept)
  local now, gone = core.clock.wall(), removed.all()
  for _, entry in ipairs(gone) do
    local is_here = entry.top .. "/.agent" == home.agent_path
    for _, child in ipairs(is_here and entry.children or {}) do
      child.run, child.removed = entry.id, true
      children[#children + 1] = child
    end
  end
  local lines = { ("%-7s %7s %9s %9s  %s"):format("RUN", "PID", "AGE", "LEFT", "STEP") }
  for _, child in ipairs(children) do lines[#lines + 1] = row_text(child, now) end
  if #children == 0 then lines = { "nothing is running" } end
  for _, item in ipairs(swept) do
    if item.killed > 0 then
      lines[#lines + 1] = ("%s was left by a dead host: %d of its processes were ended"):format(item.run, item.killed)
    end
  end
  local list = core.json.array {}
  for i, entry in ipairs(gone) do
    local ending = removed.ending(entry, home.agent_path)
    lines[#lines + 1] = ("%s (%s) goes on, but its folder %s was removed: %s"):format(entry.id,
      core.text.printable(entry.label, 80), core.text.printable(entry.place, 400), core.text.printable(ending, 500))
    list[i] = { id = entry.id, place = entry.place, label = entry.label, pid = entry.pid, age_ms = entry.age_ms,
      end_with = ending }
  end
  return options.envelope({ children = core.json.array(children), swept = core.json.array(swept), removed = list }),
    0, table.concat(lines, "\n") .. "\n"
end

return M
