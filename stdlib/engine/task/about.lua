--- Formats what `run show` prints about a run's packet, lineage and review.
local ledger = require "moonlet.engine.run.ledger"
local store = require "moonlet.engine.run.store"

local M = {}

local null = core.json.null
local most_children = 200

local function some(value) return value ~= nil and value ~= null and value or nil end

---@return {id: string, pipeline: boolean}[]
function M.children(home, id)
  if not store.root(home) or not ledger.ready(home, true) then return {} end
  local rows = core.ledger.list(home.handle, { parent = id }, most_children) or {}
  local list = {}
  for i = #rows, 1, -1 do
    local rec = store.look(store.root(home), rows[i].id)
    list[#list + 1] = { id = rows[i].id, pipeline = rec ~= nil and rec.options.pipeline == true }
  end
  return list
end

---@return {status: string, at: string}[]
function M.lifecycle(rec)
  local list = { { status = rec.options.dry_run and not rec.ended and "prepared" or "running",
    at = rec.started_at } }
  local review = some(rec.review)
  if rec.ended and not review then list[2] = { status = rec.verdict, at = some(rec.ended_at) } end
  if review and not review.at and some(rec.ended_at) then
    list[2] = { status = "review", at = rec.ended_at }
  end
  if review and review.state ~= "pending" then
    list[#list + 1] = { status = review.state, at = some(review.at) or some(rec.ended_at) }
  end
  return core.json.array(list)
end

local function review_line(review)
  if review.state == "none" then return nil end
  local parts = { "review: " .. review.state }
  if some(review.reviewed_by) then
    parts[#parts + 1] = "by " .. core.text.printable(review.reviewed_by, 80)
  end
  if some(review.note) then
    parts[#parts + 1] = "(" .. core.text.printable(review.note, 400) .. ")"
  end
  return table.concat(parts, " ")
end

function M.lines(home, rec, children)
  local lines = {}
  local function add(text, ...) lines[#lines + 1] = text:format(...) end
  local packet, parent = some(rec.packet), some(rec.parent_run_id)
  if packet then add("task: %s  %s", packet.id, core.text.printable(packet.title, 200)) end
  if parent then
    local reason = some(rec.options.reason)
    add("%s: %s%s", rec.options.pipeline and "Pipeline of" or "Replay of", parent,
      reason and ("  (%s)"):format(core.text.printable(reason, 400)) or "")
  end
  local replays, others = {}, {}
  for _, child in ipairs(children) do
    table.insert(child.pipeline and others or replays, child.id)
  end
  if replays[1] then add("Replayed as: %s", table.concat(replays, ", ")) end
  if others[1] then add("Pipeline: %s", table.concat(others, ", ")) end
  local root = store.root(home)
  if core.file.stat(root, rec.sidecar .. "/prompt.md") then
    add("prompt: %s/%s/prompt.md", home.agent_path, rec.sidecar)
  end
  if packet or parent or children[1] then
    local states = {}
    for i, item in ipairs(M.lifecycle(rec)) do
      states[i] = ("%s %s"):format(item.status, item.at or "")
    end
    add("lifecycle: %s", core.text.printable(table.concat(states, ", "), 400))
  end
  for _, item in ipairs(some(rec.validation) or {}) do
    add("validation: %-8s %-10s %s", item.status, item.kind, core.text.printable(item.command, 200))
  end
  for _, path in ipairs(some(rec.files_changed) or {}) do
    add("changed: %s", core.text.printable(path, 400))
  end
  lines[#lines + 1] = review_line(some(rec.review) or { state = "none" })
  if some(rec.review) and rec.review.state == "pending" then
    add("moonlet review show %s", rec.id)
  end
  return lines
end

return M
