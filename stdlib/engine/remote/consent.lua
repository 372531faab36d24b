--- Asks a person before the first jobs of a run are submitted, if the machine's config has submit = "ask".
--- Steps that are ready at about the same time share one question.
local per_run = require "moonlet.engine.base.per_run"

local M = {}

local gather_ms, pause_ms = 250, 20

---@class moonlet.Consent
---@field state "gathering"|"asking"|"given"|"refused"
---@field jobs integer   steps that wait for the answer
---@field err table?

--- Maps each machine to the person's consent that the run may submit jobs to it.
---@type fun(run: table): table<string, moonlet.Consent>
local consents_of = per_run(function() return {} end)

--- Reports whether the run has a recorded attempt on the machine. A person has then already been
--- asked.
local function was_submitted(run, on)
  for _, intent in ipairs(run.journal.remote_list) do
    if intent.on == on then return true end
  end
  return false
end

local function where(machine)
  return ("Slurm%s%s"):format(machine.partition and ", partition " .. machine.partition or "",
    machine.host and ", through " .. machine.host or "")
end

local function ask_for_all(run, machine, consent, ask)
  core.task.sleep(gather_ms)
  consent.state = "asking"
  local ok, err = pcall(ask, run, machine.on, where(machine), consent.jobs)
  consent.state, consent.err = ok and "given" or "refused", err
  if not ok then error(err, 0) end
end

--- Waits while another task asks the person for consent. The run may park during this wait.
local function wait_for_answer(consent)
  core.task.stop_clock()
  local ok, err = pcall(function()
    while consent.state == "gathering" or consent.state == "asking" do
      core.task.watch_sleep(pause_ms)
    end
  end)
  core.task.start_clock()
  if not ok then error(err, 0) end
  if consent.state == "refused" then error(consent.err, 0) end
end

--- Waits until a person has approved. Raises `rejected` after a rejection, or parks the run.
---@param machine moonlet.Machine
---@param ask fun(run: table, on: string, where: string, jobs: integer)  raises unless it is approved
function M.ask(run, machine, ask)
  if not machine.asks then return end
  local consents = consents_of(run)
  local consent = consents[machine.on]
  if consent then
    if consent.state == "gathering" then consent.jobs = consent.jobs + 1 end
    return wait_for_answer(consent)
  end
  consent = { state = was_submitted(run, machine.on) and "given" or "gathering", jobs = 1 }
  consents[machine.on] = consent
  if consent.state == "gathering" then ask_for_all(run, machine, consent, ask) end
end

return M
