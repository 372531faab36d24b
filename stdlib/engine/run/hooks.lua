--- Runs the programs in `hooks` of the user's config. A hook that fails only causes a warning.
local exit_text = require "moonlet.engine.base.exit_text"
local hook_text = require "moonlet.engine.base.hook_text"

local M = {}

local function complaint(exit)
  if exit.why == "exited" and exit.code == 0 then return nil end
  return exit.error and exit.error.message or exit_text.of(exit, { wall = hook_text.wall_ms })
end

---@param name "started"|"finished"|"parked"|"done"|"question"|"blocked"|"review"
function M.fire(run, name)
  local argv = run.config.hooks and run.config.hooks[name]
  if not argv or #argv == 0 or run.dry or run.forecast then return end
  local ok, exit = pcall(hook_text.during, name, argv, core.process.run, {
    step = "hook/" .. name, argv = argv, cwd = run.top, wall_ms = hook_text.wall_ms, cap = 4096,
    env = run.child_environment { MOONLET_RUN = run.id, MOONLET_TASK_ID = run.task_id,
      MOONLET_VERDICT = run.verdict or "", MOONLET_DIR = run.absolute(run.sidecar) },
  })
  local why
  if ok then
    why = complaint(exit)
  else
    why = type(exit) == "table" and exit.message or tostring(exit)
  end
  if why then run.emit("warning", { text = hook_text.failed(name, argv, why) }) end
end

function M.ended(run)
  local parks = run.verdict == "needs-human" or run.verdict == "quota"
  M.fire(run, parks and "parked" or "finished")
  if not parks then M.fire(run, "done") end
  for _, item in ipairs(run.parked) do
    if item.kind == "question" then
      M.fire(run, "question")
      break
    end
  end
  if run.verdict == "blocked" then M.fire(run, "blocked") end
  if run.review and run.review.state == "pending" then M.fire(run, "review") end
end

return M
