--- Starts many attempts with one ssh call.
local exits = require "moonlet.engine.remote.exit"

local M = {}

M.elsewhere = nil

--- Sends attempts to the machine. The machine starts an attempt only once, even if it is sent
--- twice.
---@param office moonlet.Office
function M.submit(office, items)
  local attempts = core.json.array {}
  local earlier = {}
  for i, item in ipairs(items) do
    attempts[i] = item.spec
    earlier[item] = office.keeper.sent[item.nonce] == "start"
  end
  local by_nonce = {}
  for _, line in ipairs(office.keeper:lines("start", { attempts = attempts })) do
    by_nonce[line.nonce or ""] = line
  end
  for _, item in ipairs(items) do
    local line = by_nonce[item.nonce]
    if line then item.sent = true end
    -- Ignore "failed" if an earlier message, whose answer was lost, may have started the attempt.
    if line and line.state == "failed" and not earlier[item] then
      item.exit = exits.of({ why = "not_started", error_kind = "failed",
        error = type(line.error) == "table" and line.error.message }, "", "")
    end
  end
end

--- Does nothing. Without a scheduler, only the keeper on the machine knows the state of an attempt.
function M.watch() end

function M.cancel(office, items)
  local nonces = core.json.array {}
  for i, item in ipairs(items) do nonces[i] = item.nonce end
  office.keeper:lines("end", { nonces = nonces })
end

return M
