--- What became of what a host before this one had started. Where that cannot be looked up, the host has failed, and
--- not the step that asks.
local host_failure = require "moonlet.engine.base.infrastructure_error"

local M = {}

--- none (it never ran) | running | exited | lost (it ran and was ended, or nobody knows).
---@param key string
---@param id string       of the attempt
---@param present boolean?  one that this host started too; the log of the keeper is read anew
---@return string state
function M.state(key, id, present) return host_failure.call(core.process.attempt, key, id, present) end

--- Waits for the end of one that is running, or has exited.
---@param key string
---@param id string
---@return table exit
function M.take(key, id) return host_failure.call(core.process.take, key, id) end

--- The same, and one that is running is ended first.
---@param key string
---@param id string
---@return table exit
function M.stop(key, id) return host_failure.call(core.process.stop, key, id) end

return M
