--- Summarises a run for the next run of a pipeline, and as a line for people.
local duration = require "moonlet.duration"
local store = require "moonlet.engine.run.store"
local state = require "moonlet.engine.run.state"

local M = {}

local null = core.json.null
local answer_cap, patch_cap = 24000, 60000

local function file_of(home, rec, name, cap)
  local root = store.root(home)
  local text = root and core.file.read(root, rec.sidecar .. "/" .. name, 64 << 20)
  if not text or not text:find "%S" then return nil end
  text = core.text.clean(text)
  if #text > cap then text = core.text.cut(text, cap) .. "\n… cut" end
  return text
end

function M.answer(home, rec, cap)
  return file_of(home, rec, "findings.md", cap or answer_cap)
    or file_of(home, rec, "output.md", cap or answer_cap)
end

function M.linked(home, rec)
  local role = type(rec.options.agent_role) == "string"
    and ", role " .. rec.options.agent_role or ""
  local lines = { ("%s by %s%s: %s"):format(rec.id, state.runner(rec) or "no runner", role,
    rec.ended and rec.verdict or "prepared") }
  if type(rec.error) == "table" and rec.error ~= null then
    lines[#lines + 1] = "error: " .. core.text.printable(rec.error.message, 600)
  end
  for _, item in ipairs(rec.validation ~= null and rec.validation or {}) do
    lines[#lines + 1] = ("check %s (%s): %s"):format(item.kind,
      core.text.printable(item.command, 200), item.status)
  end
  for _, path in ipairs(rec.files_changed ~= null and rec.files_changed or {}) do
    lines[#lines + 1] = "changed " .. core.text.printable(path, 300)
  end
  local answer = M.answer(home, rec)
  if answer then lines[#lines + 1] = "\nIts answer:\n\n" .. answer end
  local patch = file_of(home, rec, "changes.patch", patch_cap)
  if patch then
    lines[#lines + 1] = "\nIts changes, which wait for a review and are not in the work tree:\n\n"
      .. patch
  end
  return table.concat(lines, "\n")
end

function M.line(rec)
  local role = type(rec.options.agent_role) == "string" and rec.options.agent_role or "-"
  local files = #(rec.files_changed ~= null and rec.files_changed or {})
  local form = "%-12s %-14s %-7s %-10s %-8s %d %s"
  return form:format(core.text.printable(state.runner(rec) or "no runner", 24),
    core.text.printable(role, 24), rec.id, rec.ended and rec.verdict or "prepared",
    type(rec.duration_ms) == "number" and duration.text(rec.duration_ms) or "-", files,
    files == 1 and "file" or "files")
end

return M
