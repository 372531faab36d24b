--- What binds a run's files to its journal: the hashes that are put on record when it begins, when it
--- is over and when somebody decides.
local M = {}

--- Files of a sidecar that change after the run is over.
M.later = { "events.jsonl", "decision.md" }

--- Hashes what the run has left in its sidecar. A failure is told, for a run does not fail for it.
---@param run table
function M.seal(run)
  local tree, err = core.audit.tree(run.root, run.sidecar, M.later)
  if not tree then
    run.emit("warning", { text = "the artifacts are not bound to the record: " .. err.message })
    return
  end
  run.files, run.files_fold = tree.files, tree.fold
end

--- The hash of a list of files as the journal has it.
---@param files table?
---@return string?
function M.hash_of_files(files)
  return files and core.text.sha256(core.json.encode(files)) or nil
end

--- The hash of a text as it is written for the run that is being driven.
---@param text string
---@return string
function M.hash_of_record(text) return core.text.sha256(core.run.redact(text)) end

return M
