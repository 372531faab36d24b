--- The circuit breaker stops further calls on a credential that a provider has refused.
--- Each credential has a file in the user's state folder, shared by all of the user's processes.
--- The breaker opens at the first refusal and closes at the provider's reset time.
--- Repeated refusals back off exponentially, and a successful call resets the backoff.
--- After a rate limit, the breaker is open only for seconds.

local M = {}

local record_cap = 64 * 1024
local default_quota_ms = 15 * 60 * 1000
--- A refused login is tried again after ten minutes, or as soon as the login has changed.
local auth_ms = 10 * 60 * 1000
local closed_ms = { quota = default_quota_ms, auth = auth_ms, rate = 0 }
--- Providers report whole seconds, so the breaker stays open until that second is over.
local whole_second_ms = 1000
--- A reset time more than a month ahead is treated as a misread number.
local longest_ms = 32 * 24 * 60 * 60 * 1000
--- Starts the backoff after the second refusal in a row; each further one takes four times longer.
local again_ms = 5 * 1000
local longest_again_ms = default_quota_ms
--- The backoff after a rate limit starts with `first_rate_ms` and doubles with each refusal.
local first_rate_ms, longest_rate_ms = 2 * 1000, 60 * 1000
--- An old refusal does not count towards the backoff of the next refusal.
local forgotten_ms = { quota = 24 * 60 * 60 * 1000, auth = 24 * 60 * 60 * 1000,
  rate = 3 * 60 * 1000 }
--- Keeps refusals in memory if the state folder cannot be written.
local remembered = {}

local function folder(make)
  local path = core.system.state_dir()
  return path and (make and core.file.make_root or core.file.root)(path .. "/breakers") or nil
end

--- Reads a breaker file. Ignores a malformed file, so that it cannot stop calls.
local function read(root, name)
  local text = root and core.file.read(root, name .. ".json", record_cap)
  if not text then return remembered[name] end
  local ok, value = pcall(core.json.decode, text)
  if not ok or type(value) ~= "table" or math.type(value["until"]) ~= "integer" then return nil end
  if not closed_ms[value.class] then return nil end
  if value["until"] > core.clock.wall() + longest_ms then return nil end
  if type(value.message) ~= "string" then value.message = "its provider refused it" end
  if type(value.login) ~= "string" then value.login = nil end
  if math.type(value.times) ~= "integer" or value.times < 1 or value.times > 1000 then
    value.times = 1
  end
  return value
end

--- Returns the least time in ms that the breaker stays open after `times` refusals, with jitter.
local function patience(class, times)
  local ms
  if class == "rate" then
    ms = math.min(longest_rate_ms, first_rate_ms * 2 ^ math.min(times - 1, 8))
  elseif times < 2 then
    return whole_second_ms
  else
    ms = math.min(longest_again_ms, again_ms * 4 ^ math.min(times - 2, 8))
  end
  local share = tonumber(core.clock.random_hex(4), 16) / 0xffffffff
  return math.tointeger((ms + ms * 0.25 * share) // 1)
end

---@class moonlet.Refusal
---@field class "quota"|"auth"|"rate"
---@field until_ms integer   Unix time in ms
---@field message string
---@field runner string

--- Returns the refusal that is in force for a credential, or nil.
---@param credential string  a hash that identifies the account
---@param login string?      hash of the current login; a refusal of another login is ignored
---@return moonlet.Refusal?
function M.refusal(credential, login)
  local found = read(folder(), credential)
  if not found or found["until"] <= core.clock.wall() then return nil end
  if found.class == "auth" and found.login ~= login then return nil end
  return { class = found.class, until_ms = found["until"], message = found.message,
    runner = found.runner }
end

--- Lists the refusals in force by their end, without the accounts, which the files do not name.
---@return moonlet.Refusal[]
function M.closed()
  local root, list = folder(), {}
  for _, entry in ipairs(root and core.file.list(root, ".") or {}) do
    local name = entry.name:match("^(%x+)%.json$")
    local found = name and read(root, name)
    if found and found["until"] > core.clock.wall() then
      list[#list + 1] = { class = found.class, until_ms = found["until"], message = found.message,
        runner = type(found.runner) == "string" and found.runner or "" }
    end
  end
  table.sort(list, function(a, b) return a.until_ms < b.until_ms end)
  return list
end

--- Opens the breaker of a credential and returns when it closes. An earlier refusal of the same
--- class that ends later stays in force, unless the call was made in spite of it (`anew`).
---@param refusal {class: string, runner: string, message: string, reset_at: integer?, login: string?, anew: boolean?}
function M.trip(credential, refusal)
  local now = core.clock.wall()
  -- Ignore a reset time in the past. Clocks differ, and some providers report the previous reset.
  local told = refusal.reset_at and refusal.reset_at > now and refusal.reset_at + whole_second_ms
  local until_ms = told or now + closed_ms[refusal.class]
  local root = folder(true)
  local held = root and core.file.lock(root, ".lock")
  local before = read(root, credential)
  local is_other = before and (before.class ~= refusal.class or before.login ~= refusal.login)
  if is_other and refusal.class == "rate" and before["until"] > now then
    if held then core.file.unlock(held) end
    return now  -- A quota or login refusal is more severe than a rate limit.
  end
  if before and (is_other or before["until"] < now - forgotten_ms[refusal.class]) then
    before = nil
  end
  -- Concurrent calls that were refused together count as one refusal.
  local times = before and before.times + (before["until"] <= now and 1 or 0) or 1
  local together = before and refusal.class == "rate" and before["until"] > now
  local least_ms = together and before["until"] or now + patience(refusal.class, times)
  until_ms = math.min(math.max(until_ms, least_ms), now + longest_ms)
  if before and before["until"] > until_ms and not refusal.anew then until_ms = before["until"] end
  local kept = { class = refusal.class, ["until"] = until_ms, runner = refusal.runner,
    tripped = now, times = times, login = refusal.login,
    message = core.text.cut(core.run.redact(refusal.message), 2000) }
  local written = root and core.file.write(root, credential .. ".json", core.json.encode(kept))
  remembered[credential] = not written and kept or nil
  if held then core.file.unlock(held) end
  return until_ms
end

---@param since integer?  start of a call that was made despite a refusal, Unix time in ms
function M.succeeded(credential, since)
  local root = folder()
  local found = read(root, credential)
  if not found then return end
  local is_over = found["until"] <= core.clock.wall()
    or since and math.type(found.tripped) == "integer" and found.tripped <= since
  -- Keep the breaker open if another process has opened it after this call started.
  if not is_over then return end
  remembered[credential] = nil
  if root then core.file.remove(root, credential .. ".json") end
end

return M
