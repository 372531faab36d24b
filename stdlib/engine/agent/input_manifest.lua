--- input-manifest.md of a step: the inputs of its run if it has the sidecar itself, its instruction files, and the
--- parts left out of its prompt.
local instructions = require "moonlet.engine.agent.instructions"
local prompt_cuts = require "moonlet.engine.agent.prompt_cuts"

local M = {}

--- Writes the manifest of a step that is given more than the inputs of its run, or less than its whole prompt.
---@param job moonlet.ResolvedCall
---@param key string
---@param dir string
---@param reads string[]?  files that its program reads by itself, absolute
function M.write(job, key, dir, reads)
  local run, more, cuts = job.run, instructions.entries(job, reads), prompt_cuts.section(job.run, key)
  if #more == 0 and cuts == "" then return end
  local list = dir == run.sidecar and { table.unpack(run.inputs or {}) } or {}
  table.move(more, 1, #more, #list + 1, list)
  run.write_artifact(dir .. "/input-manifest.md", core.run.manifest(list) .. cuts)
end

return M
