--- What stops further calls on a credential that a provider has refused: a small file a credential in
--- the user's state folder, seen by every moonlet process of this user. It opens with the first refusal
--- and closes by itself when the provider's time has come.
local state_folder = require "moonlet.internal.state_folder"

local M = {}

local record_cap = 64 * 1024
--- A provider that does not say when its quota is there again is asked again after this.
local default_quota_ms = 15 * 60 * 1000
--- A login that was refused is tried again after this, or with the next change of the credential.
local auth_ms = 10 * 60 * 1000
--- Providers tell whole seconds: who asks within the one that was told may be too early.
local whole_second_ms = 1000
--- Longer than this is no reset time but a mistake in reading one.
local longest_ms = 8 * 24 * 60 * 60 * 1000

local function folder()
  local path = state_folder.path()
  return path and core.file.make_root(path .. "/breakers")
end

local function read(root, name)
  local text = core.file.read(root, name .. ".json", record_cap)
  local ok, value = pcall(core.json.decode, text or "")
  if not ok or type(value) ~= "table" or math.type(value["until"]) ~= "integer" then return nil end
  return value
end

---@class moonlet.Refusal
---@field class string     "quota" or "auth"
---@field until_ms integer   since 1970
---@field message string
---@field runner string

--- What refuses calls on a credential at the moment; nil when nothing does.
---@param credential string  a hash; see attempt.lua
---@return moonlet.Refusal?
function M.refusal(credential)
  local root = folder()
  local found = root and read(root, credential)
  if not found or found["until"] <= core.clock.wall() then return nil end
  return { class = found.class, until_ms = found["until"], message = found.message, runner = found.runner }
end

--- Stops calls on a credential. Of several refusals the one that lasts longest counts.
---@param credential string
---@param refusal {class: string, runner: string, message: string, reset_at: integer?}
---@return integer until_ms
function M.trip(credential, refusal)
  local now = core.clock.wall()
  local lasts = refusal.class == "auth" and auth_ms or default_quota_ms
  local until_ms = refusal.reset_at and refusal.reset_at + whole_second_ms or now + lasts
  until_ms = math.max(now + 1000, math.min(until_ms, now + longest_ms))
  local root = folder()
  if not root then return until_ms end
  local held = core.file.lock(root, ".lock")
  local before = read(root, credential)
  if before and before["until"] > until_ms and before.class == refusal.class then until_ms = before["until"] end
  core.file.write(root, credential .. ".json", core.json.encode {
    class = refusal.class, ["until"] = until_ms, runner = refusal.runner, tripped = now,
    message = core.text.cut(core.run.redact(refusal.message), 2000) })
  if held then core.file.unlock(held) end
  return until_ms
end

return M
