--- Finds the runs that replays and pipelines connect to a run, over several generations.
local about = require "moonlet.engine.task.about"
local store = require "moonlet.engine.run.store"

local M = {}

local deepest = 1000

local function parent_of(root, rec)
  local parent = rec.parent_run_id
  if type(parent) ~= "string" then return nil end
  return store.look(root, parent)
end

--- Returns the earliest ancestor of a run that still exists.
local function first_of(root, rec)
  local seen = { [rec.id] = true }
  for _ = 1, deepest do
    local parent = parent_of(root, rec)
    if not parent or seen[parent.id] then return rec end
    seen[parent.id], rec = true, parent
  end
  return rec
end

---@class moonlet.LineageNode
---@field id string
---@field verdict string
---@field runner string?
---@field reason string?
---@field pipeline boolean
---@field task string?
---@field started_at string
---@field children moonlet.LineageNode[]

local function node_of(home, root, rec, seen, depth)
  seen[rec.id] = true
  local state = require "moonlet.engine.run.state"
  local reason = rec.options.reason
  local node = { id = rec.id, verdict = state.of(home, rec.id, rec),
    runner = state.runner(rec) or core.json.null,
    reason = type(reason) == "string" and reason or core.json.null,
    pipeline = rec.options.pipeline == true,
    task = type(rec.packet) == "table" and rec.packet.id or core.json.null,
    started_at = rec.started_at, children = core.json.array {} }
  for _, child in ipairs(depth < deepest and about.children(home, rec.id) or {}) do
    local child_rec = not seen[child.id] and store.look(root, child.id)
    if child_rec then
      node.children[#node.children + 1] = node_of(home, root, child_rec, seen, depth + 1)
    end
  end
  return node
end

---@return moonlet.LineageNode
function M.tree(home, rec)
  local root = store.root(home)
  return node_of(home, root, first_of(root, rec), {}, 1)
end

return M
