--- Instruction files that an agent reads by itself, of the user's or the project's. Its runner keeps it from those
--- where it can; the others are put on record among the inputs of its step: they are a part of what it was asked.

local M = {}

local cap = 1 << 20

--- The entry of a file; nil where it is not there.
local function entry_of(title, path)
  local folder, name = (core.system.real_path(path) or path):match("^(/.*)/([^/]+)$")
  local root = folder and core.file.root(folder)
  local entry = root and core.file.stat(root, name) and core.file.load(root, name, cap)
  if not entry then return nil end
  entry.spec, entry.kind, entry.path, entry.text = title .. " reads it by itself", "file", path, nil
  return entry
end

--- Writes the step's input-manifest.md anew where its agent will read more than it was given.
---@param job moonlet.Execution
---@param made moonlet.RunnerCommand
function M.record(job, made)
  local run, found = job.run, {}
  for _, path in ipairs(made.reads or {}) do found[#found + 1] = entry_of(job.runner.title or job.runner.name, path) end
  if #found == 0 then return end
  local list = job.dir == run.sidecar and { table.unpack(run.inputs or {}) } or {}
  table.move(found, 1, #found, #list + 1, list)
  run.write_artifact(job.dir .. "/input-manifest.md", core.run.manifest(list)
    .. require("moonlet.engine.agent.prompt_cuts").section(run, job.key))
end

return M
