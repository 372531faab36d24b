--- The report for a person when a run has ended.
local artifacts = require "moonlet.engine.agent.sidecar"
local duration = require "moonlet.duration"
local runners = require "moonlet.engine.load.runners"
local leftovers = require "moonlet.engine.workspace.kept_worktrees"
local worktree = require "moonlet.engine.workspace.worktree"

local M = {}

--- The runners of the agent steps, or the run's own if there was none.
local function by_whom(run)
  local seen, names = {}, {}
  for _, step in ipairs(run.steps) do
    if step.kind == "agent" and not seen[step.runner] then
      seen[step.runner] = true
      names[#names + 1] = step.runner
    end
  end
  if #names == 0 then
    if run.preset and not run.preset.needs.agents then return "" end
    names[1] = run.runner_name
  end
  if #names == 1 and names[1] == "mock" then return "mock: answers are made up, nothing spent, " end
  if #names == 1 and names[1] == "rules" then return "rules, no model, nothing spent, " end
  return table.concat(names, " and ") .. ", "
end

--- Points that wait for a person, which come before all else.
local function held_back(run)
  local lines = {}
  for _, step in ipairs(run.steps) do
    local held = artifacts.last_of(step.attempts).held_back
    if held and held[1] then
      local dir = run.absolute(run.directory_of(step.key))
      lines[#lines + 1] = ("%s: %s"):format(step.key, leftovers.held_back(held, dir))
    end
  end
  return lines
end

--- Lists answers that were taken although they were cut.
local function add_cut(run, lines)
  for _, step in ipairs(run.steps) do
    local bytes = artifacts.last_of(step.attempts).cut
    if bytes and step.status == "ok" then
      lines[#lines + 1] = ("  cut: of the %d bytes that %s answered the head and the tail are kept"):format(bytes,
        step.key)
    end
  end
end

--- The distilled answer, the verdict, its grounds, and the places of the rest.
---@param run table
---@param envelope table
---@return string
function M.text(run, envelope)
  local lines = held_back(run)
  local findings = run.findings
  if findings and findings ~= "" then
    lines[#lines + 1] = findings:gsub("\n*$", "\n")
  elseif envelope.result ~= core.json.null then
    local result = envelope.result
    lines[#lines + 1] = type(result) == "string" and result or core.json.encode_record(result, 2) .. "\n"
  end
  lines[#lines + 1] = ("%s: %s (%s%s)"):format(run.preset_name, run.verdict or "prepared", by_whom(run),
    duration.text(run.duration_ms))
  if run.route then lines[#lines + 1] = "  " .. run.route end
  add_cut(run, lines)
  if run.verdict == "degraded" then
    if run.mocked then lines[#lines + 1] = "  degraded: the runner mock made up the answers, no agent was asked" end
    for _, item in ipairs(run.degraded) do
      lines[#lines + 1] = ("  degraded: %s %d of %d"):format(item.at, item.succeeded, item.total)
    end
  end
  if run.runner_name == "rules" and run.preset and run.preset.needs.agents then
    for name in pairs(runners.installed()) do
      lines[#lines + 1] = ("  %s is installed: --runner %s asks it instead of the rules"):format(name, name)
    end
  end
  for _, path in ipairs(worktree.left(run.home, run.id)) do lines[#lines + 1] = leftovers.text(path) end
  lines[#lines + 1] = "artifacts: " .. run.absolute(run.sidecar)
  return table.concat(lines, "\n") .. "\n"
end

return M
