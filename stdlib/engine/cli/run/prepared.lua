--- Finds a run that --dry-run has prepared, and checks its prompts.
local files = require "moonlet.engine.base.files"
local record = require "moonlet.record"
local store = require "moonlet.engine.run.store"

local M = {}

local model_cap, prompt_cap = 4 << 20, 64 << 20

local function problem_of(root, path)
  local info = files.stat(root, path)
  if not info then return "is gone" end
  if info.type ~= "file" then return "is a " .. info.type .. ", not a file" end
  local text = files.read(root, path, prompt_cap)
  return not (text and text:find "%S") and "is empty" or nil
end

--- Raises an error if a prompt that the dry run wrote has been deleted or emptied since.
local function check_prompts(home, run, rec)
  local root = files.must(core.file.root(home.agent_path .. "/" .. rec.sidecar))
  local ok, model = pcall(core.json.decode, files.read(root, "model.json", model_cap) or "")
  local prompts = ok and type(model) == "table" and model.prompts
  for _, path in ipairs(type(prompts) == "table" and prompts or {}) do
    local problem = problem_of(root, path)
    if problem then
      local at = ("%s/%s/%s"):format(home.agent_path, rec.sidecar, path)
      record.refuse(("the prompt of %s %s: no agent was started"):format(run, problem),
        ("write it again, then %s"):format(
          require("moonlet.engine.run.state").start_prepared(home, rec)), at)
    end
  end
end

--- Finds a prepared run. Raises an error if a host has driven the run since it was prepared.
---@param id string  a task id, `last`, or the id of a run
function M.find(home, id)
  core.run.check_id(id, "task id")
  local run, rec = store.of_task(home, id)
  if not run and (id == "last" or id:find "^[Rr]?%-?%d+$") then
    run, rec = store.find(home, id)
    id = rec.task_id
  end
  if not run or not rec.options.dry_run then
    record.refuse(("nothing is prepared under '%s'%s"):format(id,
      run and (": %s has been started with it"):format(run) or ""),
      run and "moonlet show " .. run or "prepare it with --dry-run --task-id " .. id)
  end
  if rec.ended then
    record.refuse(("'%s' was prepared by %s, which %s"):format(id, run, rec.verdict == "cancelled"
      and "was cancelled" or "ended with: " .. tostring(rec.verdict)),
      "prepare it again with --dry-run")
  end
  check_prompts(home, run, rec)
  local lost
  rec, lost = store.as_given(home, rec)
  return { id = id, run = run, record = rec, lost = lost }
end

return M
