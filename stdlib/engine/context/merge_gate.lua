--- Lets one branch of a ctx:any merge at a time. If it fails, the next may merge; if it succeeds,
--- the others are cancelled.
local per_run = require "moonlet.engine.base.per_run"
local task = core.task

local M = {}

local poll_ms = 20

---@class moonlet.MergeGate
---@field private path string    path of the ctx:any
---@field private gates table<string, moonlet.MergeGate>
---@field private branch string?  branch that has merged
local Gate = {}
Gate.__index = Gate

local gates_of = per_run(function() return {} end)

---@return moonlet.MergeGate
function M.open(run, path)
  local gates = gates_of(run)
  gates[path] = setmetatable({ path = path, gates = gates, branch = nil }, Gate)
  return gates[path]
end

---@param branch string  name of the branch in keys
function Gate:leave(branch)
  if self.branch == branch then self.branch = nil end
end

function Gate:close() self.gates[self.path] = nil end

local function each_around(run, key, fn)
  local gates = gates_of(run)
  if not next(gates) then return end
  local at = #key
  while at do
    local path = key:sub(1, at)
    local gate, rest = gates[path], key:sub(at + 2)
    if gate and rest ~= "" then fn(gate, rest:match "^[^/]+") end
    at = path:match "^.*()/"
    at = at and at - 1
  end
end

--- Waits until the branch may merge. Raises an error if another branch has won.
function M.enter(run, key)
  each_around(run, key, function(gate, branch)
    while gate.branch and gate.branch ~= branch do task.sleep(poll_ms) end
    task.check()
    gate.branch = branch
  end)
end

function M.merged(run, key)
  each_around(run, key, function(gate, branch) gate.branch = gate.branch or branch end)
end

return M
